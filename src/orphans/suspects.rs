//! Whether the job of a machine that nobody tracks here is over, by its coordinator's own word.
//!
//! A machine of ours whose job we don't know is left from a lost state file, or else this
//! installation is a copy with an older one (of a virtual machine, from a backup), and the job is in
//! the hands of the other. Nothing here can tell these apart, no clock and no mark; but in both a
//! machine whose job is over is of no use, and one whose job goes on is of use.

use std::collections::BTreeMap;
use std::mem;

use crate::coordinator::{Ask, Standing};
use crate::executor::Found;
use crate::job::hearing::{Hearing, SETTLES_WITHIN};
use crate::payload::JobCredentials;
use crate::runner::Runner;
use crate::shutdown::{Stop, Stopped};

/// What was heard of the jobs of such machines, from one search to the next.
#[derive(Default)]
pub struct Suspects {
    before: BTreeMap<String, Suspect>,
    now: BTreeMap<String, Suspect>,
}

#[derive(Default)]
struct Suspect {
    hearing: Hearing,
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Over,
    /// Or it could not be found out.
    GoesOn,
    /// The machine doesn't say which job it has, so nobody can be asked.
    Untold,
}

impl Suspects {
    /// Those that are not asked for any more are forgotten.
    pub fn next_search(&mut self) {
        self.before = mem::take(&mut self.now);
    }

    /// What became of the job of a machine that this installation made. What is not over is told to
    /// the operator, once.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn fate(&mut self, runner: &Runner, found: &Found, stop: &Stop) -> Result<Fate, Stopped> {
        let resource = found.machine.resource.as_ref();
        let key = resource.map_or_else(String::new, |it| it.raw().get().to_owned());
        let mut suspect = self.before.remove(&key).unwrap_or_default();
        let fate = suspect.ask(runner, found, stop);
        self.now.insert(key, suspect);
        fate
    }
}

impl Suspect {
    fn ask(&mut self, runner: &Runner, found: &Found, stop: &Stop) -> Result<Fate, Stopped> {
        const LOOKING: &str = "looking whether the job of a machine that is not tracked is over";
        let name = &found.machine.name;
        let Some(token) = found.job_token.clone() else {
            self.tell(&format!(
                "machine {name} has no job that we know of, and doesn't tell its job's token, by \
                 which we could ask: it is left alone; `--orphans` tells more"
            ));
            return Ok(Fate::Untold);
        };
        let id = found.job;
        let job = JobCredentials { id, token };
        loop {
            stop.check()?;
            let heard = runner.coordinator.standing(&job, Ask::Look);
            match self.hearing.hear(LOOKING, heard) {
                Standing::Over(_) => return Ok(Fate::Over),
                Standing::RefusedTwice(_) => stop.wait(SETTLES_WITHIN)?,
                Standing::Active | Standing::Canceling => {
                    self.tell(&format!(
                        "machine {name} has no job that we know of, but at the coordinator its job \
                         goes on: it is left alone until that is over. Was the state file lost, or \
                         is this a copy of another installation?"
                    ));
                    return Ok(Fate::GoesOn);
                }
                Standing::Refused(_) | Standing::Unknown(_) => return Ok(Fate::GoesOn),
            }
        }
    }

    fn tell(&mut self, what: &str) {
        if !mem::replace(&mut self.is_told, true) {
            log::warn!("{what}");
        }
    }
}
