//! Whether a job's machine still lives: one that crashed can tell nothing, and its job would hang
//! until the coordinator's own deadline.
//!
//! The executor is asked now and then. A machine that ended is believed to have said all it had to
//! say only after a while: its last words may still be on their way to the coordinator.

use std::time::{Duration, Instant};

use super::context::JobContext;
use crate::executor::{Halt, Machine};

/// Each look is a request to the API of the machines, for each job.
const EVERY: Duration = Duration::from_secs(30);
/// For the job's result to arrive, after its machine has ended.
const LAST_WORDS: Duration = Duration::from_secs(15);

const LOOKING: &str = "looking whether the job's machine is still there";

pub(super) struct MachineWatch<'a> {
    machine: &'a Machine,
    context: &'a JobContext<'a>,
    next: Instant,
    was_lost: bool,
}

impl<'a> MachineWatch<'a> {
    pub(super) fn new(machine: &'a Machine, context: &'a JobContext<'a>) -> Self {
        Self {
            machine,
            context,
            next: Instant::now() + EVERY,
            was_lost: false,
        }
    }

    /// To be called whenever the coordinator says that the job goes on.
    ///
    /// # Errors
    /// [`Halt`] when the machine is lost, and was so the last time.
    pub(super) fn check(&mut self) -> Result<(), Halt> {
        if Instant::now() < self.next {
            return Ok(());
        }
        let machine = self.machine;
        let lost = self.context.executor.is_lost(machine);
        let hearing = &self.context.hearing;
        let lost = match lost {
            Ok(lost) => {
                hearing.works(LOOKING);
                lost
            }
            Err(why) => {
                hearing.trouble(LOOKING, &why);
                None
            }
        };
        let was_lost = std::mem::replace(&mut self.was_lost, lost.is_some());
        self.next = Instant::now() + if lost.is_some() { LAST_WORDS } else { EVERY };
        match lost {
            Some(failure) if was_lost => Err(failure.into()),
            Some(_) | None => Ok(()),
        }
    }
}
