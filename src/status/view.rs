//! What a page shows besides the [`Report`]: what is over.

use super::Report;
use crate::job::{Job, Times};
use crate::money::Entry;
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
    pub fn of(job: &Job, entry: Entry) -> Self {
        Self {
            entry,
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
