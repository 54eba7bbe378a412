//! How long a job's machine may be there, whatever is said or not said of the job.
//!
//! Nothing may run for ever. But a deletion can't be undone, and the computer's clock may be wrong: at a boot it
//! may show any year. So the end is counted by a clock that can't be set, as long as the process lives. What
//! the state file says of it was counted by one that can: when that end is reached the coordinator is asked how
//! long the job has been running, and if it can't say, the whole time is counted anew.

use std::time::{Duration, Instant};

use crate::clock::Timestamp;

/// Until the coordinator is asked again that could not say.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// From the grant.
    most: Duration,
    /// When it is reached, by a clock that can't be set.
    end: Instant,
    /// When it is reached by the computer's clock, if that was the only one at first.
    doubtful_end: Option<Instant>,
}

impl Age {
    /// Of a job that was granted just now.
    #[must_use]
    pub fn at_most(most: Duration) -> Self {
        Self {
            most,
            end: Instant::now() + most,
            doubtful_end: None,
        }
    }

    /// As the state file says it; at most so long in all.
    #[must_use]
    pub fn restored(most: Duration, end: Timestamp) -> Self {
        let now = Instant::now();
        Self {
            most,
            end: now + most,
            // A clock that is behind makes it no longer.
            doubtful_end: Some(end.moment().min(now + most)),
        }
    }

    #[must_use]
    pub const fn most(&self) -> Duration {
        self.most
    }

    /// By the computer's clock, for the state file.
    #[must_use]
    pub fn end_by_clock(&self) -> Timestamp {
        Timestamp::of(self.next_check())
    }

    /// From now on it may be so long at most.
    pub fn cap(&mut self, longest: Duration) {
        let now = Instant::now();
        let rest = self.end.saturating_duration_since(now);
        if longest < rest {
            self.most = self.most.saturating_sub(rest) + longest;
            self.end = now + longest;
        }
    }

    /// When [`Age::is_reached`] may become true.
    #[must_use]
    pub fn next_check(&self) -> Instant {
        self.doubtful_end.map_or(self.end, |end| end.min(self.end))
    }

    /// Whether it is over. `running` asks the coordinator how long the job has been running.
    pub fn is_reached(&mut self, running: impl FnOnce() -> Option<Duration>) -> bool {
        let now = Instant::now();
        if now >= self.end {
            return true;
        }
        if self.doubtful_end.is_none_or(|end| now < end) {
            return false;
        }
        let Some(elapsed) = running() else {
            self.doubtful_end = Some(now + AGAIN);
            return false;
        };
        self.doubtful_end = None;
        let rest = self.most.saturating_sub(elapsed);
        self.end = now + rest;
        rest.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Age;
    use crate::clock::Timestamp;

    const HOUR: Duration = Duration::from_secs(3600);

    fn never_asked() -> Option<Duration> {
        panic!("nobody need be asked")
    }

    fn rest(age: &Age) -> Duration {
        age.next_check().saturating_duration_since(Instant::now())
    }

    fn is_about(time: Duration, expected: Duration) -> bool {
        time <= expected && time + Duration::from_secs(5) > expected
    }

    #[test]
    fn what_was_counted_since_the_grant_needs_no_other_word() {
        let mut age = Age::at_most(HOUR);
        assert!(!age.is_reached(never_asked) && is_about(rest(&age), HOUR));
        assert!(Age::at_most(Duration::ZERO).is_reached(never_asked));
    }

    #[test]
    fn a_cap_counts_from_when_it_is_set_and_makes_nothing_longer() {
        let mut age = Age::at_most(3 * HOUR);
        age.cap(4 * HOUR);
        assert_eq!(age.most(), 3 * HOUR);
        age.cap(HOUR);
        assert!(is_about(rest(&age), HOUR) && age.most() <= HOUR + Duration::from_secs(1));
    }

    #[test]
    fn an_end_that_a_clock_calls_past_is_believed_only_if_the_coordinator_says_so() {
        let long_ago = Timestamp::of_milliseconds(1);
        let mut age = Age::restored(2 * HOUR, long_ago);
        assert!(!age.is_reached(|| None), "nobody can say");
        assert!(!age.is_reached(never_asked), "not again at once");

        let mut age = Age::restored(2 * HOUR, long_ago);
        assert!(!age.is_reached(|| Some(HOUR / 2)));
        assert!(is_about(rest(&age), HOUR * 3 / 2));
        assert!(!age.is_reached(never_asked));

        let mut age = Age::restored(2 * HOUR, long_ago);
        assert!(age.is_reached(|| Some(2 * HOUR)));
    }

    #[test]
    fn a_clock_that_was_behind_makes_it_no_longer_than_the_whole() {
        let far = Timestamp::of(Instant::now() + 1000 * HOUR);
        assert!(is_about(rest(&Age::restored(2 * HOUR, far)), 2 * HOUR));
        let soon = Timestamp::of(Instant::now() + HOUR);
        assert!(is_about(rest(&Age::restored(2 * HOUR, soon)), HOUR));
    }
}
