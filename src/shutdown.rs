//! The wish to stop, as a thing that wakes every sleeper at once.
//!
//! A [`Stop`] is the receiving end of a channel on which nothing is ever sent. When the
//! [`Stopper`] is dropped the channel disconnects, and every [`Stop::wait`] in every thread
//! returns [`Stopped`] in the same moment. There is no flag to poll and no sleep that can't be cut.

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select};

/// The service goes on as long as this lives; dropping it stops all waiting.
pub struct Stopper {
    _open: Sender<Infallible>,
}

/// Asked at every wait. Cloning is cheap; all clones stop together.
#[derive(Clone)]
pub struct Stop(Receiver<Infallible>);

/// The service is stopping: leave things as they are, the next start goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

#[must_use]
pub fn channel() -> (Stopper, Stop) {
    let (open, closed) = bounded(0);
    (Stopper { _open: open }, Stop(closed))
}

impl Stop {
    /// Sleeps for `duration`, or until the service stops.
    ///
    /// # Errors
    /// [`Stopped`], at once, when the service is stopping.
    pub fn wait(&self, duration: Duration) -> Result<(), Stopped> {
        match self.0.recv_timeout(duration) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }

    /// As [`Stop::wait`], but something that arrives at `wake` ends the wait, too, and is handed
    /// back.
    ///
    /// # Errors
    /// [`Stopped`], at once, when the service is stopping.
    pub fn wait_or<T>(&self, wake: &Receiver<T>, duration: Duration) -> Result<Option<T>, Stopped> {
        select! {
            recv(self.0) -> never => match never {
                Ok(never) => match never {},
                Err(_) => Err(Stopped),
            },
            recv(wake) -> arrived => Ok(arrived.ok()),
            default(duration) => Ok(None),
        }
    }

    /// Waits until something arrives, however long that takes.
    ///
    /// # Errors
    /// [`Stopped`], at once, when the service is stopping.
    pub fn wait_for<T>(&self, arrivals: &Receiver<T>) -> Result<T, Stopped> {
        self.check()?;
        select! {
            recv(self.0) -> never => match never {
                Ok(never) => match never {},
                Err(_) => Err(Stopped),
            },
            // Nothing can arrive any more: that is an end, too.
            recv(arrivals) -> arrived => arrived.map_err(|_| Stopped),
        }
    }

    /// # Errors
    /// [`Stopped`] when the service is stopping.
    pub fn check(&self) -> Result<(), Stopped> {
        match self.0.try_recv() {
            Ok(never) => match never {},
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => Err(Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::{Stopped, channel};

    #[test]
    fn every_waiting_thread_wakes_when_the_stopper_is_dropped() {
        let (stopper, stop) = channel();
        assert_eq!(stop.check(), Ok(()));
        assert_eq!(stop.wait(Duration::from_millis(1)), Ok(()));
        let sleepers: Vec<_> = (0..3)
            .map(|_| stop.clone())
            .map(|stop| thread::spawn(move || stop.wait(Duration::from_secs(3600))))
            .collect();
        drop(stopper);
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), Err(Stopped));
        }
        assert_eq!(stop.check(), Err(Stopped));
    }
}
