//! Machines that bear our kind of name and whose job is not tracked: a lost state file, an older
//! crash.
//!
//! A job is in the state file before its machine is created, so a machine that is listed first and
//! whose job is then not found there has no job that we know of. Those that this very installation
//! made are decommissioned like any machine once their job is over at its coordinator; others may
//! belong to another installation, or were kept on purpose. What is done about one is told to the
//! operator; the main loop is unknown here.

pub mod command;
pub mod search;
mod suspects;

use std::time::Duration;

use crate::executor::Found;
use crate::job::{Age, Job, Phase, Summary};
use crate::names::RunnerName;
use crate::payload::JobCredentials;
use crate::secret::Secret;
use crate::state::Tracked;

/// Whether one of the `tracked` jobs may be the machine's. This decides about a deletion.
pub fn has_job<'a>(
    found: &Found,
    runner: &RunnerName,
    mut tracked: impl Iterator<Item = &'a Tracked>,
) -> bool {
    tracked.any(|known| known.may_own(runner, found.job))
}

/// An orphan as a job of which only the machine is left.
#[must_use]
pub fn as_job(found: Found) -> Job {
    Job {
        credentials: JobCredentials {
            id: found.job,
            token: Secret::new(""),
        },
        phase: Phase::Ended { untold: None },
        age: Age::at_most(Duration::ZERO),
        log_bytes: 0,
        machine: found.machine,
        summary: Summary::default(),
        trouble: None,
    }
}
