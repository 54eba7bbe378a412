//! What a runner does at the moment, and if it doesn't ask for jobs, why: for whoever wants to know why a
//! job waits. Its poller says so; nobody decides by it.

use std::mem::discriminant;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::thread::lock;

/// Without a job for so long, there may be a reason at the coordinator.
const LONG: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It has not asked yet.
    Begins,
    /// It asks, or will in a moment, and has no job to do.
    Asks,
    /// It may not ask now, for this reason.
    Waits(String),
    /// Jobs would fail, for this reason.
    CanNot(String),
    /// Its coordinator is in trouble, in these words.
    Fails(String),
}

impl Doing {
    /// Why it does not ask; empty, if it does.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Begins | Self::Asks => "",
            Self::Waits(why) | Self::CanNot(why) | Self::Fails(why) => why,
        }
    }
}

pub struct Standing(Mutex<Known>);

#[derive(Clone)]
struct Known {
    doing: Doing,
    since: Timestamp,
    last_job: Option<Timestamp>,
    begun: Timestamp,
}

/// A runner's standing at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    pub doing: Doing,
    pub since: Timestamp,
    /// When it was granted a job last, since the start or since its section was read again.
    pub last_job: Option<Timestamp>,
    /// It asks, and has been granted nothing for so long.
    pub idle: Option<Duration>,
}

impl Default for Standing {
    fn default() -> Self {
        let now = Timestamp::now();
        Self(Mutex::new(Known {
            doing: Doing::Begins,
            since: now,
            last_job: None,
            begun: now,
        }))
    }
}

impl Standing {
    /// From now on, or as before.
    pub fn is(&self, doing: Doing) {
        let mut known = lock(&self.0);
        if discriminant(&known.doing) != discriminant(&doing) {
            known.since = Timestamp::now();
        }
        known.doing = doing;
    }

    pub fn has_job(&self) {
        lock(&self.0).last_job = Some(Timestamp::now());
    }

    #[must_use]
    pub fn now(&self) -> Stand {
        let Known {
            doing,
            since,
            last_job,
            begun,
        } = lock(&self.0).clone();
        let idle = Timestamp::now().since(last_job.unwrap_or(begun));
        Stand {
            idle: (doing == Doing::Asks && idle >= LONG).then_some(idle),
            doing,
            since,
            last_job,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Doing, LONG, Standing};
    use crate::clock::Timestamp;
    use crate::thread::lock;

    #[test]
    fn trouble_of_the_same_kind_is_since_its_beginning_and_a_long_wait_for_a_job_is_told() {
        let standing = Standing::default();
        standing.is(Doing::Fails("no answer".to_owned()));
        let long_ago = Timestamp::now().minus(LONG);
        lock(&standing.0).since = long_ago;
        lock(&standing.0).begun = long_ago;
        standing.is(Doing::Fails("another answer".to_owned()));
        let stand = standing.now();
        assert_eq!(
            (stand.since, stand.doing),
            (long_ago, Doing::Fails("another answer".to_owned()))
        );
        assert_eq!(stand.idle, None, "it is not idle, it is in trouble");
        standing.is(Doing::Asks);
        assert!(standing.now().since > long_ago);
        assert!(standing.now().idle.is_some_and(|idle| idle >= LONG));
        standing.has_job();
        assert_eq!(standing.now().idle, None);
    }
}
