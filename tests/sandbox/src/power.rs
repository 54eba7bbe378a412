//! Power: what everything in this world that waits hangs on, so that it can be ended at once.
//!
//! A machine, and every errand that takes its time, waits on its [`Power`]. Cutting it is dropping
//! the [`Switch`]: no flag to poll, no sleep that must run out. It knows nothing of what it feeds.

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};

/// Dropping it cuts the power.
pub(crate) struct Switch {
    _held: Sender<Infallible>,
}

#[derive(Clone)]
pub(crate) struct Power(Receiver<Infallible>);

#[derive(Debug)]
pub(crate) struct PowerCut;

pub(crate) fn supply() -> (Switch, Power) {
    let (held, line) = bounded(0);
    (Switch { _held: held }, Power(line))
}

impl Power {
    pub(crate) fn wait(&self, duration: Duration) -> Result<(), PowerCut> {
        match self.0.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(PowerCut),
            Ok(never) => match never {},
        }
    }

    pub(crate) fn wait_for_ever(&self) -> PowerCut {
        let _ = self.0.recv();
        PowerCut
    }

    /// The next message; `None` when there will be none any more.
    pub(crate) fn receive<T>(&self, messages: &Receiver<T>) -> Result<Option<T>, PowerCut> {
        select! {
            recv(messages) -> message => Ok(message.ok()),
            recv(self.0) -> _ => Err(PowerCut),
        }
    }

    /// For a `select!` of one's own: it becomes ready when the power is cut, never before.
    pub(crate) const fn cut(&self) -> &Receiver<Infallible> {
        &self.0
    }
}
