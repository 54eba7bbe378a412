//! How long to wait before trying again: doubling, bounded, and spread out so that many threads
//! that failed together do not come back together.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    #[must_use]
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            failures: 0,
        }
    }

    /// The pause after one more failure: `first` doubled for each failure before, at most `cap`,
    /// of which a random part between nothing and a quarter is left out.
    pub fn pause(&mut self) -> Duration {
        let full = self
            .first
            .saturating_mul(1 << self.failures.min(20))
            .min(self.cap);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(1.0 - 0.25 * random_fraction())
    }

    /// How often in a row it did not work.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// The standard library seeds its hashers at random, which is all the chance that spreading needs.
fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn pauses_double_up_to_the_cap_and_start_afresh_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        for full in [1, 2, 4, 5, 5] {
            let (pause, full) = (backoff.pause(), Duration::from_secs(full));
            assert!(pause <= full && pause >= full.mul_f64(0.75), "{pause:?}");
        }
        backoff.succeeded();
        assert!(backoff.pause() <= Duration::from_secs(1));
    }
}
