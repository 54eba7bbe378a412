//! A job gets its machine, and loses it again.

use sandbox::{Access, Action, AppPhase, JobSpec, JobStatus};
use serde_json::json;

use crate::town::{Town, assert_started_once};

#[test]
fn a_job_gets_its_machine_runs_and_its_machine_is_gone() {
    let town = Town::new();
    let service = town.start();
    let job = town.coordinator.submit(
        JobSpec::new("hello", ["echo hello from $CI_JOB_NAME"])
            .flavor("XL")
            .extra(json!({"unknown": {"z": 1, "a": 9_007_199_254_740_993_u64}})),
    );
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Success);
    assert!(ended.log().contains("hello from hello"), "{}", ended.log());
    assert_eq!(ended.verdicts().len(), 1);
    town.await_no_machines();
    let machine = town.machine(job).unwrap();
    assert_eq!(machine.flavor, "heptapod-runner-XL");
    assert_eq!(machine.env["CC_MOUNT_DOCKER_SOCKET"], "true");
    assert_eq!(machine.env["CC_ENABLE_HEPTAPOD_RUNNER"], "true");
    assert_started_once(&town, job);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(town.state()["launched"], json!([]));
    town.check_manners();
}

#[test]
fn the_coordinator_hears_of_a_job_before_anything_is_done_about_it() {
    let town = Town::new();
    let _service = town.start();
    let job = town.submit("greeted", "true");
    let ended = town.await_end(job);
    let Action::Update { state, .. } = &ended.calls[0].action else {
        panic!("{:?}", ended.calls[0]);
    };
    assert_eq!(state, "running");
    let created = town.journal.wait_for(crate::town::PATIENCE, |entries| {
        entries
            .iter()
            .find(|entry| entry.what.contains("POST /v2/organisations"))
            .map(|e| e.at)
    });
    assert!(ended.calls[0].at <= created.unwrap());
}

#[test]
fn the_payload_reaches_the_machine_as_it_came() {
    let town = Town::new();
    let _service = town.start();
    let extra =
        json!({"zebra": 1, "ant": null, "deep": {"unicode": "é☃\u{1F600}", "list": [1.50, "x"]}});
    let job = town
        .coordinator
        .submit(JobSpec::new("payload", ["true"]).flavor("XS").extra(extra));
    let ended = town.await_end(job);
    town.await_phase(job, AppPhase::Deleted);
    let pushed = &town.machine(job).unwrap().files["job.json"];
    let sent = ended.payload.unwrap();
    let pushed: serde_json::Value = serde_json::from_slice(pushed).unwrap();
    assert_eq!(pushed.to_string(), sent.to_string());
}

#[test]
fn a_cancelled_job_loses_its_machine_while_it_boots_and_while_it_runs() {
    let town = Town::with(
        |_| {},
        |clever| clever.latencies.boot = crate::town::PATIENCE,
    );
    let _service = town.start();
    let booting = town.submit("booting", "true");
    town.await_phase(booting, AppPhase::Booting);
    town.coordinator.cancel(booting);
    town.await_phase(booting, AppPhase::Deleted);
    assert_eq!(town.coordinator.job(booting).status, JobStatus::Canceled);

    let town = Town::new();
    let _service = town.start();
    let running = town.submit("running", "sleep 600");
    town.await_phase(running, AppPhase::Running);
    town.coordinator.cancel(running);
    town.await_phase(running, AppPhase::Deleted);
    town.await_no_machines();
}

#[test]
fn several_coordinators_under_a_path_or_not_are_served() {
    let town = Town::with(|c| c.relative_url = Some("/gitlab".to_owned()), |_| {});
    let other = Town::new();
    let mut town = town;
    town.more = other.runner_elsewhere("other");
    let _service = town.start();
    let (here, there) = (town.submit("here", "true"), other.submit("there", "true"));
    assert_eq!(here, there, "two coordinators may use the same ids");
    assert_eq!(town.await_end(here).status, JobStatus::Success);
    assert_eq!(other.await_end(there).status, JobStatus::Success);
    town.await_no_machines();
    other.await_no_machines();
}

#[test]
fn connections_are_kept_and_reused() {
    let town = Town::new();
    let _service = town.start();
    let requests = || town.coordinator.job_requests(crate::town::RUNNER_TOKEN);
    town.journal
        .wait_until(crate::town::PATIENCE, || requests().len() >= 10);
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
        let town = Town::new();
        if let Some(access) = access {
            town.coordinator.add_user(token, access);
        }
        let watch = format!("poll_step = 0.1\ntoken = \"{token}\"");
        let configuration = town.configuration().replace("poll_step = 0.1", &watch);
        std::fs::write(town.config_path(), configuration).unwrap();
        let path = town.config_path().display().to_string();
        let _service = crate::service::Service::start(&[path], &[]);
        let job = town.submit("watched", "sleep 1");
        assert_eq!(town.await_end(job).status, JobStatus::Success);
        town.await_no_machines();
        let trace = format!("/jobs/{job}/trace");
        let read = |path: &str| path.starts_with("/api/v4/projects/") && path.ends_with(&trace);
        assert!(town.journal.count_requests("GET", read) > 0, "{token}");
    }
}
