//! Machines that bear our kind of name and that nobody tracks: a lost state file, an older crash.
//!
//! They are looked for at start and every hour. Those that this very installation made are
//! decommissioned like any machine, over restarts too; others may be somebody else's, or were kept
//! on purpose, and are only reported. A job is in the state file before its machine is created, so a machine that is listed
//! and then not tracked has nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::Event;
use super::runner::Runner;
use crate::executor::{Doubt, FoundMachine};
use crate::job::{Job, Phase};
use crate::payload::JobCredentials;
use crate::secret::Secret;
use crate::shutdown::{Stop, Stopped};

const EVERY: Duration = Duration::from_secs(3600);
/// A creation that nobody saw the end of may take so long, and a list some seconds more (Clever page,
/// 3.11): its job may be over by then.
const LATE: Duration = Duration::from_secs(75);
/// When it could not be looked everywhere.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks until the service stops; what is found goes to the dispatcher, who knows what is tracked.
/// `doubts` tells of jobs that ended with an application in doubt.
///
/// # Errors
/// [`Stopped`]
pub fn search(
    runners: &[Arc<Runner>],
    tenants: &BTreeSet<String>,
    events: &Sender<Event>,
    doubts: &Receiver<()>,
    stop: &Stop,
) -> Result<(), Stopped> {
    loop {
        let mut pause = EVERY;
        for runner in runners {
            stop.check()?;
            let inventory = runner.executor.machines(&runner.unique_name, tenants);
            for why in inventory.not_searched {
                log::warn!("looking for machines that nobody tracks: {why}");
                pause = AGAIN;
            }
            let (runner, found) = (runner.clone(), inventory.machines);
            let _ = events.send(Event::Found { runner, found });
        }
        if stop.wait_or(doubts, pause)? {
            stop.wait(LATE)?;
        }
    }
}

/// An orphan as a job of which only the machine is left.
pub fn adopt(machine: FoundMachine) -> Job {
    Job {
        credentials: JobCredentials {
            id: machine.job,
            token: Secret::new(""),
        },
        phase: Phase::Ended,
        tenant: machine.tenant,
        expires: Instant::now(),
        log_length: 0,
        resource: Some(machine.resource),
        doubt: Doubt::None,
        verdict: None,
    }
}
