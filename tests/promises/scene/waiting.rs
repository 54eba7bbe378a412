//! A scene waits for events, with a generous end; a wait in vain tells all that happened.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::{AppPhase, AppView, JobId, JobStatus, JobView, Kind};
use serde_json::{Value, json};

use super::Scene;

/// Far longer than anything here takes, even on a busy computer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For what no journal tells of.
pub fn eventually(condition: impl Fn() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

impl Scene {
    /// For what the world's journal tells of, or what changes with it; `what` is what never came.
    pub fn await_that(&self, what: &str, condition: impl Fn() -> bool) {
        if !self.journal.wait_until(PATIENCE, condition) {
            self.give_up(what);
        }
    }

    pub fn await_end(&self, job: JobId) -> JobView {
        self.await_end_within(PATIENCE, job)
    }

    /// Of a job that may take longer than anything else.
    pub fn await_end_within(&self, patience: Duration, job: JobId) -> JobView {
        self.await_status_within(patience, job, JobStatus::is_over)
    }

    pub fn await_status(&self, job: JobId, wanted: impl Fn(JobStatus) -> bool) -> JobView {
        self.await_status_within(PATIENCE, job, wanted)
    }

    fn await_status_within(
        &self,
        patience: Duration,
        job: JobId,
        wanted: impl Fn(JobStatus) -> bool,
    ) -> JobView {
        let reached = self.coordinator.wait_for_status(job, patience, wanted);
        reached.unwrap_or_else(|| {
            let status = self.coordinator.job(job).status;
            self.give_up(&format!("job {job} is {status} all the time"))
        })
    }

    /// Waits until the job's machine has been in this phase.
    pub fn await_phase(&self, job: JobId, phase: AppPhase) {
        let wanted = self.machine_name(job);
        let reached = self.journal.wait_for(PATIENCE, |entries| {
            entries.iter().find_map(|entry| match &entry.kind {
                Kind::Application { name, state } => {
                    (*name == wanted && *state == phase).then_some(())
                }
                _ => None,
            })
        });
        reached.unwrap_or_else(|| self.give_up(&format!("{wanted} never was {phase:?}")));
    }

    /// Nothing is left that costs or clutters.
    pub fn await_no_machines(&self) {
        let none = || self.clever.applications().iter().all(AppView::is_deleted);
        let settled = || none() && self.clever.running_machines() == 0;
        if !self.journal.wait_until(PATIENCE, settled) {
            self.give_up(&format!("left: {:?}", self.clever.applications()));
        }
    }

    /// Waits until the state file tells of no job any more.
    pub fn await_nothing_tracked(&self, when: &str) {
        let is_empty = |list: &Value| *list == json!([]);
        let settled = eventually(|| {
            let state = self.state();
            let lists = ["launched", "pending", "to_decommission"];
            lists.iter().all(|list| is_empty(&state[list]))
                && is_empty(&state["heptapod_paas_runner"]["jobs"])
        });
        if !settled {
            self.give_up(&format!("{when}: {}", self.state()));
        }
    }

    /// Fails the test, with all that was said and done.
    pub fn give_up(&self, why: &str) -> ! {
        eprintln!("{}", self.journal);
        for log in self.logs.lock().unwrap().iter() {
            eprintln!("the program said:\n{log}");
        }
        panic!("{why}");
    }
}
