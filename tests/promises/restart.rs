//! Stopped, the next start goes on with every job where it was.

use std::time::Duration;

use rustix::process::Signal;
use sandbox::MachineBehaviour;
use sandbox::{AppPhase, Fault, Gate, JobStatus, Rule, RunnerSpec};

use crate::afterwards::await_nothing_tracked;
use crate::town::{PATIENCE, RUNNER_TOKEN, Town, assert_started_once};

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
    let gate = town.hold_push();
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

#[test]
fn a_job_that_is_granted_during_the_stop_waits_for_the_next_start() {
    let town = Town::new();
    let mut service = town.start();
    // After it, all that a creation needs is known already.
    let before = town.submit("before", "true");
    assert_eq!(town.await_end(before).status, JobStatus::Success);
    town.await_no_machines();
    let gate = Gate::new();
    let hold = Rule::on("POST", "*/jobs/request").with(Fault::HoldBefore(gate.clone()));
    town.coordinator.faults().inject(hold);
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::TERM);
    service.await_log("stopping");
    let job = town.submit("last minute", "true");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert!(
        log.contains(&format!("job={job} runner=ci: granted")),
        "{log}"
    );
    let is_creation = |path: &str| path.ends_with("/applications");
    let created = town.journal.count_requests("POST", is_creation);
    assert_eq!(created, 1, "only for the first: {log}");
    let _service = town.start();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    assert_started_once(&town, job);
}

#[test]
fn a_twin_from_before_a_restart_is_deleted_after_it() {
    let town = Town::with(
        |_| {},
        |clever| clever.latencies.list_lag = Duration::from_secs(9),
    );
    let lost = Rule::on("POST", "*/applications").with(Fault::CutAfter);
    town.clever.faults().inject(lost);
    let service = town.start();
    let job = town.submit_lasting("twins");
    service.await_log("running, seen");
    assert_eq!(town.clever.ever_created().len(), 2, "there must be a twin");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    let service = town.start();
    service.await_log("going on with 1 jobs");
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    await_nothing_tracked(&town, "after both");
    assert_started_once(&town, job);
}

#[test]
fn a_job_is_watched_to_its_end_when_its_runners_token_was_changed() {
    let town = Town::new();
    let service = town.start();
    let job = town.submit_lasting("renewed");
    service.await_log("running, seen");
    service.stop();
    // As when it is reset: the old one is unknown from now on.
    let renewed = "An0therTESTtoken0000";
    town.coordinator.add_runner(RunnerSpec::new(renewed));
    town.coordinator.revoke_runner(RUNNER_TOKEN);
    let configuration = town.configuration().replace(RUNNER_TOKEN, renewed);
    let service = town.start_as(&configuration);
    service.await_log("going on with 1 jobs");
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    await_nothing_tracked(&town, "after the change");
    assert_started_once(&town, job);
}
