//! What stands between us and a service speaks for itself only: nothing is believed to be over, or
//! gone, because a proxy says so.

use sandbox::{AppPhase, Fault, Gate, JobStatus, Kind, MachineBehaviour, Rule};

use crate::scene::{PATIENCE, Scene};

/// How many such requests had this answer.
fn answered(scene: &Scene, wanted: &str, answer: u16, is_it: impl Fn(&str) -> bool) -> usize {
    let answers = |kind: &Kind| {
        matches!(kind, Kind::Request { method, path, status, .. }
            if method == wanted && *status == Some(answer) && is_it(path))
    };
    let entries = scene.journal.entries();
    entries.iter().filter(|entry| answers(&entry.kind)).count()
}

fn await_answers(
    scene: &Scene,
    count: usize,
    method: &str,
    answer: u16,
    is_it: impl Fn(&str) -> bool,
) {
    let reached = || answered(scene, method, answer, &is_it) >= count;
    if !scene.journal.wait_until(PATIENCE, reached) {
        scene.give_up(&format!("no {count} answers {answer} to {method}"));
    }
}

fn is_trace(path: &str) -> bool {
    path.ends_with("/trace")
}

/// A firewall that does not like what jobs' tokens do. The requests for jobs it lets pass.
fn refuse_all_calls_of_jobs(scene: &Scene) {
    for path in ["*/jobs/8*", "*/job"] {
        let refused = Rule::on_any(path).always().with(Fault::html(403));
        scene.coordinator.faults().inject(refused);
    }
}

#[test]
fn a_machine_is_not_gone_because_a_proxy_does_not_find_it() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("hidden");
    service.await_log("running, seen");
    for method in ["DELETE", "GET"] {
        let hidden = Rule::on(method, "*/applications*").always();
        scene.clever.faults().inject(hidden.with(Fault::html(404)));
    }
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("try 2");
    assert!(!scene.machine(job).unwrap().is_deleted());
    scene.clever.faults().clear();
    scene.await_no_machines();
    scene.await_nothing_tracked("healed");
}

#[test]
fn a_job_is_not_over_because_a_proxy_refuses_its_calls_before_it_runs() {
    let scene = Scene::new();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    refuse_all_calls_of_jobs(&scene);
    let service = scene.start();
    let job = scene.submit("suspected", "true");
    await_answers(&scene, 1, "PUT", 403, |path| path.contains("/jobs/8"));
    await_answers(&scene, 3, "PATCH", 403, is_trace);
    scene.await_phase(job, AppPhase::Running);
    // The machine's own calls come through.
    scene.coordinator.faults().clear();
    gate.open();
    let ended = scene.await_end(job);
    let log = service.whole_log();
    assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
    scene.await_no_machines();
    scene.assert_started_once(job);
}

#[test]
fn a_job_is_not_over_because_a_proxy_refuses_its_calls_while_it_runs() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("suspected");
    service.await_log("running, seen");
    refuse_all_calls_of_jobs(&scene);
    await_answers(&scene, 3, "GET", 403, |path| path.ends_with("/job"));
    assert!(scene.machine(job).unwrap().has_machine());
    scene.coordinator.faults().clear();
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn a_verdict_that_a_proxy_refuses_arrives_afterwards() {
    let scene = Scene::new();
    refuse_all_calls_of_jobs(&scene);
    let _service = scene.start();
    let job = scene.submit_cheap("oversized");
    await_answers(&scene, 1, "PATCH", 403, is_trace);
    // One of them was the greeting.
    await_answers(&scene, 2, "PUT", 403, |path| path.contains("/jobs/8"));
    scene.coordinator.faults().clear();
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(ended.log().contains("XXXL"), "{:?}", ended.log());
    scene.await_nothing_tracked("told");
}

#[test]
fn the_words_that_a_proxy_refuses_are_written_before_the_verdict() {
    let scene = Scene::new();
    let refused = Rule::on("PATCH", "*/trace").times(1);
    scene
        .coordinator
        .faults()
        .inject(refused.with(Fault::html(403)));
    let _service = scene.start();
    let job = scene.submit_cheap("oversized");
    let ended = scene.await_end(job);
    assert!(ended.log().contains("XXXL"), "{:?}", ended.log());
    scene.await_nothing_tracked("told");
}
