//! A job as this program knows it: how to speak for it, how far it has come, and its machine.
//!
//! The job that a worker holds is the only truth about it; what others know of it is a copy that the
//! worker sent.

mod admission;
mod age;
pub mod context;
pub mod hearing;
pub mod life;
mod look_pace;
mod machine_watch;
mod summary;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use self::age::Age;
pub use self::summary::{Summary, Times, Told};
use crate::executor::Machine;
use crate::logger::Subject;
use crate::names::{MachineName, RunnerName};
use crate::payload::{FailureReason, JobCredentials, Payload};

/// A job that we answer for, from its grant until nothing of it is left.
#[derive(Clone, Debug)]
pub struct Job {
    pub credentials: JobCredentials,
    pub phase: Phase,
    /// After which its machine goes, whatever the job says.
    pub age: Age,
    /// How many bytes stood in its log before its machine could write to it.
    pub log_bytes: u64,
    pub machine: Machine,
    pub summary: Summary,
    /// What keeps its machine from being deleted, as of the last try.
    pub trouble: Option<String>,
}

/// How far a job has come. What happens in each phase is in [`life`].
#[derive(Clone, Debug)]
pub enum Phase {
    /// Granted, and waiting for room: nothing was done for it yet.
    Held(Arc<Payload>),
    /// It has room, and was not seen running yet. The payload is needed for as long.
    Pending(Arc<Payload>),
    /// Seen running.
    Launched,
    /// Over, as far as we go; its machine may still be there.
    Ended {
        /// A failure that its coordinator has not been told yet.
        untold: Option<Untold>,
    },
}

/// What its author and the coordinator are told of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// For the job's log; empty, once they are there.
    pub words: String,
    pub reason: FailureReason,
}

/// The coordinator ends a job 15 minutes after its timeout (GitLab page, section 11), which runs since
/// the grant; the inner runner's begins with the machine. After so much more nothing can be
/// gained.
const MARGIN: Duration = Duration::from_secs(30 * 60);

impl Job {
    /// A job that `runner` was granted just now, as if there were room for it. `max_age` is for jobs without a timeout of their own.
    #[must_use]
    pub fn granted(runner: &RunnerName, payload: Payload, max_age: Duration) -> Self {
        let name = MachineName::of(runner, payload.credentials.id);
        Self {
            age: Age::at_most(payload.timeout().map_or(max_age, |own| own + MARGIN)),
            credentials: payload.credentials.clone(),
            log_bytes: 0,
            machine: Machine::new(name, payload.tenant().map(str::to_owned)),
            summary: Summary::granted(&payload),
            trouble: None,
            phase: Phase::Pending(Arc::new(payload)),
        }
    }

    /// What it has to do, as long as that is of use.
    #[must_use]
    pub const fn payload(&self) -> Option<&Arc<Payload>> {
        match &self.phase {
            Phase::Held(payload) | Phase::Pending(payload) => Some(payload),
            Phase::Launched | Phase::Ended { .. } => None,
        }
    }

    /// What lines of the log about it tell, as one of this runner's.
    #[must_use]
    pub fn subject(&self, runner: &str) -> Subject {
        let asked = || self.payload()?.flavor();
        let flavor = self.machine.flavor.as_deref().or_else(asked);
        // Its author's own word can look like another part of the line.
        let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric());
        Subject {
            job: Some(self.credentials.id.0),
            project: self.summary.project.clone(),
            flavor: flavor.filter(is_word).map(str::to_owned),
            ..Subject::runner(runner)
        }
    }

    /// There is no room for it now.
    #[must_use]
    pub fn held(mut self) -> Self {
        if let Phase::Pending(payload) = self.phase {
            self.phase = Phase::Held(payload);
        }
        self
    }

    /// A job that `runner` was granted in a way that can't be used, because of `why`: what is left to
    /// do is to tell its author.
    #[must_use]
    pub fn unusable(runner: &RunnerName, credentials: JobCredentials, why: &str) -> Self {
        let words = format!(
            "This runner was given the job, but could not read what it has to do: {why}. Trying \
             again may help; if it doesn't, please tell the runner's administrator."
        );
        Self {
            age: Age::at_most(MARGIN),
            log_bytes: 0,
            machine: Machine::new(MachineName::of(runner, credentials.id), None),
            credentials,
            summary: Summary::default(),
            trouble: None,
            phase: Phase::Ended {
                untold: Some(Untold {
                    words,
                    reason: FailureReason::RunnerSystemFailure,
                }),
            },
        }
    }
}
