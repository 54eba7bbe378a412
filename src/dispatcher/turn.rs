//! A runner's turn at its coordinator, as a stop sees it: whether a request for a job is under way that must be
//! waited for, and for how long. What is asked and answered is not known here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::thread::lock;

/// How old a request for a job becomes while the service stops. Section 1.6 of the GitLab page says
/// that it should never be given up, for a job may be on its way; but GitLab itself ends what it
/// works on for a minute, so after that there is hardly an answer to come, and while a request is
/// held nothing is assigned yet. Waiting on would make service managers lose their patience.
const REQUEST_AT_STOP: Duration = Duration::from_secs(60);

/// A poller as a stop sees it, shared with the main thread: whether it asks, and since when. The
/// poller does not notice that it is not waited for any more: a grant that comes while the main
/// thread is still there is taken.
#[derive(Clone)]
pub struct Turn(Arc<Mutex<Waited>>);

struct Waited {
    /// The name of its section.
    runner: String,
    /// When the request under way was sent.
    since: Option<Instant>,
    /// Dropped when a stop need not wait (any longer).
    at_work: Option<Sender<Infallible>>,
}

impl Turn {
    #[must_use]
    pub fn new(runner: &str, at_work: Sender<Infallible>) -> Self {
        Self(Arc::new(Mutex::new(Waited {
            runner: runner.to_owned(),
            since: None,
            at_work: Some(at_work),
        })))
    }

    pub fn ask<T>(&self, request: impl FnOnce() -> T) -> T {
        lock(&self.0).since = Some(Instant::now());
        let answer = request();
        lock(&self.0).since = None;
        answer
    }

    pub fn is_over(&self) {
        lock(&self.0).at_work = None;
    }

    /// Whether its poller may still bring a job.
    pub fn is_waited_for(&self) -> bool {
        lock(&self.0).at_work.is_some()
    }

    /// Gives the request up if it has waited too long for a service that takes no more jobs; when it
    /// will have, if not.
    pub fn give_up_or_when(&self) -> Option<Instant> {
        let mut waited = lock(&self.0);
        waited.at_work.as_ref()?;
        let until = waited.since? + REQUEST_AT_STOP;
        if Instant::now() < until {
            return Some(until);
        }
        log::warn!(
            "runner {}: a request for a job has had no answer in {REQUEST_AT_STOP:.0?}; not waiting \
             for it",
            waited.runner
        );
        waited.at_work = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::{TryRecvError, bounded};

    use super::{REQUEST_AT_STOP, Turn};
    use crate::thread::lock;

    #[test]
    fn a_stop_waits_for_a_request_until_it_is_a_minute_old_and_not_for_one_that_is() {
        for (age, is_waited_for) in [
            (Duration::ZERO, true),
            (REQUEST_AT_STOP / 2, true),
            (REQUEST_AT_STOP, false),
            (REQUEST_AT_STOP * 2, false),
        ] {
            let (at_work, all_gone) = bounded(0);
            let turn = Turn::new("ci", at_work);
            assert_eq!(turn.give_up_or_when(), None, "it doesn't ask");
            turn.ask(|| {
                let since = Instant::now().checked_sub(age).unwrap();
                lock(&turn.0).since = Some(since);
                let when = turn.give_up_or_when();
                assert_eq!(when, is_waited_for.then(|| since + REQUEST_AT_STOP));
            });
            let waits = all_gone.try_recv() == Err(TryRecvError::Empty);
            assert_eq!(waits, is_waited_for, "{age:?}");
            assert_eq!(turn.give_up_or_when(), None, "it doesn't ask any more");
        }
    }
}
