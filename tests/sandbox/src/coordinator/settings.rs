//! How one coordinator differs from another.

use std::time::Duration;

use crate::journal::Journal;

/// Everything but the name and the journal has a default: a current GitLab as installed.
#[derive(Clone, Debug)]
pub struct CoordinatorSettings {
    /// How the journal calls it.
    pub name: String,
    pub journal: Journal,
    /// `/gitlab` for one that lives at `https://host/gitlab`.
    pub relative_url: Option<String>,
    pub era: Era,
    /// How long a request that hands in an unchanged `last_update` is held. Off as installed.
    pub long_poll: Option<Duration>,
    /// Whether a running job may become `canceling`: `None` as the runner announced it.
    pub cancel_gracefully: Option<bool>,
    /// Two-phase job commit, and how long a job waits for its acknowledgement. Off as installed,
    /// 2 minutes where it is on.
    pub two_phase: Option<Duration>,
    /// So many looks at a job (`GET /job`) after its grant find a replica that lags behind: 401.
    pub lagging_looks: usize,
    /// So many 202 for a final update with a checksum: the log is still being stored.
    pub storing_answers: usize,
    /// A log that grows beyond this fails its job.
    pub trace_limit: u64,
    /// A job without a log answers 404 to users instead of an empty log, as older versions did.
    pub missing_trace_is_404: bool,
    /// 30 or 60, or 3 while somebody watches the log in a browser.
    pub trace_update_interval: Duration,
    pub deadlines: Deadlines,
    pub first_job_id: u64,
    /// Job tokens are JWTs of so many bytes; newer versions give out such of 1.5 KiB.
    pub job_token_bytes: Option<usize>,
    /// Whether the instance's configuration has the dependency proxy.
    pub dependency_proxy: bool,
    /// Registration tokens are refused as gone unless there is one.
    pub registration_token: Option<String>,
    /// Nobody polls faster than this on purpose: a job request that comes sooner after one whose
    /// answer was lost is a blind retry.
    pub shortest_rhythm: Duration,
}

/// Which texts and headers an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `Job is not running`, no `Job-Status` with a 200, plain text `200` for a verified runner,
    /// and the job's token is wanted in the body.
    Before17,
    Current,
}

/// When the coordinator gives up on a job.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// A running or canceling job without news.
    pub stuck: Duration,
    /// Added to a running job's own timeout.
    pub overtime: Duration,
    /// News count only when the last that counted is older.
    pub touch_after: Duration,
}

impl CoordinatorSettings {
    #[must_use]
    pub fn new(name: impl Into<String>, journal: Journal) -> Self {
        Self {
            name: name.into(),
            journal,
            relative_url: None,
            era: Era::Current,
            long_poll: None,
            cancel_gracefully: None,
            two_phase: None,
            lagging_looks: 0,
            storing_answers: 0,
            trace_limit: 100 << 20,
            missing_trace_is_404: false,
            trace_update_interval: Duration::from_secs(60),
            deadlines: Deadlines::default(),
            // GitLab.com is beyond 32 bits.
            first_job_id: (1 << 33) + 1,
            job_token_bytes: None,
            dependency_proxy: true,
            registration_token: None,
            shortest_rhythm: Duration::from_millis(50),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            stuck: Duration::from_secs(3600),
            overtime: Duration::from_secs(15 * 60),
            touch_after: Duration::from_secs(15 * 60),
        }
    }
}
