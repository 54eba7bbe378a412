//! One job in the ledger: a JSON object on a line of its own. The manual tells of its keys, to which later versions
//! may add.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::executor::Price;
use crate::job::Job;

/// `version` in a line.
const SHAPE: u32 = 1;
const HOUR: f64 = 3600.0;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub version: u32,
    pub job: u64,
    /// The name of its section.
    pub runner: String,
    pub project: Option<String>,
    /// The top-level group of the project.
    pub group: Option<String>,
    pub user: Option<String>,
    pub flavor: Option<String>,
    /// When its machine began to cost something; none: it never had one.
    pub begun: Option<Timestamp>,
    pub ended: Timestamp,
    pub seconds: u64,
    /// Of an hour, and what that comes to; none, where the price is not known.
    pub hourly: Option<f64>,
    pub cost: Option<f64>,
    pub currency: Option<String>,
    pub result: Option<String>,
}

impl Entry {
    /// Of a job of which nothing is left.
    #[must_use]
    pub fn of(job: &Job, runner: &str, price: Option<Price>) -> Self {
        let (summary, history) = (&job.summary, job.machine.history);
        let ended = history
            .gone
            .or(summary.ended)
            .unwrap_or_else(Timestamp::now);
        let begun = history.handed_over;
        let seconds = begun.map_or(0, |begun| ended.since(begun).as_secs());
        let (hourly, currency) = price.map(|price| (price.hourly, price.currency)).unzip();
        let free = begun.is_none().then_some(0.0);
        Self {
            version: SHAPE,
            job: job.credentials.id.0,
            runner: runner.to_owned(),
            project: summary.project.clone(),
            group: summary
                .project
                .as_deref()
                .and_then(|path| path.split('/').next())
                .map(str::to_owned),
            user: summary.user.clone(),
            flavor: job.machine.flavor.clone(),
            begun,
            ended,
            seconds,
            hourly,
            cost: hourly.map(|hourly| hourly * seconds as f64 / HOUR).or(free),
            currency,
            result: summary.result.clone(),
        }
    }

    /// What it has cost, for people.
    #[must_use]
    pub fn price(&self) -> Option<String> {
        let (cost, currency) = (self.cost?, self.currency.as_ref()?);
        Some(format!("{cost:.4} {currency}"))
    }

    /// The same job's, told twice: a process ended between the ledger and the state file.
    #[must_use]
    pub fn is_again(&self, other: &Self) -> bool {
        (self.job, &self.runner, self.begun) == (other.job, &other.runner, other.begun)
    }
}
