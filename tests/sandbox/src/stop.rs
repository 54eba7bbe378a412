//! Waits that end at once when their part of the world is taken down.
//!
//! A [`StopOwner`] is dropped to stop; every [`Stop`] made from it then wakes. No thread of the
//! sandbox sleeps in any other way.

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

/// Dropping it is the stop.
#[derive(Debug)]
pub struct StopOwner {
    _sender: Sender<Infallible>,
    receiver: Receiver<Infallible>,
}

/// Cheap to clone, one for every thread that waits.
#[derive(Clone, Debug)]
pub struct Stop(Receiver<Infallible>);

/// What every interrupted wait ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl StopOwner {
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = bounded(0);
        Self {
            _sender: sender,
            receiver,
        }
    }

    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop(self.receiver.clone())
    }
}

impl Default for StopOwner {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Waits for `duration`.
    ///
    /// # Errors
    /// [`Stopped`] as soon as the owner is gone.
    pub fn wait(&self, duration: Duration) -> Result<(), Stopped> {
        match self.0.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Stopped),
            Ok(never) => match never {},
        }
    }

    /// Waits for the stop.
    pub fn wait_for_it(&self) {
        let Err(_) = self.0.recv();
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.0.try_recv(), Err(TryRecvError::Disconnected))
    }

    /// For a `select!`: never delivers anything, disconnects at the stop.
    #[must_use]
    pub const fn channel(&self) -> &Receiver<Infallible> {
        &self.0
    }
}
