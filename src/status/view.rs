//! What a page shows besides the [`Report`]: what is over. And what of it goes to the ledger, which knows no jobs.

use super::Report;
use crate::clock::Timestamp;
use crate::executor::Price;
use crate::job::{Job, Times};
use crate::money::{Entry, HOUR, SHAPE};
use crate::payload::FailureReason;

/// So many are remembered, as long as the service runs.
pub const REMEMBERED: usize = 100;

/// How everything stands, and stood.
#[derive(Clone, Debug)]
pub struct View {
    pub report: Report,
    /// The last one first.
    pub ended: Vec<Ended>,
    /// Why the state file could not be written.
    pub unwritten: Option<String>,
}

/// A job of which nothing is left.
#[derive(Clone, Debug)]
pub struct Ended {
    pub entry: Entry,
    pub times: Times,
    /// Of a failure that we told.
    pub reason: Option<FailureReason>,
}

impl Ended {
    #[must_use]
    pub fn of(job: &Job, runner: &str, price: Option<Price>) -> Self {
        Self {
            entry: entry(job, runner, price),
            times: Times::of(job),
            reason: job.summary.reason,
        }
    }

    /// Its result in one of a few words: others may say anything.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match self.entry.result.as_deref() {
            Some("success") => "success",
            Some("failed") => "failed",
            Some("failed to launch") => "launch_failed",
            Some("canceled" | "canceling") => "canceled",
            Some(_) => "over",
            None => "given_up",
        }
    }
}

/// A job of which nothing is left, for the ledger.
fn entry(job: &Job, runner: &str, price: Option<Price>) -> Entry {
    let (summary, history) = (&job.summary, job.machine.history);
    let ended = history
        .gone
        .or(summary.ended)
        .unwrap_or_else(Timestamp::now);
    let begun = history.handed_over;
    let seconds = begun.map_or(0, |begun| ended.since(begun).as_secs());
    let (hourly, currency) = price.map(|price| (price.hourly, price.currency)).unzip();
    let free = begun.is_none().then_some(0.0);
    let project = summary.project.as_deref();
    let group = project.and_then(|path| path.split('/').next());
    Entry {
        version: SHAPE,
        job: job.credentials.id.0,
        runner: runner.to_owned(),
        project: summary.project.clone(),
        group: group.map(str::to_owned),
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
