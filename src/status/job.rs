//! One job, as it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job;
use crate::state::Tracked;

/// How far it has come, in words of its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It waits for room.
    Held,
    /// Until its machine has what it has to do.
    Launching,
    /// Until it was seen running.
    Booting,
    Running,
    /// It is over, and its machine may still be there.
    Deleting,
    /// Nothing is left but to tell its coordinator that it failed.
    Telling,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobReport {
    pub id: u64,
    /// The name of its runner's section, or else what tells its runner from others.
    pub runner: String,
    pub project: Option<String>,
    pub user: Option<String>,
    pub flavor: Option<String>,
    pub phase: Phase,
    /// When that phase began, and the job.
    pub since: Option<Timestamp>,
    pub granted: Option<Timestamp>,
    pub machine: String,
    pub machine_created: Option<Timestamp>,
    /// It may cost money.
    pub machine_may_exist: bool,
    pub weight: f64,
    /// How it has ended.
    pub result: Option<String>,
    /// A failure that its coordinator has not been told yet.
    pub has_untold_failure: bool,
    pub trouble: Option<String>,
}

impl Phase {
    /// In their order.
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::Launching,
        Self::Booting,
        Self::Running,
        Self::Deleting,
        Self::Telling,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::Launching => "launching",
            Self::Booting => "booting",
            Self::Running => "running",
            Self::Deleting => "deleting",
            Self::Telling => "telling",
        })
    }
}

impl JobReport {
    /// One whose runner is not in the configuration.
    pub(super) fn of_abandoned(tracked: &Tracked) -> Self {
        let why = "its runner is not in the configuration: nobody looks after it, and its machine is left as \
                   it is";
        Self {
            trouble: Some(why.to_owned()),
            ..Self::of(tracked)
        }
    }

    pub(super) fn of(tracked: &Tracked) -> Self {
        let job = &tracked.job;
        let (summary, history) = (&job.summary, job.machine.history);
        let machine_may_exist = job.machine.may_exist();
        let (phase, since) = match &job.phase {
            job::Phase::Held(_) => (Phase::Held, summary.granted),
            job::Phase::Pending(_) => match history.handed_over {
                None => (Phase::Launching, summary.granted),
                since => (Phase::Booting, since),
            },
            job::Phase::Launched => (Phase::Running, history.seen_running),
            job::Phase::Ended { .. } if machine_may_exist => (Phase::Deleting, summary.ended),
            job::Phase::Ended { .. } => (Phase::Telling, history.gone.or(summary.ended)),
        };
        let section = tracked.section.as_ref();
        Self {
            id: job.credentials.id.0,
            runner: section.unwrap_or(&tracked.runner.unique).clone(),
            project: summary.project.clone(),
            user: summary.user.clone(),
            flavor: job.subject("").flavor,
            phase,
            since,
            granted: summary.granted,
            machine: job.machine.name.to_string(),
            machine_created: history.created,
            machine_may_exist,
            weight: tracked.weight.as_f64(),
            result: summary.result.clone(),
            has_untold_failure: matches!(job.phase, job::Phase::Ended { untold: Some(_) }),
            trouble: job.trouble.clone(),
        }
    }
}
