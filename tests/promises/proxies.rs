//! What stands between us and a service speaks for itself only: nothing is believed to be over, or
//! gone, because a proxy says so.

use sandbox::{AppPhase, Fault, Gate, JobSpec, JobStatus, Kind, MachineBehaviour, Rule};

use crate::afterwards::await_nothing_tracked;
use crate::town::{PATIENCE, Town, assert_started_once};

/// How many such requests had this answer.
fn answered(town: &Town, wanted: &str, answer: u16, is_it: impl Fn(&str) -> bool) -> usize {
    let answers = |kind: &Kind| {
        matches!(kind, Kind::Request { method, path, status }
            if method == wanted && *status == Some(answer) && is_it(path))
    };
    let entries = town.journal.entries();
    entries.iter().filter(|entry| answers(&entry.kind)).count()
}

fn await_answers(
    town: &Town,
    count: usize,
    method: &str,
    answer: u16,
    is_it: impl Fn(&str) -> bool,
) {
    let reached = || answered(town, method, answer, &is_it) >= count;
    if !town.journal.wait_until(PATIENCE, reached) {
        town.give_up(&format!("no {count} answers {answer} to {method}"));
    }
}

fn is_trace(path: &str) -> bool {
    path.ends_with("/trace")
}

/// A firewall that does not like what jobs' tokens do. The requests for jobs it lets pass.
fn refuse_all_calls_of_jobs(town: &Town) {
    for path in ["*/jobs/8*", "*/job"] {
        let refused = Rule::on_any(path).always().with(Fault::html(403));
        town.coordinator.faults().inject(refused);
    }
}

#[test]
fn a_machine_is_not_gone_because_a_proxy_does_not_find_it() {
    let town = Town::new();
    let service = town.start();
    let job = town.submit_lasting("hidden");
    service.await_log("running, seen");
    for method in ["DELETE", "GET"] {
        let hidden = Rule::on(method, "*/applications*").always();
        town.clever.faults().inject(hidden.with(Fault::html(404)));
    }
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    service.await_log("try 2");
    assert!(!town.machine(job).unwrap().is_deleted());
    town.clever.faults().clear();
    town.await_no_machines();
    await_nothing_tracked(&town, "healed");
}

#[test]
fn a_job_is_not_over_because_a_proxy_refuses_its_calls_before_it_runs() {
    let town = Town::new();
    let gate = Gate::new();
    town.clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    refuse_all_calls_of_jobs(&town);
    let service = town.start();
    let job = town.submit("suspected", "true");
    await_answers(&town, 1, "PUT", 403, |path| path.contains("/jobs/8"));
    await_answers(&town, 3, "PATCH", 403, is_trace);
    town.await_phase(job, AppPhase::Running);
    // The machine's own calls come through.
    town.coordinator.faults().clear();
    gate.open();
    let ended = town.await_end(job);
    let log = service.whole_log();
    assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
    town.await_no_machines();
    assert_started_once(&town, job);
}

#[test]
fn a_job_is_not_over_because_a_proxy_refuses_its_calls_while_it_runs() {
    let town = Town::new();
    let service = town.start();
    let job = town.submit_lasting("suspected");
    service.await_log("running, seen");
    refuse_all_calls_of_jobs(&town);
    await_answers(&town, 3, "GET", 403, |path| path.ends_with("/job"));
    assert!(town.machine(job).unwrap().has_machine());
    town.coordinator.faults().clear();
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
}

#[test]
fn a_verdict_that_a_proxy_refuses_arrives_afterwards() {
    let town = Town::new();
    refuse_all_calls_of_jobs(&town);
    let _service = town.start();
    let spec = JobSpec::new("oversized", ["true"]).flavor("XXXL");
    let job = town.coordinator.submit(spec);
    await_answers(&town, 1, "PATCH", 403, is_trace);
    // One of them was the greeting.
    await_answers(&town, 2, "PUT", 403, |path| path.contains("/jobs/8"));
    town.coordinator.faults().clear();
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(ended.log().contains("XXXL"), "{:?}", ended.log());
    await_nothing_tracked(&town, "told");
}

#[test]
fn the_words_that_a_proxy_refuses_are_written_before_the_verdict() {
    let town = Town::new();
    let refused = Rule::on("PATCH", "*/trace").times(1);
    town.coordinator
        .faults()
        .inject(refused.with(Fault::html(403)));
    let _service = town.start();
    let spec = JobSpec::new("oversized", ["true"]).flavor("XXXL");
    let job = town.coordinator.submit(spec);
    let ended = town.await_end(job);
    assert!(ended.log().contains("XXXL"), "{:?}", ended.log());
    await_nothing_tracked(&town, "told");
}
