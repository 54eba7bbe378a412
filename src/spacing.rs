//! Spaces launches: many machines asked for at the same moment overload a provisioning system.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::shutdown::{Stop, Stopped};

/// Lets launches begin at least `spacing` apart, counted from one planned start to the next.
pub struct LaunchSpacing {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl LaunchSpacing {
    #[must_use]
    pub const fn new(spacing: Duration) -> Self {
        Self {
            spacing,
            next: Mutex::new(None),
        }
    }

    /// Waits until the next launch may begin; true when there was something to wait for.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn wait(&self, stop: &Stop) -> Result<bool, Stopped> {
        let delay = self.plan(Instant::now());
        if delay.is_zero() {
            return Ok(false);
        }
        log::info!("launching in {delay:.1?}, after those before it");
        stop.wait(delay)?;
        Ok(true)
    }

    /// How long after `now` the next launch begins.
    fn plan(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = next.map_or(now, |next| next.max(now));
        *next = Some(start + self.spacing);
        start - now
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::LaunchSpacing;

    #[test]
    fn launches_are_spaced_by_planned_start() {
        let seconds = Duration::from_secs;
        let spacing = LaunchSpacing::new(seconds(5));
        let now = Instant::now();
        assert_eq!(spacing.plan(now), seconds(0));
        assert_eq!(spacing.plan(now), seconds(5));
        assert_eq!(spacing.plan(now + seconds(1)), seconds(9));
        assert_eq!(spacing.plan(now + seconds(60)), seconds(0));
    }
}
