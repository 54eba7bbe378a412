//! Everything that the main loop is told.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;

use super::quota_limit::Reference;
use crate::executor::Found;
use crate::job::Job;
use crate::names::JobKey;
use crate::quota::Reservation;
use crate::runner::Runner;
use crate::status::Ended;
use crate::thread::Idle;
use crate::weight::Weight;

pub enum Event {
    /// The quota's reference was weighed.
    QuotaLimit(Reference, Weight),
    /// It could not be, for this reason.
    QuotaTrouble(Reference, String),
    Granted {
        runner: Arc<Runner>,
        job: Box<Job>,
        reservation: Reservation,
        /// For it, if it should be new.
        worker: Option<Idle>,
    },
    /// How a job stands. `saved` is dropped when that is on disk, or can't be written.
    Job {
        key: JobKey,
        job: Box<Job>,
        weight: Weight,
        saved: Option<Sender<Infallible>>,
    },
    /// A job's thread has ended: nothing of the job is left, or the service stops, or it panicked.
    WorkerDone {
        key: JobKey,
        is_finished: bool,
        /// For the ledger and the page, of a job that was granted to this program.
        ended: Option<Box<Ended>>,
    },
    /// Machines of a runner's jobs, tracked or not. Those without a job are handed back, as far as
    /// they are ours to judge.
    Found {
        runner: Arc<Runner>,
        found: Vec<Found>,
        without_job: Sender<Vec<Found>>,
    },
    /// One of these, whose job is over.
    Orphan {
        runner: Arc<Runner>,
        found: Box<Found>,
    },
    /// These top-level groups have no machine, as a search shows that began at this moment.
    Empty {
        groups: BTreeSet<String>,
        began: Instant,
    },
    /// A poller has done its last cycle.
    PollerDone,
}

/// What kind of event it is, never its content, which holds secrets.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuotaLimit(..) => f.write_str("QuotaLimit"),
            Self::QuotaTrouble(..) => f.write_str("QuotaTrouble"),
            Self::Granted { job, .. } => write!(f, "Granted({})", job.credentials.id),
            Self::Job { key, .. } => write!(f, "Job({})", key.id),
            Self::WorkerDone {
                key, is_finished, ..
            } => {
                write!(f, "WorkerDone({}, is_finished: {is_finished})", key.id)
            }
            Self::Found { found, .. } => write!(f, "Found({} machines)", found.len()),
            Self::Orphan { found, .. } => write!(f, "Orphan({})", found.job),
            Self::Empty { groups, .. } => write!(f, "Empty({} groups)", groups.len()),
            Self::PollerDone => f.write_str("PollerDone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossbeam_channel::bounded;

    use super::Event;
    use crate::job::Job;
    use crate::names::{JobKey, RunnerName};
    use crate::payload::Payload;
    use crate::secret::Secret;
    use crate::state::{State, Tracked};
    use crate::weight::Weight;

    #[test]
    fn nothing_that_goes_around_in_the_program_prints_a_secret() {
        let text = r#"{"id": 7, "token": "s3same-job", "variables": [
            {"key": "CI_CLEVER_CLOUD_FLAVOR", "value": "s3same-variable"}]}"#;
        let payload = Payload::parse(text.as_bytes()).unwrap();
        let runner = RunnerName::of(&Secret::new("glrt-names-it-s3same"), "https://x", &[]);
        let job = Job::granted(&runner, payload.clone(), Duration::ZERO);
        let file = format!(
            r#"{{"launched": [{{"runner_name": "x", "job_id": 7, "token": "s3same-handle",
                "paas_resource": {{"id": "a", "paas_token": "s3same-resource"}}}}],
                "pending": [[{{"runner_name": "x", "job_id": 8, "token": "s3same-handle"}}, {text}]],
                "standby_resources": [{{"paas_token": "s3same-standby"}}]}}"#
        );
        let state = State::parse(file.as_bytes()).unwrap();
        let credentials = &payload.credentials;
        let key = JobKey::of(&runner, credentials.id, &credentials.token);
        let (saved, _) = bounded(0);
        let event = Event::Job {
            key,
            job: Box::new(job.clone()),
            weight: Weight::ONE,
            saved: Some(saved),
        };
        let tracked = Tracked {
            runner: RunnerName {
                unique: "x".to_owned(),
                python: "x".to_owned(),
            },
            section: None,
            weight: Weight::ONE,
            job: job.clone(),
        };
        for (what, printed) in [
            ("payload", format!("{payload:?}")),
            ("job", format!("{:?}", (job.credentials, job.phase))),
            ("tracked job", format!("{tracked:?}")),
            ("event", format!("{event:?}")),
            ("state", format!("{state:?}")),
        ] {
            assert!(!printed.contains("s3same"), "{what}: {printed}");
        }
    }
}
