//! Spacing launches: many machines asked for at the same moment overload a provisioning system.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::shutdown::{Stop, Stopped};

/// Hands out turns, each at least `spacing` after the one before, by planned start.
pub struct Launches {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl Launches {
    #[must_use]
    pub const fn new(spacing: Duration) -> Self {
        Self {
            spacing,
            next: Mutex::new(None),
        }
    }

    /// Waits for the next free turn; true when there was something to wait for.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn await_turn(&self, stop: &Stop) -> Result<bool, Stopped> {
        let wait = self.take_turn(Instant::now());
        if wait.is_zero() {
            return Ok(false);
        }
        log::info!("launching in {wait:.1?}, after those before it");
        stop.wait(wait)?;
        Ok(true)
    }

    fn take_turn(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.spacing);
        turn - now
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Launches;

    #[test]
    fn turns_are_spaced_by_planned_start() {
        let seconds = Duration::from_secs;
        let launches = Launches::new(seconds(5));
        let now = Instant::now();
        assert_eq!(launches.take_turn(now), seconds(0));
        assert_eq!(launches.take_turn(now), seconds(5));
        assert_eq!(launches.take_turn(now + seconds(1)), seconds(9));
        assert_eq!(launches.take_turn(now + seconds(60)), seconds(0));
    }
}
