//! A job that finds no room is held: it is ours, waits, and is lost by nothing.

use sandbox::{AppPhase, JobSpec, JobStatus};
use serde_json::Value;

use crate::scene::{RUNNER_TOKEN, Scene};

/// What a job weighs that is asked for is known when it comes: not before.
const HELD: &str = "held: its machine weighs";

/// A quota of one 3XL, in which an XL runs until it is let go, a 3XL that waits for it, and a third
/// job, which waits at the coordinator.
fn with_a_held_job(scene: &mut Scene, held: JobSpec) -> [sandbox::JobId; 3] {
    scene.quota_jobs = 1;
    [
        scene.submit_for("runs", &scene.lasting_script(), "XL"),
        scene.coordinator.submit(held.flavor("3XL")),
        scene.submit_for("waits", "true", "XS"),
    ]
}

#[test]
fn a_held_job_survives_kill_9_and_runs_when_there_is_room() {
    let mut scene = Scene::new();
    let [runs, held, waits] = with_a_held_job(&mut scene, JobSpec::new("held", ["true"]));
    let service = scene.start();
    service.await_log(HELD);
    scene.await_phase(runs, AppPhase::Running);
    let log = service.kill();
    let state = scene.state();
    let pending = state["pending"].as_array().unwrap();
    let is_there = |entry: &Value| entry[0]["job_id"].as_u64() == Some(held);
    assert!(pending.iter().any(is_there), "{log}");
    let service = scene.start();
    service.await_log(HELD);
    assert!(scene.machine(held).is_none(), "it has no room");
    assert_eq!(scene.coordinator.job(waits).status, JobStatus::Pending);
    scene.let_end();
    service.await_log("there is room for its machine");
    service.kill();
    let _service = scene.start();
    for job in [runs, held, waits] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.assert_started_once(held);
    scene.await_no_machines();
    scene.assert_no_complaints_but_of_kills();
}

#[test]
fn a_held_job_that_is_canceled_makes_way() {
    let mut scene = Scene::new();
    let [runs, held, next] = with_a_held_job(&mut scene, JobSpec::new("held", ["true"]));
    let service = scene.start();
    service.await_log(HELD);
    scene.coordinator.cancel(held);
    assert_eq!(scene.await_end(next).status, JobStatus::Success);
    assert_eq!(scene.coordinator.job(runs).status, JobStatus::Running);
    scene.let_end();
    scene.await_end(runs);
    scene.await_nothing_tracked("after the end");
    let ever = scene.clever.ever_created();
    let name = scene.machine_name(held);
    assert!(ever.iter().all(|app| app.name != name), "it had a machine");
    scene.assert_no_complaints();
}

#[test]
fn a_job_that_was_held_too_long_fails_in_words_so_that_it_can_run_elsewhere() {
    let mut scene = Scene::new();
    scene.global = "paas_hold_at_most = 0.0005".to_owned();
    let [runs, held, _] = with_a_held_job(&mut scene, JobSpec::new("held", ["true"]));
    let _service = scene.start();
    let failed = scene.await_end(held);
    assert_eq!(
        failed.failure_reason.as_deref(),
        Some("runner_system_failure")
    );
    let log = failed.log();
    assert!(log.contains("leave room for it"), "{log}");
    scene.let_end();
    scene.await_end(runs);
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_job_that_can_never_have_room_is_refused_in_words_at_once() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    scene.runner = "quota_max_fraction = 0.5".to_owned();
    let own = scene.submit_for("chose it", "true", "3XL");
    let others = scene.submit_for("fits", "true", "XS");
    let service = scene.start();
    let refused = scene.await_end(own);
    assert_eq!(refused.failure_reason.as_deref(), Some("script_failure"));
    let log = refused.log();
    assert!(
        log.contains("Set CI_CLEVER_CLOUD_FLAVOR to a smaller one"),
        "{log}"
    );
    assert_eq!(scene.await_end(others).status, JobStatus::Success);
    let (_, log) = service.stop();
    assert!(
        !log.contains("ERROR"),
        "nothing an administrator must do: {log}"
    );
}

#[test]
fn other_runners_pass_a_held_job_only_where_that_does_not_delay_it() {
    let mut scene = Scene::new();
    let other = Scene::new();
    scene.more = other.runner_elsewhere("other");
    let [runs, held, _] = with_a_held_job(&mut scene, JobSpec::new("held", ["true"]));
    let service = scene.start();
    service.await_log(HELD);
    let passes = other.submit_for("would delay it", "true", "XS");
    // Unless a request was under way just then, it stays in the queue.
    scene.await_that("it waits, here or there", || {
        let log = service.whole_log();
        log.contains("runner=other: not polling: a job needs room")
            || log.contains(&format!("job={passes} runner=other: held"))
    });
    assert!(other.machine(passes).is_none());
    scene.let_end();
    for job in [runs, held] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    assert_eq!(other.await_end(passes).status, JobStatus::Success);
}

#[test]
fn a_jobs_tags_choose_its_machine_unless_it_names_one() {
    let mut scene = Scene::new();
    scene.runner = "cc_default_flavor = \"XS\"\n\
                    [runners.cc_flavor_by_tag]\n\
                    small = \"S\"\n\
                    \"saas-linux-large-amd64\" = \"L\""
        .to_owned();
    let tagged = |name: &str, tags: &[&str]| {
        let spec = JobSpec::new(name, ["true"]);
        tags.iter().fold(spec, |spec, tag| spec.tag(*tag))
    };
    let large = "saas-linux-large-amd64";
    // All of them fit beside it, if each has its own weight.
    scene.quota_jobs = 1;
    let runs = scene.submit_for("runs", &scene.lasting_script(), "XL");
    let of_runner = ["small", large, "other"];
    scene.coordinator.set_runner_tags(RUNNER_TOKEN, of_runner);
    let jobs = [
        (tagged("one", &["small"]), "S"),
        (tagged("the heaviest", &["small", large, "other"]), "L"),
        (tagged("none of these", &["other"]), "XS"),
        (tagged("says it", &[large]).flavor("M"), "M"),
    ]
    .map(|(spec, flavor)| (scene.coordinator.submit(spec), flavor));
    let service = scene.start();
    for (job, _) in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.let_end();
    assert_eq!(scene.await_end(runs).status, JobStatus::Success);
    scene.await_nothing_tracked("after the end");
    let (_, log) = service.stop();
    for (job, flavor) in jobs {
        let finished = format!(", {flavor}, ");
        let line = |line: &&str| line.contains(&job.to_string()) && line.contains("finished: ");
        let line = log.lines().find(line).unwrap_or_default();
        assert!(line.contains(&finished), "{flavor}: {line}");
    }
    scene.assert_no_complaints();
}
