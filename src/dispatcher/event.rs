//! Everything that the main loop is told.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::executor::Found;
use crate::job::Job;
use crate::names::JobKey;
use crate::payload::Payload;
use crate::quota::Reservation;
use crate::runner::Runner;
use crate::weight::Weight;

pub enum Event {
    /// The quota's reference was weighed; an error is one of the configuration.
    QuotaLimit(Result<Weight, String>),
    Granted {
        runner: Arc<Runner>,
        payload: Box<Payload>,
        reservation: Reservation,
    },
    /// How a job stands. `saved` is dropped when that is on disk, or can't be written.
    Job {
        key: JobKey,
        job: Box<Job>,
        saved: Option<Sender<Infallible>>,
    },
    /// A job's thread has ended: nothing of the job is left, or the service stops, or it panicked.
    WorkerDone { key: JobKey, is_finished: bool },
    /// Machines of a runner's jobs, tracked or not.
    Found {
        runner: Arc<Runner>,
        found: Vec<Found>,
    },
    /// A poller has done its last cycle.
    PollerDone,
}

/// What kind of event it is, never its content, which holds secrets.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuotaLimit(_) => f.write_str("QuotaLimit"),
            Self::Granted { payload, .. } => write!(f, "Granted({})", payload.credentials.id),
            Self::Job { key, .. } => write!(f, "Job({})", key.id),
            Self::WorkerDone { key, is_finished } => {
                write!(f, "WorkerDone({}, is_finished: {is_finished})", key.id)
            }
            Self::Found { found, .. } => write!(f, "Found({} machines)", found.len()),
            Self::PollerDone => f.write_str("PollerDone"),
        }
    }
}
