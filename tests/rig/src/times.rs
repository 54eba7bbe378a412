//! When what happened to a job, as the world's journal tells it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sandbox::coordinator::JobId;
use sandbox::{AppPhase, Entry, Kind};

/// What happens to a job and its machine, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Queued,
    Granted,
    /// Its application is there.
    Created,
    /// And the application's git repository.
    Prepared,
    Pushed,
    Booting,
    Running,
    /// The job is over.
    Finished,
    /// The deletion of its machine was asked for.
    Deleted,
    /// Its machine is not there any more.
    Gone,
}

/// The first time of each step, of any number of jobs.
#[derive(Default)]
pub struct Times(HashMap<(JobId, Step), Instant>);

impl Times {
    /// Remembers what an entry tells, and says it; none: it is not about a job's steps.
    pub fn hear(&mut self, entry: &Entry) -> Option<(JobId, Step)> {
        let told = told(entry)?;
        self.0.entry(told).or_insert(entry.at);
        Some(told)
    }

    #[must_use]
    pub fn has(&self, job: JobId, step: Step) -> bool {
        self.0.contains_key(&(job, step))
    }

    #[must_use]
    pub fn at(&self, job: JobId, step: Step) -> Option<Instant> {
        self.0.get(&(job, step)).copied()
    }

    /// None: one of both has not happened.
    #[must_use]
    pub fn between(&self, job: JobId, from: Step, to: Step) -> Option<Duration> {
        Some(self.at(job, to)?.duration_since(self.at(job, from)?))
    }

    #[must_use]
    pub fn is_running(&self, job: JobId) -> bool {
        self.has(job, Step::Running) && !self.has(job, Step::Finished)
    }

    /// The job is, and its machine is gone if it had one.
    #[must_use]
    pub fn is_over(&self, job: JobId) -> bool {
        let is_gone = !self.has(job, Step::Created) || self.has(job, Step::Gone);
        self.has(job, Step::Finished) && is_gone
    }
}

fn told(entry: &Entry) -> Option<(JobId, Step)> {
    match &entry.kind {
        Kind::JobStatus { job, status } => {
            let step = match status.as_str() {
                "pending" => Step::Queued,
                "running" => Step::Granted,
                _ => Step::Finished,
            };
            Some((*job, step))
        }
        Kind::Application { name, state } => {
            let step = match state {
                AppPhase::Created => Step::Created,
                AppPhase::Prepared => Step::Prepared,
                AppPhase::Pushed => Step::Pushed,
                AppPhase::Booting => Step::Booting,
                AppPhase::Running => Step::Running,
                AppPhase::Deleted => Step::Deleted,
                AppPhase::Gone => Step::Gone,
                AppPhase::Exited => return None,
            };
            // An application's name ends with the id of its job.
            let job = name.rsplit('-').next()?.parse().ok()?;
            Some((job, step))
        }
        Kind::Request { .. } | Kind::Note | Kind::Complaint => None,
    }
}
