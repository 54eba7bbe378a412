//! How everything stands at one moment, as plain data, to be shown in any form.
//!
//! A [`Report`] is made of what the main thread tracks, or of the state file; no secret is in it. As JSON it
//! is documented in the manual: what is there stays, and a change that programs would notice is another
//! [`SHAPE`].

mod job;
mod log;
mod runner;
pub mod table;
mod view;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::job::{JobReport, Phase};
pub use self::log::{log_statistics, log_tracked};
pub use self::runner::{Does, RunnerReport};
pub use self::view::{Ended, REMEMBERED, View};
use crate::clock::Timestamp;
use crate::counted::counted;
use crate::executor::Expiry;
use crate::quota;
use crate::runner::Runner;
use crate::state::{State, Tracked};

/// `version` in the JSON.
pub const SHAPE: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    /// Who tells it.
    pub source: Source,
    /// Of the program.
    pub program: String,
    /// Seconds since 1970, as all times are.
    pub at: Timestamp,
    /// When the service was started, and when it read its configuration last.
    pub started: Option<Timestamp>,
    pub configured: Option<Timestamp>,
    pub state: ServiceState,
    pub quota: Option<QuotaReport>,
    /// What this month's jobs have cost so far.
    #[serde(default)]
    pub spent: Vec<SpentReport>,
    pub jobs: Vec<JobReport>,
    pub runners: Vec<RunnerReport>,
    /// Machines without a job that are left alone.
    pub orphans: Vec<OrphanReport>,
    /// What ends when, as far as it was told.
    pub ends: Vec<EndReport>,
    /// What an administrator should look at.
    pub wrong: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Service,
    StateFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    Running,
    /// It takes no new jobs, and ends when those that are here are over.
    Draining,
    Stopping,
    NotRunning,
}

/// Limits, and what is in use of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaReport {
    /// None, until the weight of the reference flavor is known.
    pub weight_limit: Option<f64>,
    pub weight: f64,
    pub jobs_limit: usize,
    pub jobs: usize,
    pub launching_limit: usize,
    pub launching: usize,
    pub held: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpentReport {
    /// In universal time.
    pub month: String,
    pub cost: f64,
    pub currency: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanReport {
    pub runner: String,
    pub job: u64,
    pub machine: String,
    /// Of its executor.
    pub id: String,
    pub organization: String,
    pub created: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndReport {
    pub runner: String,
    pub what: String,
    pub ends: Timestamp,
    pub remedy: String,
}

/// What a service tells of itself.
pub struct Service<'a, T> {
    pub started: Timestamp,
    pub configured: Timestamp,
    pub state: ServiceState,
    pub tracked: T,
    /// Jobs that nobody looks after, for their runners are not in the configuration.
    pub abandoned: &'a [Tracked],
    pub runners: &'a [Arc<Runner>],
    pub quota: quota::Snapshot,
    pub orphans: Vec<OrphanReport>,
    pub spent: Vec<SpentReport>,
    /// Why the ledger can't be written.
    pub unaccounted: Option<&'a str>,
    /// Why the state file can't be written.
    pub unwritten: Option<&'a str>,
    pub knows_quota: bool,
    /// Why the quota could not be computed yet.
    pub unweighed: Option<&'a str>,
}

impl<'a, T: Iterator<Item = &'a Tracked>> Service<'_, T> {
    #[must_use]
    pub fn report(self) -> Report {
        let quota = self.quota;
        let abandoned = self.abandoned.iter().map(JobReport::of_abandoned);
        let jobs: Vec<_> = self.tracked.map(JobReport::of).chain(abandoned).collect();
        let known = runner::Known {
            is_draining: self.state != ServiceState::Running,
            knows_quota: self.knows_quota,
        };
        let runners = self.runners.iter();
        let runners = runners.map(|runner| RunnerReport::of(runner, &jobs, &known));
        let ends = self.runners.iter().flat_map(|runner| {
            let known = runner.known_expiries().into_iter();
            known.map(|expiry| EndReport {
                runner: runner.name.clone(),
                what: expiry.what,
                ends: expiry.ends,
                remedy: expiry.remedy,
            })
        });
        let mut report = Report {
            version: SHAPE,
            source: Source::Service,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at: Timestamp::now(),
            started: Some(self.started),
            configured: Some(self.configured),
            state: self.state,
            quota: Some(QuotaReport::of(quota)),
            spent: self.spent,
            runners: runners.collect(),
            jobs,
            orphans: self.orphans,
            ends: ends.collect(),
            wrong: Vec::new(),
        };
        let unweighed = self.unweighed;
        let unweighed = unweighed.map(|why| format!("the quota can't be computed yet: {why}"));
        let own = [
            self.unwritten.map(str::to_owned),
            self.unaccounted.map(str::to_owned),
            unweighed,
        ];
        let own = own.into_iter().flatten();
        report.wrong = own.chain(report.what_is_wrong()).collect();
        report
    }
}

