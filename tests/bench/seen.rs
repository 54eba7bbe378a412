//! What was seen of a program in one scenario: times and requests from the world's journal, a process from
//! outside. What was not seen is none. It may not know what the scenario wants of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rig::world::LATENCIES;
use rig::{Step, Times};
use sandbox::coordinator::JobId;
use sandbox::machine;
use sandbox::{Entry, Kind, Source};

use crate::process::Used;

#[derive(Default)]
pub struct Seen {
    /// In the order of their arrival.
    pub jobs: Vec<JobId>,
    pub times: Times,
    /// Requests of the program and its git, since the first job came.
    pub calls: Vec<Call>,
    /// By the id of the application that they belong to.
    pub repositories: HashMap<String, JobId>,
    pub process: Option<Process>,
}

/// From before the first job until after the last.
pub struct Process {
    /// Resident memory in KiB: with nothing to do, while all jobs ran, at most.
    pub idle: Option<u64>,
    pub running: Option<u64>,
    pub peak: Option<u64>,
    pub used: Option<Used>,
    /// By the whole sandbox, its machines and their jobs included.
    pub used_by_sandbox: Option<Used>,
    /// Processes that it started.
    pub started: usize,
}

/// One request, answered or not.
pub struct Call {
    /// When it came.
    pub at: Instant,
    pub source: Source,
    pub connection: u64,
    /// Until it was answered.
    pub took: Duration,
    /// It asks for a new job.
    pub wants_job: bool,
    /// The id of the application whose repository it is about.
    pub repository: Option<String>,
}

impl Call {
    /// None, where the entry is no request, or one of an inner runner.
    pub fn told(entry: &Entry) -> Option<Self> {
        let Kind::Request {
            path,
            client,
            connection,
            took,
            ..
        } = &entry.kind
        else {
            return None;
        };
        if client == machine::USER_AGENT {
            return None;
        }
        Some(Self {
            at: entry.at.checked_sub(*took)?,
            source: entry.source.clone(),
            connection: *connection,
            took: *took,
            wants_job: path.ends_with("/jobs/request"),
            repository: (entry.source == Source::Git)
                .then(|| Some(path.strip_prefix('/')?.split_once(".git/")?.0.to_owned()))
                .flatten(),
        })
    }

    pub fn is_by_git(&self) -> bool {
        self.source == Source::Git
    }
}

/// What the world imposes from an order for a machine until its job begins.
pub fn until_running() -> Duration {
    LATENCIES.create
        + LATENCIES.repository
        + LATENCIES.deployment_visible
        + LATENCIES.boot
        + LATENCIES.build
}

impl Seen {
    /// A time of each job, in seconds; those of which a step is missing are left out.
    pub fn each(&self, from: Step, to: Step) -> Vec<f64> {
        let times = self.jobs.iter();
        times
            .filter_map(|job| Some(self.times.between(*job, from, to)?.as_secs_f64()))
            .collect()
    }

    /// From grant to push, without what the world takes to create the application and its repository, and to
    /// answer git.
    pub fn launch_overheads(&self) -> Vec<f64> {
        let answering = self.answering_git();
        let own_time = |job: &JobId| {
            let repository = self.times.between(*job, Step::Created, Step::Prepared)?;
            let all = self.times.between(*job, Step::Granted, Step::Pushed)?;
            let imposed = LATENCIES.create + repository + *answering.get(job)?;
            Some(all.saturating_sub(imposed).as_secs_f64())
        };
        self.jobs.iter().filter_map(own_time).collect()
    }

    /// How long the git remote took for what it was asked until a job's push had arrived.
    pub fn answering_git(&self) -> HashMap<JobId, Duration> {
        let mut all = HashMap::new();
        for call in &self.calls {
            let job = call
                .repository
                .as_ref()
                .and_then(|id| self.repositories.get(id));
            let pushed = job.and_then(|job| Some((*job, self.times.at(*job, Step::Pushed)?)));
            if let Some((job, pushed)) = pushed {
                let until = pushed.min(call.at + call.took);
                *all.entry(job).or_default() += until.saturating_duration_since(call.at);
            }
        }
        all
    }

    /// When its machine was ordered.
    pub fn ordered(&self, job: JobId) -> Option<Instant> {
        self.times
            .at(job, Step::Created)?
            .checked_sub(LATENCIES.create)
    }

    pub fn first(&self, step: Step) -> Option<Instant> {
        self.all(step).into_iter().flatten().min()
    }

    /// None, unless all jobs have come so far.
    pub fn last(&self, step: Step) -> Option<Instant> {
        let all: Option<Vec<_>> = self.all(step).into_iter().collect();
        all?.into_iter().max()
    }

    fn all(&self, step: Step) -> Vec<Option<Instant>> {
        let times = self.jobs.iter().map(|job| self.times.at(*job, step));
        times.collect()
    }

    /// By the program, while all jobs ran and none had ended: for each of them in a minute. What asks for new
    /// jobs is not counted.
    pub fn calls_per_running_job_and_minute(&self) -> Option<f64> {
        let (begin, end) = (self.last(Step::Running)?, self.first(Step::Finished)?);
        let minutes = end.checked_duration_since(begin)?.as_secs_f64() / 60.0;
        let is_meant = |call: &&Call| !call.wants_job && begin <= call.at && call.at < end;
        let calls = self.calls.iter().filter(is_meant).count();
        Some(calls as f64 / minutes / self.jobs.len() as f64)
    }

    /// Something in all, for each job.
    pub fn per_job(&self, all: f64) -> Option<f64> {
        let jobs = self.jobs.len();
        (jobs > 0).then(|| all / jobs as f64)
    }
}
