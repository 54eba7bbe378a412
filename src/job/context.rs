//! What a job's life needs of the world around it, and keeps in mind of it.

use std::time::Duration;

use super::Job;
use super::hearing::Hearing;
use crate::config::TraceWatch;
use crate::coordinator::Coordinator;
use crate::executor::Executor;
use crate::quota::Reservation;
use crate::shutdown::Stop;
use crate::spacing::LaunchSpacing;

pub struct JobContext<'a> {
    pub coordinator: &'a Coordinator,
    pub executor: &'a dyn Executor,
    pub trace_watch: &'a TraceWatch,
    pub spacing: &'a LaunchSpacing,
    pub policy: Policy,
    pub purse: &'a dyn Purse,
    pub stop: &'a Stop,
    pub report: &'a dyn Report,
    pub admission: &'a Reservation,
    pub hearing: Hearing,
}

/// What the operator wants of every job.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The pause between two looks whether a running job has ended.
    pub progress_interval: Duration,
    /// For how much of its timeout a job may wait for room.
    pub hold_at_most: f64,
    /// From its launch, whatever its own timeout allows.
    pub longest_job: Option<Duration>,
    pub keep_finished: bool,
    pub decommission_launch_failures: bool,
}

impl Policy {
    /// Whether there may be machines without a job on purpose.
    #[must_use]
    pub const fn keeps_machines(&self) -> bool {
        self.keep_finished || !self.decommission_launch_failures
    }
}

/// Knows what groups have spent.
pub trait Purse {
    /// What this group's jobs have cost this month, when that is as much as `budget`.
    fn has_spent(&self, group: &str, budget: f64) -> Option<f64>;
}

/// Tells how a job stands.
pub trait Report {
    /// It may reach the disk a moment late.
    fn note(&self, job: &Job);

    /// Returns when that is on disk, or can't be written: what comes next must not be forgotten.
    fn write_down(&self, job: &Job);

    /// It takes so long until the job runs that others should not have to wait for it.
    fn slow(&self);
}
