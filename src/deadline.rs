//! How long something is waited for, and whether it is still wanted.
//!
//! Work that another thread, a program or a service does for a job ends at a fixed moment, and
//! sooner when the job is not wanted any more. A [`Deadline`] is handed down through all steps of
//! such work, so that they share one patience. What is done about it is for the caller to know.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

/// Between two questions whether it is still wanted.
const TICK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
pub struct Deadline<'a> {
    at: Instant,
    limit: Duration,
    is_wanted: &'a dyn Fn() -> bool,
}

/// Why a wait had no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// It took longer than this in all.
    TooLong(Duration),
    /// It was not wanted any more.
    GivenUp,
}

impl<'a> Deadline<'a> {
    /// Begins now. `is_wanted` is asked every second of waiting.
    #[must_use]
    pub fn new(limit: Duration, is_wanted: &'a dyn Fn() -> bool) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
            is_wanted,
        }
    }

    /// For what is wanted to its end.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        Self::new(limit, &|| true)
    }

    #[must_use]
    pub fn rest(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Waits for what arrives next; none, when nothing can arrive any more.
    ///
    /// # Errors
    /// [`Early`].
    pub fn await_next<T>(&self, arrivals: &Receiver<T>) -> Result<Option<T>, Early> {
        loop {
            let rest = self.rest();
            if rest.is_zero() {
                return Err(Early::TooLong(self.limit));
            }
            match arrivals.recv_timeout(rest.min(TICK)) {
                Ok(arrived) => return Ok(Some(arrived)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if (self.is_wanted)() => {}
                Err(RecvTimeoutError::Timeout) => return Err(Early::GivenUp),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossbeam_channel::bounded;

    use super::{Deadline, Early};

    #[test]
    fn a_wait_ends_with_what_arrives_or_with_the_reason_why_nothing_did() {
        let (sender, arrivals) = bounded(1);
        let long = Deadline::within(Duration::from_secs(60));
        sender.send(7).unwrap();
        assert_eq!(long.await_next(&arrivals), Ok(Some(7)));
        let unwanted = Deadline::new(Duration::from_secs(60), &|| false);
        assert_eq!(unwanted.await_next(&arrivals), Err(Early::GivenUp));
        let over = Deadline::within(Duration::ZERO);
        let too_long = Err(Early::TooLong(Duration::ZERO));
        assert_eq!(over.await_next(&arrivals), too_long);
        drop(sender);
        assert_eq!(long.await_next(&arrivals), Ok(None));
    }
}
