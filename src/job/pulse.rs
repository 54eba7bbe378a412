//! Whether a job's machine still lives: one that crashed can tell nobody, and its job would hang
//! until the coordinator's own deadline.
//!
//! The executor is asked now and then. A machine that ended is believed to have said all it had to
//! say only after a while: its last words may still be on their way to the coordinator.

use std::time::{Duration, Instant};

use super::Job;
use super::life::World;
use crate::executor::{Failure, Halt};

/// Each look is a request to the API of the machines, for each job.
const EVERY: Duration = Duration::from_secs(30);
/// For the job's result to arrive, after its machine has ended.
const LAST_WORDS: Duration = Duration::from_secs(15);

pub(super) struct Pulse<'a> {
    job: &'a Job,
    world: &'a World<'a>,
    next: Instant,
    was_gone: bool,
}

impl<'a> Pulse<'a> {
    pub(super) fn new(job: &'a Job, world: &'a World<'a>) -> Self {
        Self {
            job,
            world,
            next: Instant::now() + EVERY,
            was_gone: false,
        }
    }

    /// To be called whenever the coordinator says that the job goes on.
    ///
    /// # Errors
    /// [`Halt`] when the machine is gone, and was gone before.
    pub(super) fn check(&mut self) -> Result<(), Halt> {
        let Some(resource) = &self.job.resource else {
            return Ok(());
        };
        if Instant::now() < self.next {
            return Ok(());
        }
        let (name, tenant) = (&self.world.name, self.job.tenant.as_deref());
        let is_gone = match self.world.executor.has_ended(name, tenant, resource) {
            Ok(is_gone) => is_gone,
            Err(why) => {
                log::debug!("looking whether machine {name} is still there: {why}");
                false
            }
        };
        if is_gone && self.was_gone {
            return Err(died().into());
        }
        self.was_gone = is_gone;
        self.next = Instant::now() + if is_gone { LAST_WORDS } else { EVERY };
        Ok(())
    }
}

fn died() -> Failure {
    Failure {
        user: "The job's machine stopped without a result. It may have been out of memory: a \
               larger CI_CLEVER_CLOUD_FLAVOR may help."
            .to_owned(),
        admin: "its machine has ended and the coordinator has no result; the machine's own log \
                may say why"
            .to_owned(),
    }
}
