//! How soon a job that runs is looked at again.
//!
//! Its end makes room, and until it is noticed its machine costs money; a look costs the coordinator
//! a request. So jobs are looked at more often while somebody waits for room, as long as they are
//! few, and those that began together are not looked at together.

use std::mem;
use std::time::{Duration, Instant};

use super::Job;
use super::context::JobContext;
use crate::shutdown::Stopped;

/// While somebody waits for room.
const SOON: Duration = Duration::from_secs(2);
/// So many jobs may be looked at so soon; of more, each less often.
const FEW: usize = 50;
/// Numbers of jobs that come together follow one another.
const SLOTS: u64 = 16;

pub(super) struct LookPace {
    usual: Duration,
    next: Duration,
}

impl LookPace {
    pub(super) fn new(job: &Job, usual: Duration) -> Self {
        let slot = (1 + job.credentials.id.0 % SLOTS) as f64;
        Self {
            usual,
            next: usual.mul_f64(slot / SLOTS as f64),
        }
    }

    /// Waits until it is time for the next look, which is before `latest`.
    pub(super) fn wait(
        &mut self,
        latest: Instant,
        context: &JobContext<'_>,
    ) -> Result<(), Stopped> {
        let began = Instant::now();
        let longest = mem::replace(&mut self.next, self.usual);
        let longest = longest.min(latest.saturating_duration_since(began));
        loop {
            let awaited_among = context.admission.awaited_among();
            let soon = |jobs: usize| SOON * u32::try_from(1 + jobs / FEW).unwrap_or(u32::MAX);
            let pause = awaited_among.map_or(longest, |jobs| longest.min(soon(jobs)));
            let rest = pause.saturating_sub(began.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            context.stop.wait(rest.min(SOON))?;
        }
    }
}
