//! Stopped, the next start goes on with every job where it was.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::MachineBehaviour;
use sandbox::clever::Role;
use sandbox::{AppPhase, Fault, Gate, JobStatus, Rule, RunnerSpec};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, PATIENCE, RUNNER_TOKEN, Scene};

#[test]
fn a_stop_takes_seconds_and_the_next_start_goes_on() {
    let scene = Scene::new();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let service = scene.start();
    let jobs: Vec<_> = (0..3)
        .map(|n| scene.submit(&format!("job {n}"), "true"))
        .collect();
    for job in &jobs {
        scene.await_phase(*job, AppPhase::Running);
    }
    let asked = std::time::Instant::now();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
    assert!(
        log.contains("goes on with 3 jobs from the state file"),
        "{log}"
    );
    let service = scene.start();
    service.await_log("going on with 3 jobs");
    gate.open();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_push_under_way_is_finished_before_the_end() {
    let scene = Scene::new();
    let gate = scene.hold_push();
    let mut service = scene.start();
    let job = scene.submit("pushing", "true");
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::INT);
    service.await_log("stopping");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert!(log.contains("handed over"), "{log}");
    let _service = scene.start();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
}

#[test]
fn a_job_request_that_was_just_sent_is_waited_for() {
    let scene = Scene::new();
    let gate = scene.hold_job_request(Fault::HoldBefore);
    let mut service = scene.start();
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::TERM);
    service.await_log("stopping");
    let job = scene.submit("last minute", "true");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert_eq!(
        scene.state()["pending"].as_array().unwrap().len(),
        1,
        "{log}"
    );
    let _service = scene.start();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
}

/// As a laptop or a virtual machine is, with jobs in every phase: time goes on without it.
#[test]
fn a_service_that_was_suspended_goes_on_with_all_jobs() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    // In the time of the suspension each of these is over.
    scene.global = "paas_max_concurrent_provisioning = 2".to_owned();
    let service = scene.start_changed(&[("timeout_seconds = 30", "timeout_seconds = 3")]);
    let runs = scene.submit_for("runs", &scene.lasting_script(), "XL");
    service.await_log(&format!("job={runs} runner=ci: running, seen"));
    let gate = scene.hold_push();
    let pushes = scene.submit("pushes", "true");
    assert!(gate.wait_reached(PATIENCE));
    let held = scene.submit_for("held", "true", "3XL");
    service.await_log(&format!("job={held} runner=ci: held"));
    let waits = scene.submit("waits", "true");
    service.signal(Signal::STOP);
    gate.open();
    scene.let_end();
    assert_eq!(scene.await_end(runs).status, JobStatus::Success);
    // The suspension itself.
    thread::sleep(Duration::from_secs(4));
    service.signal(Signal::CONT);
    for job in [pushes, held, waits] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.assert_started_once(job);
    }
    scene.await_no_machines();
}

/// As from a service manager that signals a service and each of its processes.
#[test]
fn a_second_signal_at_once_loses_no_grant_and_one_a_second_later_ends_it() {
    for signals in [[Signal::TERM, Signal::TERM], [Signal::INT, Signal::TERM]] {
        let scene = Scene::new();
        let gate = scene.hold_job_request(Fault::HoldAfter);
        let job = scene.submit("under way", "true");
        let mut service = scene.start_with(&["--logging-level", "DEBUG"]);
        assert!(gate.wait_reached(PATIENCE));
        service.signal(signals[0]);
        // Before it was taken, a second one of the same kind would be the same.
        service.await_log("stopping");
        service.signal(signals[1]);
        service.await_log("told to stop again at once");
        gate.open();
        let (exit, log) = service.wait();
        assert!(exit.success(), "{log}");
        let state = scene.state();
        assert_eq!(state["pending"].as_array().unwrap().len(), 1, "{log}");
        let _service = scene.start();
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    let scene = Scene::new();
    let gate = scene.hold_job_request(Fault::HoldBefore);
    let mut service = scene.start();
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::TERM);
    service.await_log("stopping");
    // The log is the clock: the first signal that counts again is not heard before a second is over.
    let began = Instant::now();
    while service
        .find_log("told to stop again", Duration::from_millis(100))
        .is_none()
    {
        service.signal(Signal::TERM);
    }
    assert!(began.elapsed() >= Duration::from_millis(900));
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert!(
        log.contains("a job that is being granted just now is lost"),
        "{log}"
    );
}

#[test]
fn a_failure_that_nobody_could_be_told_is_told_later() {
    let scene = Scene::new();
    let gone = Rule::on_any("*/jobs/8*").always().with(Fault::status(500));
    let service = scene.start();
    scene.coordinator.faults().inject(gone);
    let job = scene.submit_cheap("unlucky");
    service.await_log("telling the coordinator that the job failed");
    service.kill();
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Running);
    scene.coordinator.faults().clear();
    let _service = scene.start();
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(ended.log().contains("XXXL"), "{}", ended.log());
}

