//! A hundred kills at random moments, under load.

use std::thread;
use std::time::Duration;

use sandbox::{Action, JobId, JobStatus, JobView};

use super::scene_of_kills;
use crate::scene::Scene;

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
    let mut scene = scene_of_kills();
    scene.global = "paas_max_concurrent_provisioning = 40".to_owned();
    let mut chance = Chance(SEED);
    let mut logs = String::new();
    let mut jobs: Vec<JobId> = Vec::new();
    for kill in 0..KILLS {
        while jobs.len() < (JOBS * (kill + 1)).div_ceil(KILLS) as usize {
            let script = format!("sleep 0.{}", chance.below(10));
            jobs.push(scene.submit(&format!("job {}", jobs.len()), &script));
        }
        let service = scene.start();
        // Not to wait for anything: the moment is the test.
        thread::sleep(chance.lifetime());
        logs += &service.kill();
    }
    let service = scene.start();
    let granted: Vec<_> = jobs
        .into_iter()
        .map(|job| scene.await_status(job, |status| status != JobStatus::Pending))
        .collect();
    // The last of them a moment ago, perhaps: then it is heard of by now.
    scene.await_that("it asks for no more jobs", {
        let before = scene.count_job_requests();
        let scene = &scene;
        move || scene.count_job_requests() >= before + 10
    });
    let ours = granted.iter().filter(|job| !is_lost(&scene, job));
    let ended: Vec<_> = ours.map(|job| scene.await_end(job.id)).collect();
    scene.await_no_machines();
    scene.await_nothing_tracked("after the last kill");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    logs += &log;
    let lost = JOBS as usize - ended.len();
    assert!(lost < 20, "{lost} of {JOBS} jobs were granted to nobody");
    for job in &ended {
        assert_eq!(job.status, JobStatus::Success, "{:?}\n{logs}", job.calls);
        assert_eq!(job.verdicts().len(), 1, "{:?}", job.calls);
        scene.assert_started_once(job.id);
    }
    scene.assert_no_secret(&ended, &logs);
    scene.assert_no_complaints_but_of_kills();
}

/// The coordinator gave it out, and the process was killed before it was written down: the one loss
/// that cannot be avoided. Whoever writes a job down says next that it has it, also after a restart.
fn is_lost(scene: &Scene, job: &JobView) -> bool {
    let is_ours = |job: &JobView| {
        job.calls
            .iter()
            .any(|call| matches!(&call.action, Action::Update { state, .. } if state == "running"))
    };
    let tracked = || {
        let state = scene.state().to_string();
        state.contains(&format!("\"job_id\":{}", job.id))
    };
    let is_lost = !is_ours(&scene.coordinator.job(job.id)) && !tracked();
    if is_lost {
        let untouched = scene.coordinator.job(job.id);
        assert!(untouched.calls.is_empty(), "{:?}", untouched.calls);
        assert!(scene.machine(job.id).is_none());
    }
    is_lost
}
