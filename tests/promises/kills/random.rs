//! A hundred kills at random moments, under load.

use std::thread;
use std::time::Duration;

use sandbox::{Action, JobId, JobStatus, JobView};

use super::town_of_kills;
use crate::afterwards::{assert_no_secret, await_nothing_tracked};
use crate::town::{Town, assert_started_once};

const KILLS: u32 = 100;
const JOBS: u32 = 30;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// A xorshift generator: the same moments in every run of this test.
struct Chance(u64);

impl Chance {
    const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Most lives end in their first moments. In those few that last longer jobs get on, so that
    /// there is something of every kind to be interrupted.
    const fn lifetime(&mut self) -> Duration {
        let milliseconds = if self.below(5) == 0 {
            150 + self.below(1350)
        } else {
            5 + self.below(146)
        };
        Duration::from_millis(milliseconds)
    }
}

#[test]
fn a_hundred_kills_under_load_lose_and_repeat_nothing() {
    let mut town = town_of_kills();
    town.global = "paas_max_concurrent_provisioning = 40".to_owned();
    let mut chance = Chance(SEED);
    let mut logs = String::new();
    let mut jobs: Vec<JobId> = Vec::new();
    for kill in 0..KILLS {
        while jobs.len() < (JOBS * (kill + 1)).div_ceil(KILLS) as usize {
            let script = format!("sleep 0.{}", chance.below(10));
            jobs.push(town.submit(&format!("job {}", jobs.len()), &script));
        }
        let service = town.start();
        // Not to wait for anything: the moment is the test.
        thread::sleep(chance.lifetime());
        logs += &service.kill();
    }
    let service = town.start();
    let mut ended = Vec::new();
    for job in jobs {
        let job = town.await_status(job, |status| status != JobStatus::Pending);
        if !is_lost(&town, &job) {
            ended.push(town.await_end(job.id));
        }
    }
    town.await_no_machines();
    await_nothing_tracked(&town, "after the last kill");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    logs += &log;
    let lost = JOBS as usize - ended.len();
    assert!(lost < 20, "{lost} of {JOBS} jobs were granted to nobody");
    for job in &ended {
        assert_eq!(job.status, JobStatus::Success, "{:?}\n{logs}", job.calls);
        assert_eq!(job.verdicts().len(), 1, "{:?}", job.calls);
        assert_started_once(&town, job.id);
    }
    assert_no_secret(&town, &ended, &logs);
    town.check_manners_of_the_killed();
}

/// The coordinator gave it out, and the process was killed before it was written down: the one loss
/// that cannot be avoided. Whoever writes a job down says next that it has it, also after a restart.
fn is_lost(town: &Town, job: &JobView) -> bool {
    let is_ours = |job: &JobView| {
        job.calls
            .iter()
            .any(|call| matches!(&call.action, Action::Update { state, .. } if state == "running"))
    };
    let tracked = || {
        let state = town.state().to_string();
        state.contains(&format!("\"job_id\":{}", job.id))
    };
    let known = || is_ours(&town.coordinator.job(job.id)) || tracked();
    if known() {
        return false;
    }
    // It may have been granted to the last process a moment ago.
    let again = town.journal.wait_until(Duration::from_secs(2), known);
    if !again {
        let untouched = town.coordinator.job(job.id);
        assert!(untouched.calls.is_empty(), "{:?}", untouched.calls);
        assert!(town.machine(job.id).is_none());
    }
    !again
}