#[test]
fn a_job_that_is_granted_during_the_stop_waits_for_the_next_start() {
    let scene = Scene::new();
    let mut service = scene.start();
    // After it, all that a creation needs is known already.
    let before = scene.submit("before", "true");
    assert_eq!(scene.await_end(before).status, JobStatus::Success);
    scene.await_no_machines();
    let gate = scene.hold_job_request(Fault::HoldBefore);
    assert!(gate.wait_reached(PATIENCE));
    service.signal(Signal::TERM);
    service.await_log("stopping");
    let job = scene.submit("last minute", "true");
    gate.open();
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert!(
        log.contains(&format!("job={job} runner=ci: granted")),
        "{log}"
    );
    let is_creation = |path: &str| path.ends_with("/applications");
    let created = scene.journal.count_requests("POST", is_creation);
    assert_eq!(created, 1, "only for the first: {log}");
    let _service = scene.start();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
}

#[test]
fn a_twin_from_before_a_restart_is_deleted_after_it() {
    let scene = Scene::with(
        |_| {},
        |clever| clever.latencies.list_lag = Duration::from_secs(9),
    );
    let lost = Rule::on("POST", "*/applications").with(Fault::CutAfter);
    scene.clever.faults().inject(lost);
    let service = scene.start();
    let job = scene.submit_lasting("twins");
    service.await_log("running, seen");
    assert_eq!(scene.clever.ever_created().len(), 2, "there must be a twin");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    let service = scene.start();
    service.await_log("going on with 1 job ");
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("after both");
    scene.assert_started_once(job);
}

#[test]
fn a_job_is_watched_to_its_end_when_its_runners_token_was_changed() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("renewed");
    service.await_log("running, seen");
    service.stop();
    // As when it is reset: the old one is unknown from now on.
    let renewed = "An0therTESTtoken0000";
    scene.coordinator.add_runner(RunnerSpec::new(renewed));
    scene.coordinator.revoke_runner(RUNNER_TOKEN);
    let service = scene.start_changed(&[(RUNNER_TOKEN, renewed)]);
    service.await_log("going on with 1 job ");
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("after the change");
    scene.assert_started_once(job);
}

/// The Python runner serves them, too.
#[test]
fn a_coordinator_that_was_restored_from_a_backup_uses_numbers_again_and_each_job_is_served() {
    let scene = Scene::new();
    let service = scene.start();
    let before = scene.submit("before the backup was restored", "sleep 1000");
    service.await_log("running, seen");
    let down = Rule::on("DELETE", "*").always().with(Fault::html(503));
    scene.clever.faults().inject(down);
    scene.coordinator.restore_from_backup();
    let job = scene.submit("after", "true");
    assert_eq!(before, job, "the same number");
    service.await_log("another job of this number is here");
    scene.await_that("it is not on disk", || {
        scene.state()["pending"][0][0]["job_id"] == job
    });
    // It waits for the other one's machine, over a kill, too.
    service.kill();
    scene.clever.faults().clear();
    let service = scene.start();
    let ended = scene.await_end(job);
    let log = service.whole_log();
    assert_eq!(ended.status, JobStatus::Success, "{log}{}", ended.log());
    scene.await_no_machines();
    scene.await_nothing_tracked("all over");
    assert_eq!(scene.clever.ever_created().len(), 2, "one each");
}

#[test]
fn a_job_of_a_number_that_was_granted_before_is_taken_when_the_other_one_is_over() {
    let scene = Scene::new();
    let service = scene.start();
    let before = scene.submit("before", "true");
    assert_eq!(scene.await_end(before).status, JobStatus::Success);
    scene.await_nothing_tracked("over");
    scene.coordinator.restore_from_backup();
    let job = scene.submit("after", "true");
    assert_eq!(before, job, "the same number");
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    scene.await_no_machines();
}

/// What pays for new machines may change: those that are there are deleted where they are.
#[test]
fn a_machine_goes_after_a_restart_with_another_token_or_another_organization() {
    const OTHER: &str = "orga_other";
    const NEW: &str = "token-new";
    let token = [(CLEVER_TOKEN, NEW)];
    let both = [(CLEVER_TOKEN, NEW), (ORGANIZATION, OTHER)];
    for (what, changes, is_good_there) in [
        ("another token", &token[..], true),
        ("another organization, and a token of both", &both, true),
        ("another organization, and its own token", &both, false),
    ] {
        let scene = Scene::new();
        let service = scene.start();
        let job = scene.submit_lasting(what);
        service.await_log("running, seen");
        service.stop();
        scene.clever.add_organization(OTHER, NEW, Role::Manager);
        if is_good_there {
            scene
                .clever
                .add_organization(ORGANIZATION, NEW, Role::Manager);
        }
        scene.clever.revoke_token(CLEVER_TOKEN);
        let service = scene.start_changed(changes);
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{what}");
        if !is_good_there {
            service.await_log(&format!("it belongs to {ORGANIZATION}"));
            scene
                .clever
                .add_organization(ORGANIZATION, NEW, Role::Manager);
        }
        scene.await_no_machines();
        scene.await_nothing_tracked(what);
    }
}

#[test]
fn applications_may_have_ids_of_any_form() {
    for prefix in [
        "app_",
        "application:eu.par~",
        "app-of-a-longer-kind-than-any-that-was-seen_",
    ] {
        let scene = Scene::with(|_| {}, |clever| clever.application_prefix = prefix);
        let service = scene.start();
        let job = scene.submit_lasting("strange");
        service.await_log("running, seen");
        assert!(scene.machine(job).unwrap().id.starts_with(prefix));
        service.kill();
        let _service = scene.start();
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{prefix}");
        scene.await_no_machines();
        scene.await_nothing_tracked(prefix);
    }
}
