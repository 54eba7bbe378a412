//! A job gets its machine, and loses it again.

use sandbox::{Access, Action, AppPhase, JobSpec, JobStatus};
use serde_json::json;

use crate::scene::Scene;

#[test]
fn a_job_gets_its_machine_runs_and_its_machine_is_gone() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.coordinator.submit(
        JobSpec::new("hello", ["echo hello from $CI_JOB_NAME"])
            .flavor("XL")
            .extra(json!({"unknown": {"z": 1, "a": 9_007_199_254_740_993_u64}})),
    );
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success);
    assert!(ended.log().contains("hello from hello"), "{}", ended.log());
    assert_eq!(ended.verdicts().len(), 1);
    scene.await_no_machines();
    let machine = scene.machine(job).unwrap();
    assert_eq!(machine.flavor, "heptapod-runner-XL");
    assert_eq!(machine.env["CC_MOUNT_DOCKER_SOCKET"], "true");
    assert_eq!(machine.env["CC_ENABLE_HEPTAPOD_RUNNER"], "true");
    scene.assert_started_once(job);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(scene.state()["launched"], json!([]));
    scene.assert_no_complaints();
}

#[test]
fn the_coordinator_hears_of_a_job_before_anything_is_done_about_it() {
    let scene = Scene::new();
    let _service = scene.start();
    let job = scene.submit("greeted", "true");
    let ended = scene.await_end(job);
    let Action::Update { state, .. } = &ended.calls[0].action else {
        panic!("{:?}", ended.calls[0]);
    };
    assert_eq!(state, "running");
    let created = scene.journal.wait_for(crate::scene::PATIENCE, |entries| {
        entries
            .iter()
            .find(|entry| entry.what.contains("POST /v2/organisations"))
            .map(|e| e.at)
    });
    assert!(ended.calls[0].at <= created.unwrap());
}

#[test]
fn the_payload_reaches_the_machine_as_it_came() {
    let scene = Scene::new();
    let _service = scene.start();
    let extra =
        json!({"zebra": 1, "ant": null, "deep": {"unicode": "é☃\u{1F600}", "list": [1.50, "x"]}});
    let job = scene
        .coordinator
        .submit(JobSpec::new("payload", ["true"]).flavor("XS").extra(extra));
    let ended = scene.await_end(job);
    scene.await_phase(job, AppPhase::Deleted);
    let pushed = &scene.machine(job).unwrap().files["job.json"];
    let sent = ended.payload.unwrap();
    let pushed: serde_json::Value = serde_json::from_slice(pushed).unwrap();
    assert_eq!(pushed.to_string(), sent.to_string());
}

#[test]
fn a_cancelled_job_loses_its_machine_while_it_boots_and_while_it_runs() {
    let scene = Scene::with(
        |_| {},
        |clever| clever.latencies.boot = crate::scene::PATIENCE,
    );
    let _service = scene.start();
    let booting = scene.submit("booting", "true");
    scene.await_phase(booting, AppPhase::Booting);
    scene.coordinator.cancel(booting);
    scene.await_phase(booting, AppPhase::Deleted);
    assert_eq!(scene.coordinator.job(booting).status, JobStatus::Canceled);

    let scene = Scene::new();
    let _service = scene.start();
    let running = scene.submit("running", "sleep 600");
    scene.await_phase(running, AppPhase::Running);
    scene.coordinator.cancel(running);
    scene.await_phase(running, AppPhase::Deleted);
    scene.await_no_machines();
}

#[test]
fn several_coordinators_under_a_path_or_not_are_served() {
    let scene = Scene::with(|c| c.relative_url = Some("/gitlab".to_owned()), |_| {});
    let other = Scene::new();
    let mut scene = scene;
    scene.more = other.runner_elsewhere("other");
    let _service = scene.start();
    let (here, there) = (scene.submit("here", "true"), other.submit("there", "true"));
    assert_eq!(here, there, "two coordinators may use the same ids");
    assert_eq!(scene.await_end(here).status, JobStatus::Success);
    assert_eq!(other.await_end(there).status, JobStatus::Success);
    scene.await_no_machines();
    other.await_no_machines();
}

#[test]
fn connections_are_kept_and_reused() {
    let scene = Scene::new();
    let _service = scene.start();
    let requests = || scene.coordinator.job_requests(crate::scene::RUNNER_TOKEN);
    scene.await_that("it is not asked again", || requests().len() >= 10);
    let requests = requests();
    let mut connections: Vec<_> = requests.iter().map(|request| request.connection).collect();
    connections.dedup();
    assert_eq!(connections.len(), 1, "{connections:?}");
}

#[test]
fn a_configured_token_watches_the_log_and_one_that_is_refused_is_no_obstacle() {
    for (token, access) in [
        ("glpat-admin", Some(Access::Administrator)),
        ("glpat-revoked", None),
    ] {
        let scene = Scene::new();
        if let Some(access) = access {
            scene.coordinator.add_user(token, access);
        }
        let watch = format!("poll_step = 0.1\ntoken = \"{token}\"");
        let _service = scene.start_changed(&[("poll_step = 0.1", &watch)]);
        let job = scene.submit_lasting("watched");
        let trace = format!("/jobs/{job}/trace");
        let read = |path: &str| path.starts_with("/api/v4/projects/") && path.ends_with(&trace);
        scene.await_that(&format!("the log is not read with {token}"), || {
            scene.journal.count_requests("GET", read) > 0
        });
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.await_no_machines();
    }
}

/// A coordinator fails jobs that need what is not announced.
#[test]
fn what_the_inner_runner_can_do_is_announced_as_its_section_says() {
    let mut scene = Scene::new();
    scene.runner =
        "cc_runner_features = { vault_secrets = true, session = false, image = true }".to_owned();
    let _service = scene.start();
    let requests = || scene.coordinator.job_requests(crate::scene::RUNNER_TOKEN);
    scene.await_that("it is not asked", || !requests().is_empty());
    let features = &requests()[0].features;
    for (feature, announced) in [
        ("fallback_cache_keys", true),
        ("vault_secrets", true),
        ("session", false),
        ("image", true),
        ("proxy", false),
    ] {
        assert_eq!(features[feature], announced, "{feature}");
    }
}
