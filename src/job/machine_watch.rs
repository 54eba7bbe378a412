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

pub(super) struct MachineWatch<'a> {
    machine: &'a Machine,
    context: &'a JobContext<'a>,
    next: Instant,
    had_ended: bool,
}

impl<'a> MachineWatch<'a> {
    pub(super) fn new(machine: &'a Machine, context: &'a JobContext<'a>) -> Self {
        Self {
            machine,
            context,
            next: Instant::now() + EVERY,
            had_ended: false,
        }
    }

    /// To be called whenever the coordinator says that the job goes on.
    ///
    /// # Errors
    /// [`Halt`] when the machine has ended, and had so the last time.
    pub(super) fn check(&mut self) -> Result<(), Halt> {
        if Instant::now() < self.next {
            return Ok(());
        }
        let (machine, executor) = (self.machine, self.context.executor);
        let has_ended = executor.has_ended(machine).unwrap_or_else(|why| {
            log::debug!(
                "looking whether machine {} is still there: {why}",
                machine.name
            );
            false
        });
        if has_ended && self.had_ended {
            return Err(executor.ended_too_early(machine).into());
        }
        self.had_ended = has_ended;
        self.next = Instant::now() + if has_ended { LAST_WORDS } else { EVERY };
        Ok(())
    }
}
