//! One job as the coordinator knows it, and what a test may see of it.

use std::fmt;
use std::time::Instant;

use serde_json::Value;

use super::spec::JobSpec;

pub type JobId = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    Pending,
    Running,
    Canceling,
    Canceled,
    Failed,
    Success,
}

/// One call that was made in the name of a job, with its token, in the order of their answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCall {
    pub at: Instant,
    pub action: Action,
    /// The answer.
    pub answered: u16,
    /// The job's status after it.
    pub job_status: JobStatus,
    /// The client's `User-Agent`: tells the inner runner from the service.
    pub client: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `PUT /jobs/:id`
    Update {
        state: String,
        failure_reason: Option<String>,
        exit_code: Option<i64>,
    },
    /// `PATCH /jobs/:id/trace`
    Append { start: u64, bytes: usize },
    /// `GET /job`
    Look,
}

/// A copy of what is known of a job at one moment.
#[derive(Clone, Debug)]
pub struct JobView {
    pub id: JobId,
    pub name: String,
    pub project: String,
    pub token: String,
    pub status: JobStatus,
    pub failure_reason: Option<String>,
    pub exit_code: Option<i64>,
    /// Byte by byte.
    pub trace: Vec<u8>,
    /// Which runner has it, and which of the machines that share its token.
    pub runner_token: Option<String>,
    pub system_id: Option<String>,
    pub queued: Instant,
    pub granted: Option<Instant>,
    pub first_log: Option<Instant>,
    pub finished: Option<Instant>,
    /// What the runner was given.
    pub payload: Option<Value>,
    /// The job that was made anew because nobody acknowledged this one.
    pub retried_as: Option<JobId>,
    pub calls: Vec<JobCall>,
}

pub(super) struct Job {
    pub view: JobView,
    pub spec: JobSpec,
    /// When news last counted.
    pub updated: Instant,
    /// Granted, but not acknowledged until then (two-phase commit).
    pub waits_until: Option<Instant>,
    /// The runner announced that it ends cancelled jobs itself.
    pub cancels_gracefully: bool,
    /// Its token died with its log.
    pub erased: bool,
    pub lagging_looks: usize,
    pub storing_answers: usize,
    /// How many jobs before this one nobody acknowledged.
    pub retries: usize,
    /// Who wrote to the log.
    pub writers: Vec<String>,
}

impl JobStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Success => "success",
        }
    }

    /// A runner may work on it.
    #[must_use]
    pub const fn is_executing(self) -> bool {
        matches!(self, Self::Running | Self::Canceling)
    }

    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Canceled | Self::Failed | Self::Success)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JobCall {
    /// A final state was reported, whatever was answered.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        matches!(&self.action, Action::Update { state, .. } if state == "success" || state == "failed")
    }
}

impl JobView {
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.trace).into_owned()
    }

    /// The final states that were reported, accepted or not.
    #[must_use]
    pub fn verdicts(&self) -> Vec<&JobCall> {
        self.calls.iter().filter(|call| call.is_verdict()).collect()
    }
}

impl Job {
    pub fn new(id: JobId, token: String, spec: JobSpec) -> Self {
        let now = Instant::now();
        Self {
            view: JobView {
                id,
                name: spec.name.clone(),
                project: spec.project.clone(),
                token,
                status: JobStatus::Pending,
                failure_reason: None,
                exit_code: None,
                trace: Vec::new(),
                runner_token: None,
                system_id: None,
                queued: now,
                granted: None,
                first_log: None,
                finished: None,
                payload: None,
                retried_as: None,
                calls: Vec::new(),
            },
            spec,
            updated: now,
            waits_until: None,
            cancels_gracefully: false,
            erased: false,
            lagging_looks: 0,
            storing_answers: 0,
            retries: 0,
            writers: Vec::new(),
        }
    }

    pub const fn is_waiting(&self) -> bool {
        matches!(self.view.status, JobStatus::Pending) && self.waits_until.is_some()
    }

    /// In the queue: nobody has it.
    pub const fn is_queued(&self) -> bool {
        matches!(self.view.status, JobStatus::Pending) && self.view.granted.is_none()
    }
}
