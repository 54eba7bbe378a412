//! A change of the configuration takes effect without a restart, and a mistake in it has none.

use rustix::process::Signal;
use sandbox::clever::Role;
use sandbox::{Fault, JobSpec, JobStatus, Rule, RunnerSpec};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, RUNNER_TOKEN, Scene};
use crate::service::Service;

const SECOND_TOKEN: &str = "glrt-SECOND-runner-00";

fn reload(service: &Service) {
    service.signal(Signal::HUP);
    service.await_log("the configuration was read again");
}

#[test]
fn runners_come_and_go_and_the_jobs_of_one_that_is_gone_run_to_their_end() {
    let mut scene = Scene::new();
    let second = RunnerSpec::new(SECOND_TOKEN).tags(["second"]).only_tagged();
    scene.coordinator.add_runner(second);
    let service = scene.start();
    let lasting = scene.submit_lasting("of the first");
    scene.await_status(lasting, |status| status == JobStatus::Running);
    scene.more = scene
        .runner_elsewhere("second")
        .replace(RUNNER_TOKEN, SECOND_TOKEN);
    let of_second = JobSpec::new("of the second", ["true"])
        .flavor("XS")
        .tag("second");
    let waits = scene.coordinator.submit(of_second);
    scene.write_configuration();
    service.signal(Signal::HUP);
    service.await_log("the configuration was read again: 2 runners; new: second");
    assert_eq!(scene.await_end(waits).status, JobStatus::Success);

    let first = scene.configuration();
    let (global, _) = first.split_once("[[runners]]").unwrap();
    let global = global.replace("\"ci\"", "\"second\"");
    std::fs::write(scene.config_path(), global + &scene.more).unwrap();
    service.signal(Signal::HUP);
    service.await_log("the configuration was read again: 1 runner; gone: ci");
    scene.await_status_that("the first one's job is not the only one", |status| {
        let only = status["jobs"]
            .as_array()
            .is_some_and(|jobs| jobs.len() == 1);
        only && status["jobs"][0]["id"] == lasting && status["runners"][1].is_null()
    });
    scene.let_end();
    assert_eq!(scene.await_end(lasting).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("after the reloads");
    // It is not asked for any more.
    let nobodys = scene.submit("of nobody", "true");
    let again = JobSpec::new("of the second", ["true"])
        .flavor("XS")
        .tag("second");
    scene.await_end(scene.coordinator.submit(again));
    assert_eq!(scene.coordinator.job(nobodys).status, JobStatus::Pending);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    scene.assert_no_complaints();
}

#[test]
fn a_mistake_changes_nothing_and_is_told_with_its_line() {
    let scene = Scene::new();
    let service = scene.start();
    service.await_log("asking http");
    for (mistake, told) in [
        ("check_interval = \"often\"", "paas-runner.toml:2: "),
        ("check_interval = ", "paas-runner.toml:2:"),
    ] {
        scene.rewrite(&[("check_interval = 0.1", mistake)]);
        service.signal(Signal::HUP);
        let line = service.await_log(told);
        assert!(
            line.contains("ERROR the configuration can't be used: "),
            "{line}"
        );
    }
    service.await_log("ERROR nothing was changed");
    // What only the service must be able to read.
    scene.rewrite(&[(RUNNER_TOKEN, "file:/nowhere")]);
    let (code, _, complaint) = scene.ask(&["--reload"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("/nowhere"), "{complaint}");
    let job = scene.submit("as before", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.write_configuration();
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    scene.rewrite(&[("state.json", "elsewhere.json")]);
    reload(&service);
    service.await_log("`state_file` can't be changed while the service runs");
    let job = scene.submit("after it", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    assert!(!scene.folder.path().join("elsewhere.json").exists());
    scene.write_configuration();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}

#[test]
fn limits_and_the_log_are_those_of_the_new_configuration_and_count_the_jobs_that_are_here() {
    let mut scene = Scene::new();
    let service = scene.start();
    let first = scene.submit_lasting("first");
    scene.await_status(first, |status| status == JobStatus::Running);
    scene.runner = "limit = 1".to_owned();
    scene.global = "log_level = \"debug\"".to_owned();
    scene.write_configuration();
    reload(&service);
    let second = scene.submit_lasting("second");
    scene.await_status_that("the limit does not count", |status| {
        let reason = status["runners"][0]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("all that its `limit` allows"))
    });
    assert_eq!(scene.coordinator.job(second).status, JobStatus::Pending);
    scene.runner.clear();
    scene.write_configuration();
    service.signal(Signal::HUP);
    scene.await_status(second, |status| status == JobStatus::Running);
    service.await_log("DEBUG");
    scene.let_end();
    for job in [first, second] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
}

#[test]
fn a_secret_that_was_renewed_is_used_for_the_machines_that_are_here() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("outlives its credential");
    scene.await_status(job, |status| status == JobStatus::Running);
    service.await_log("running, seen");
    let renewed = "0b2a1a2e-3c4d-4e5f-8a9b-renewed00000";
    scene
        .clever
        .add_organization(ORGANIZATION, renewed, Role::Manager);
    // Twice: it is not only the last generation that is renewed.
    for _ in 0..2 {
        scene.rewrite(&[(CLEVER_TOKEN, renewed)]);
        reload(&service);
    }
    scene.clever.revoke_token(CLEVER_TOKEN);
    scene.let_end();
    scene.await_end(job);
    scene.await_no_machines();
    let (exit, log) = service.stop();
    assert!(exit.success() && !log.contains("decommissioning"), "{log}");
}

#[test]
fn by_a_quota_that_was_changed_no_job_is_taken_until_it_is_known() {
    let scene = Scene::new();
    let service = scene.start();
    service.await_log("asking http");
    scene.rewrite(&[("reference_flavor = \"3XL\"", "reference_flavor = \"9XL\"")]);
    reload(&service);
    service.await_log("taking no new ones until it is on offer");
    let job = scene.submit("waits", "true");
    let status = scene.status();
    let wrong = status["wrong"][0].as_str().unwrap();
    assert!(wrong.contains("the quota can't be computed yet"), "{wrong}");
    assert_eq!(status["runners"][0]["does"], "begin");
    // Each reading begins a shift, and a shift with a question.
    let asked = scene.count_job_requests();
    for _ in 0..5 {
        assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    }
    assert_eq!(scene.status()["runners"][0]["does"], "begin");
    assert_eq!(scene.count_job_requests(), asked);
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Pending);
    scene.write_configuration();
    service.signal(Signal::HUP);
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    assert_eq!(scene.status()["wrong"], serde_json::json!([]));

    // As long as it is the same, it counts, whatever has become of Clever Cloud.
    let flavors = Rule::on("GET", "*/products/flavors*").always();
    scene.clever.faults().inject(flavors.with(Fault::Hang));
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    let status = scene.await_status_that("the quota is forgotten", |status| {
        status["quota"]["weight_limit"].is_number()
    });
    assert_eq!(status["wrong"], serde_json::json!([]));
    scene.clever.faults().clear();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    scene.assert_no_complaints();
}

#[test]
fn a_runner_that_is_called_otherwise_does_not_ask_twice_at_once() {
    let scene = Scene::new();
    let gate = scene.hold_job_request(Fault::HoldAfter);
    let job = scene.submit("is being granted", "true");
    let service = scene.start();
    scene.await_status(job, |status| status == JobStatus::Running);
    scene.rewrite(&[("\"ci\"", "\"renamed\"")]);
    service.signal(Signal::HUP);
    service.await_log("1 runner; new: renamed; gone: ci");
    service.await_log("runner=renamed: the quota is");
    let status = scene.await_status_that("it is not told what it waits for", |status| {
        let reason = status["runners"][0]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("a request of before that may be under way"))
    });
    assert_eq!(status["runners"][0]["does"], "begin");
    gate.open();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("runner=renamed: asking http");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    scene.assert_no_complaints();
}