impl Report {
    /// What the last service has left behind.
    #[must_use]
    pub fn of_file(path: &Path, state: &State) -> Self {
        let mut report = Self {
            version: SHAPE,
            source: Source::StateFile,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at: Timestamp::now(),
            started: None,
            configured: None,
            state: ServiceState::NotRunning,
            quota: None,
            spent: Vec::new(),
            jobs: state.tracked.iter().map(JobReport::of).collect(),
            runners: Vec::new(),
            orphans: Vec::new(),
            ends: Vec::new(),
            wrong: Vec::new(),
        };
        let path = path.display();
        let not_running = format!("no service runs with the state file {path}");
        report.wrong = [not_running]
            .into_iter()
            .chain(report.what_is_wrong())
            .collect();
        report
    }

    /// All of it in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let state = match self.state {
            ServiceState::Draining => "draining: ",
            ServiceState::Stopping => "stopping: ",
            ServiceState::Running | ServiceState::NotRunning => "",
        };
        let running = counted(self.count(&[Phase::Running]), "job");
        let mut parts = vec![format!("{state}{running} running")];
        for (phases, name) in [
            (&[Phase::Booting][..], "booting"),
            (&[Phase::Launching], "launching"),
            (&[Phase::Held], "held"),
            (&[Phase::Deleting, Phase::Telling], "ending"),
        ] {
            let count = self.count(phases);
            parts.extend((count > 0).then(|| format!("{count} {name}")));
        }
        parts.extend(self.quota.as_ref().map(|quota| {
            let limit = quota.weight_limit.unwrap_or_default();
            format!("weight {:.1} of {limit:.1}", quota.weight)
        }));
        let wrong = self.wrong.first().map(|first| match self.wrong.len() {
            1 => format!("; wrong: {first}"),
            all => format!("; wrong: {first}, and {} more", all - 1),
        });
        parts.join(", ") + &wrong.unwrap_or_default()
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        // Nothing in it can't be written.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    fn what_is_wrong(&self) -> Vec<String> {
        let runners = self.runners.iter().filter(|runner| runner.is_in_trouble());
        let runners = runners.map(|runner| format!("runner {}: {}", runner.name, runner.reason));
        let jobs = self.jobs.iter().filter_map(|job| {
            let trouble = job.trouble.as_ref()?;
            Some(format!("job {}: {trouble}", job.id))
        });
        let ended = self.ends.iter().filter(|end| end.ends <= self.at);
        let ended =
            ended.map(|end| format!("runner {}: {}: {}", end.runner, end.text(), end.remedy));
        runners.chain(jobs).chain(ended).collect()
    }

    /// How many jobs are in one of these phases.
    #[must_use]
    pub fn count(&self, phases: &[Phase]) -> usize {
        self.jobs
            .iter()
            .filter(|job| phases.contains(&job.phase))
            .count()
    }
}

impl EndReport {
    /// What ends when.
    #[must_use]
    pub fn text(&self) -> String {
        let (what, ends, remedy) = (self.what.clone(), self.ends, self.remedy.clone());
        Expiry { what, ends, remedy }.text()
    }
}

impl QuotaReport {
    fn of(quota: quota::Snapshot) -> Self {
        let (limits, usage) = (quota.limits, quota.in_use);
        Self {
            weight_limit: Some(quota.limit.as_f64()).filter(|limit| *limit > 0.0),
            weight: usage.weight.as_f64(),
            jobs_limit: limits.jobs,
            jobs: usage.jobs,
            launching_limit: limits.launching,
            launching: usage.launching,
            held: quota.held,
        }
    }
}
