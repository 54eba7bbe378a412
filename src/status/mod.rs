//! How everything stands at one moment, as plain data, to be shown in any form.
//!
//! A [`Snapshot`] is taken from what the main thread tracks, or from the state file; nothing here
//! knows how it came to be, and no secret is in it.

mod log;

pub use self::log::{log_statistics, log_tracked};
use crate::executor::{Expiry, History};
use crate::job::Phase;
use crate::names::JobId;
use crate::quota;
use crate::state::Tracked;
use crate::weight::Weight;

pub struct Snapshot {
    pub jobs: Vec<JobSnapshot>,
    pub quota: quota::Snapshot,
    /// What ends when, as far as it was told; each with the name of the runner that needs it.
    pub expiries: Vec<(String, Expiry)>,
}

pub struct JobSnapshot {
    pub id: JobId,
    /// The name of its runner's section, or else what tells its runner from others.
    pub runner: String,
    /// As the state file calls it.
    pub phase: &'static str,
    pub weight: Weight,
    pub flavor: Option<String>,
    pub machine: String,
    pub machine_may_exist: bool,
    pub history: History,
    /// A failure that its coordinator has not been told yet.
    pub has_untold_failure: bool,
}

impl Snapshot {
    pub fn of<'a>(
        tracked: impl Iterator<Item = &'a Tracked>,
        quota: quota::Snapshot,
        expiries: impl Iterator<Item = (String, Expiry)>,
    ) -> Self {
        Self {
            jobs: tracked.map(JobSnapshot::of).collect(),
            quota,
            expiries: expiries.collect(),
        }
    }
}

impl JobSnapshot {
    fn of(tracked: &Tracked) -> Self {
        let job = &tracked.job;
        let (phase, has_untold_failure) = match &job.phase {
            Phase::Held(_) => ("held", false),
            Phase::Pending(_) => ("pending", false),
            Phase::Launched => ("launched", false),
            Phase::Ended { untold } => ("to_decommission", untold.is_some()),
        };
        let section = tracked.section.as_ref();
        Self {
            id: job.credentials.id,
            runner: section.unwrap_or(&tracked.runner.unique).clone(),
            phase,
            weight: tracked.weight,
            flavor: job.machine.flavor.clone(),
            machine: job.machine.name.to_string(),
            machine_may_exist: job.machine.may_exist(),
            history: job.machine.history,
            has_untold_failure,
        }
    }
}
