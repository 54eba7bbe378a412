//! A value that is fetched from a service now and then: the old one is better than none when it can't be
//! renewed, and a service in trouble is left in peace for a while.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::thread::lock;

/// A fetched value with its age.
pub(super) struct Kept<T> {
    /// After so long it is renewed.
    renewed_after: Duration,
    /// After a failure the service is left in peace for so long.
    again_after: Duration,
    value: Mutex<Option<Fetched<T>>>,
    /// Why it could not be fetched of late. Held by the thread that fetches.
    failed: Mutex<Option<(String, Instant)>>,
}

#[derive(Clone)]
struct Fetched<T> {
    value: T,
    since: Instant,
    /// Clever Cloud refused a creation that was made with it.
    was_refused: bool,
}

impl<T: Clone> Kept<T> {
    pub const fn empty(renewed_after: Duration, again_after: Duration) -> Self {
        Self {
            renewed_after,
            again_after,
            value: Mutex::new(None),
            failed: Mutex::new(None),
        }
    }

    /// The kept value while it is young, else a new one; an old one when no new one can be had.
    /// Threads that have nothing wait for the one that fetches.
    pub fn get(&self, fetch: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        if let Some(young) = self.young() {
            return Ok(young);
        }
        let mut failed = lock(&self.failed);
        if let Some(young) = self.young() {
            return Ok(young);
        }
        let recently = failed
            .as_ref()
            .filter(|(_, at)| at.elapsed() < self.again_after);
        let why = match recently.map(|(why, _)| why.clone()) {
            Some(why) => why,
            None => match fetch() {
                Ok(value) => {
                    *failed = None;
                    self.keep(value.clone());
                    return Ok(value);
                }
                Err(why) => {
                    *failed = Some((why.clone(), Instant::now()));
                    why
                }
            },
        };
        self.accepted().map(|kept| kept.value).ok_or(why)
    }

    fn keep(&self, value: T) {
        *self.lock() = Some(Fetched {
            value,
            since: Instant::now(),
            was_refused: false,
        });
    }

    fn young(&self) -> Option<T> {
        let kept = self.accepted()?;
        (kept.since.elapsed() < self.renewed_after).then_some(kept.value)
    }

    fn accepted(&self) -> Option<Fetched<T>> {
        self.lock().clone().filter(|kept| !kept.was_refused)
    }

    pub fn known(&self) -> Option<T> {
        self.lock().as_ref().map(|kept| kept.value.clone())
    }

    pub fn forget(&self) {
        if let Some(kept) = self.lock().as_mut() {
            kept.was_refused = true;
        }
        *lock(&self.failed) = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fetched<T>>> {
        lock(&self.value)
    }
}
