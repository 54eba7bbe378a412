//! The computer's clock: for people, and for what must survive a restart.
//!
//! What this program decides while it runs it decides by [`Instant`], which can't be set. A
//! [`Timestamp`] can be wrong by as much as the clock is.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

/// Longer than any machine lives: a timestamp that is farther away comes from a clock that was wrong.
const FARTHEST: Duration = Duration::from_secs(400 * 24 * 3600);

impl Timestamp {
    #[must_use]
    pub fn now() -> Self {
        Self(since_1970().as_secs())
    }

    /// What the clock will show at `moment`; now, if that is over.
    #[must_use]
    pub fn of(moment: Instant) -> Self {
        let rest = moment.saturating_duration_since(Instant::now());
        Self((since_1970() + rest).as_secs())
    }

    /// When the clock shows this; now, if it has shown it already.
    #[must_use]
    pub fn moment(self) -> Instant {
        let rest = Duration::from_secs(self.0).saturating_sub(since_1970());
        Instant::now() + rest.min(FARTHEST)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A clock that was never set may be before all that can be written.
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FARTHEST, Timestamp};

    #[test]
    fn a_moment_survives_a_restart_and_none_is_farther_away_than_machines_live() {
        let in_an_hour = Instant::now() + Duration::from_secs(3600);
        let again = Timestamp::of(in_an_hour).moment();
        let off = again.max(in_an_hour) - again.min(in_an_hour);
        assert!(off <= Duration::from_secs(2), "{off:?}");
        assert!(Timestamp(0).moment() <= Instant::now());
        assert!(Timestamp(u64::MAX).moment() <= Instant::now() + FARTHEST);
    }
}
