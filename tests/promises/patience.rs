//! Nobody is asked in a tight loop, whatever the answers say.

use std::time::{Duration, Instant};

use sandbox::{Fault, JobStatus, Kind, Response, Rule};

use crate::scene::{PATIENCE, Scene};

/// When such requests were answered, from the first one on.
fn requests(scene: &Scene, wanted: &str, end: &str) -> Vec<Instant> {
    let entries = scene.journal.entries();
    let is_it = |kind: &Kind| {
        matches!(kind, Kind::Request { method, path, .. }
            if method == wanted && path.ends_with(end))
    };
    let wanted = entries.iter().filter(|entry| is_it(&entry.kind));
    wanted.map(|entry| entry.at).collect()
}

/// How long `count` requests took, after the first `skip`. A busy computer makes it longer; or a
/// little shorter, when the first is recorded late.
fn await_requests(scene: &Scene, skip: usize, count: usize, method: &str, end: &str) -> Duration {
    let enough = || requests(scene, method, end).len() >= skip + count;
    if !scene.journal.wait_until(PATIENCE, enough) {
        scene.give_up(&format!("{method} {end} was not sent {count} times"));
    }
    let times = requests(scene, method, end);
    times[skip + count - 1] - times[skip]
}

#[test]
fn a_coordinator_that_wants_to_be_asked_again_at_once_is_not() {
    let scene = Scene::new();
    let busy = Rule::on("POST", "*/jobs/request").always();
    scene
        .coordinator
        .faults()
        .inject(busy.with(Fault::too_many(0)));
    let service = scene.start();
    // The pauses are 0.1, 0.2, 0.4 and 0.8 s, or a quarter less.
    let took = await_requests(&scene, 0, 5, "POST", "/jobs/request");
    assert!(took >= Duration::from_millis(900), "{took:?}");
    scene.coordinator.faults().clear();
    let job = scene.submit("patient", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("the coordinator is back");
}

#[test]
fn an_api_that_wants_to_be_asked_again_at_once_is_not() {
    let scene = Scene::new();
    let busy = Rule::on("POST", "*/applications").always();
    scene.clever.faults().inject(busy.with(Fault::too_many(0)));
    let _service = scene.start();
    let job = scene.submit("patient", "true");
    // The pauses are one and two seconds, or a quarter less.
    let took = await_requests(&scene, 0, 3, "POST", "/applications");
    assert!(took >= Duration::from_millis(1800), "{took:?}");
    scene.clever.faults().clear();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn a_coordinator_that_grants_the_same_job_again_and_again_is_left_alone() {
    let mut scene = Scene::new();
    scene.global = "paas_repoll_same_runner_immediately = true".to_owned();
    let service = scene.start();
    let job = scene.submit_lasting("repeated");
    service.await_log("running, seen");
    let payload = scene.coordinator.job(job).payload.unwrap();
    let again = Fault::Replace(Response::json(201, &payload));
    let always = Rule::on("POST", "*/jobs/request").always();
    let before = requests(&scene, "POST", "/jobs/request").len();
    scene.coordinator.faults().inject(always.with(again));
    // The first of these may have been under way before.
    let took = await_requests(&scene, before + 1, 5, "POST", "/jobs/request");
    assert!(took >= Duration::from_millis(900), "{took:?}");
    scene.coordinator.faults().clear();
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
    let ended = scene.coordinator.job(job);
    assert_eq!(ended.verdicts().len(), 1, "{:?}", ended.calls);
    let next = scene.submit("next", "true");
    assert_eq!(scene.await_end(next).status, JobStatus::Success);
}
