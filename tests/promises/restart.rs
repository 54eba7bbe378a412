//! Stopped or killed, the next start goes on with every job where it was.

use rustix::process::Signal;
use sandbox::MachineBehaviour;
use sandbox::{AppPhase, Fault, Gate, JobStatus, Rule};

use crate::town::{PATIENCE, Town, assert_started_once};

/// Holds one request of the program, stops the program there, starts it again, and expects the
/// job to end well, on one machine, of which nothing is left.
fn interrupted(
    at: &str,
    hold: impl FnOnce(&Town, Gate),
    stop: impl FnOnce(crate::service::Service),
) {
    let town = Town::new();
    let gate = Gate::new();
    hold(&town, gate.clone());
    let service = town.start();
    let job = town.submit("interrupted", "sleep 0.5");
    assert!(
        gate.wait_reached(PATIENCE),
        "{at} is never reached: {}",
        service.whole_log()
    );
    stop(service);
    gate.open();
    let service = town.start();
    let ended = town.await_end(job);
    assert_eq!(
        ended.status,
        JobStatus::Success,
        "{at}: {}",
        service.whole_log()
    );
    assert_eq!(ended.verdicts().len(), 1, "{at}");
    town.await_no_machines();
    assert_started_once(&town, job);
    service.await_log("is gone, after");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{at}: {log}");
    let state = town.state();
    for list in ["launched", "pending", "to_decommission"] {
        assert_eq!(state[list], serde_json::json!([]), "{at}: {list}");
    }
}

fn on_api(
    method: &'static str,
    path: &'static str,
    fault: fn(Gate) -> Fault,
) -> impl FnOnce(&Town, Gate) {
    move |town, gate| {
        town.clever
            .faults()
            .inject(Rule::on(method, path).times(1).with(fault(gate)));
    }
}

fn on_coordinator(
    method: &'static str,
    path: &'static str,
    fault: fn(Gate) -> Fault,
) -> impl FnOnce(&Town, Gate) {
    move |town, gate| {
        town.coordinator
            .faults()
            .inject(Rule::on(method, path).times(1).with(fault(gate)));
    }
}

fn on_git(
    method: &'static str,
    path: &'static str,
    fault: fn(Gate) -> Fault,
) -> impl FnOnce(&Town, Gate) {
    move |town, gate| {
        town.clever
            .git_faults()
            .inject(Rule::on(method, path).times(1).with(fault(gate)));
    }
}

fn kill(service: crate::service::Service) {
    service.kill();
}

#[test]
fn killed_before_and_after_the_greeting() {
    interrupted(
        "before PUT running",
        on_coordinator("PUT", "*/jobs/*", Fault::HoldBefore),
        kill,
    );
    interrupted(
        "after PUT running",
        on_coordinator("PUT", "*/jobs/*", Fault::HoldAfter),
        kill,
    );
}

#[test]
fn killed_before_the_creation() {
    interrupted(
        "before POST application",
        on_api("POST", "*/applications", Fault::HoldBefore),
        kill,
    );
}

#[test]
fn killed_after_the_creation() {
    interrupted(
        "after POST application",
        on_api("POST", "*/applications", Fault::HoldAfter),
        kill,
    );
}

#[test]
fn killed_while_the_repository_is_awaited() {
    interrupted(
        "GET application",
        on_api("GET", "*/applications/app_*", Fault::HoldBefore),
        kill,
    );
}

#[test]
fn killed_before_the_push() {
    interrupted(
        "before the push",
        on_git("POST", "*git-receive-pack", Fault::HoldBefore),
        kill,
    );
}

#[test]
fn killed_after_the_push() {
    interrupted(
        "after the push",
        on_git("POST", "*git-receive-pack", Fault::HoldAfter),
        kill,
    );
}

#[test]
fn killed_while_it_looks_whether_the_job_runs() {
    interrupted(
        "before the probe",
        on_coordinator("PATCH", "*/trace", Fault::HoldBefore),
        kill,
    );
}

#[test]
fn killed_before_and_after_the_deletion() {
    interrupted(
        "before DELETE",
        on_api("DELETE", "*", Fault::HoldBefore),
        kill,
    );
    interrupted(
        "after DELETE",
        on_api("DELETE", "*", Fault::HoldAfter),
        kill,
    );
}

#[test]
fn killed_while_the_machine_boots_and_while_the_job_runs() {
    for phase in [AppPhase::Booting, AppPhase::Running] {
        let town = Town::new();
        let gate = Gate::new();
        town.clever
            .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
        let service = town.start();
        let job = town.submit("long", "true");
        town.await_phase(job, phase);
        service.kill();
        let _service = town.start();
        gate.open();
        assert_eq!(town.await_end(job).status, JobStatus::Success);
        town.await_no_machines();
        assert_started_once(&town, job);
    }
}

#[test]
fn a_stop_takes_seconds_and_the_next_start_goes_on() {
    let town = Town::new();
    let gate = Gate::new();
    town.clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let service = town.start();
    let jobs: Vec<_> = (0..3)
        .map(|n| town.submit(&format!("job {n}"), "true"))
        .collect();
    for job in &jobs {
        town.await_phase(*job, AppPhase::Running);
    }
    let asked = std::time::Instant::now();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
    assert!(log.contains("3 jobs are in the state file"), "{log}");
    let service = town.start();
    service.await_log("going on with 3 jobs");
    gate.open();
    for job in jobs {
        assert_eq!(town.await_end(job).status, JobStatus::Success);
    }
    town.await_no_machines();
    town.check_manners();
}

#[test]
fn a_push_under_way_is_finished_before_the_end() {
    let town = Town::new();
    let gate = Gate::new();
    let hold = Rule::on("POST", "*git-receive-pack")
        .times(1)
        .with(Fault::HoldBefore(gate.clone()));
    town.clever.git_faults().inject(hold);
    let mut service = town.start();
    let job = town.submit("pushing", "true");
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::INT);
    service.await_log("stopping");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert!(log.contains("handed over"), "{log}");
    let _service = town.start();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    assert_started_once(&town, job);
}

#[test]
fn a_job_request_under_way_is_never_cut() {
    let town = Town::new();
    let gate = Gate::new();
    let hold = Rule::on("POST", "*/jobs/request")
        .times(1)
        .with(Fault::HoldBefore(gate.clone()));
    town.coordinator.faults().inject(hold);
    let mut service = town.start();
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::TERM);
    service.await_log("stopping");
    let job = town.submit("last minute", "true");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert_eq!(
        town.state()["pending"].as_array().unwrap().len(),
        1,
        "{log}"
    );
    let _service = town.start();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
}

#[test]
fn a_failure_that_nobody_could_be_told_is_told_later() {
    let town = Town::new();
    let gone = Rule::on_any("*/jobs/8*").always().with(Fault::status(500));
    let service = town.start();
    town.coordinator.faults().inject(gone);
    let job = town
        .coordinator
        .submit(sandbox::JobSpec::new("unlucky", ["true"]).flavor("XXXL"));
    service.await_log("telling the coordinator that the job failed");
    service.kill();
    assert_eq!(town.coordinator.job(job).status, JobStatus::Running);
    town.coordinator.faults().clear();
    let _service = town.start();
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(ended.log().contains("XXXL"), "{}", ended.log());
}
