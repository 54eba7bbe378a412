//! Live: one program is stopped, the other goes on, and back again.

use std::path::Path;

use sandbox::{AppPhase, Fault, Gate, JobId, JobStatus, MachineBehaviour, Rule};
use serde_json::{Value, json};

use super::peer;
use super::stages::{Jobs, await_log_of};
use crate::scene::{PATIENCE, RUNNER_NAME, Scene, eventually};
use crate::service::Service;

/// Starts the Python runner and waits until it has taken the state file and goes its rounds.
fn start_python(scene: &Scene, python: &Path) -> Service {
    let asked = || scene.count_job_requests();
    let before = asked();
    let peer = peer::start(scene, python);
    if !scene.journal.wait_until(PATIENCE, || asked() > before) {
        scene.give_up(&format!("it does not poll: {}", peer.whole_log()));
    }
    let deleted = eventually(|| !scene.state_path().exists());
    assert!(deleted, "it deletes what it has read");
    peer
}

fn stop_python(scene: &Scene, peer: Service) -> Value {
    let (exit, log) = peer.stop();
    assert!(exit.success(), "{log}");
    assert!(!log.contains("Traceback"), "{log}");
    scene.state()
}

fn await_decommissioned(peer: &Service, job: JobId) {
    peer.await_log(&format!(
        "Resource for job {job} for runner '{RUNNER_NAME}' successfully decommissioned"
    ));
}

/// Waits until the peer asks for the progress of a job.
fn has_looked(scene: &Scene) {
    let looks = || {
        scene
            .journal
            .count_requests("GET", |path| path.starts_with("/api/v4/job"))
    };
    let before = looks();
    assert!(scene.journal.wait_until(PATIENCE, || looks() > before));
}

/// The usual: a new job, from the beginning to the end, and nothing left.
fn a_usual_job_ends_well(scene: &Scene) {
    let service = scene.start();
    let job = scene.submit("usual", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("at the end");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}

#[test]
fn python_cleans_up_after_jobs_that_we_started_in_every_phase_and_we_go_on() {
    let Some(python) = peer::program() else {
        return;
    };
    let scene = Scene::new();
    let jobs = Jobs::prepare(&scene, &[]);
    let gate = Gate::new();
    let held = scene.submit("held", "true");
    scene.clever.set_machine_behaviour_of(
        &format!("-{held}"),
        MachineBehaviour::HeldBeforeJob(gate.clone()),
    );
    let over = scene.submit("over", "true");
    let runs = scene.submit("runs", &jobs.waiting_script());
    scene
        .clever
        .faults()
        .inject(Rule::on("DELETE", "*").always().with(Fault::status(500)));
    let service = scene.start();
    scene.await_phase(held, AppPhase::Running);
    scene.await_end(over);
    await_log_of(&scene, runs);
    let listed = |list: &str, job| {
        let state = scene.state();
        let jobs = state[list].as_array().unwrap().iter();
        jobs.map(|entry| entry.get(0).unwrap_or(entry))
            .any(|handle| handle["job_id"] == json!(job))
    };
    assert!(scene.journal.wait_until(PATIENCE, || {
        let pushed = &scene.state()["pending"][0][0]["paas_resource"]["launched"];
        listed("to_decommission", over) && listed("launched", runs) && *pushed == json!(true)
    }));
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(scene.state()["heptapod_paas_runner"].is_object());
    scene.clever.faults().clear();

    let peer = start_python(&scene, &python);
    peer.await_log("Successfully launched");
    await_decommissioned(&peer, over);
    assert!(scene.machine(over).unwrap().is_deleted());
    gate.open();
    jobs.release();
    for job in [held, runs] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        await_decommissioned(&peer, job);
    }
    scene.await_no_machines();
    let state = stop_python(&scene, peer);
    assert_eq!(
        state,
        json!({"launched": [], "to_decommission": [], "standby_resources": [], "pending": []})
    );
    for job in [held, over, runs] {
        scene.assert_started_once(job);
    }
    a_usual_job_ends_well(&scene);
}

#[test]
fn we_go_on_with_jobs_that_python_took_over_from_us_while_they_run() {
    let Some(python) = peer::program() else {
        return;
    };
    let scene = Scene::new();
    let jobs = Jobs::prepare(&scene, &[]);
    let service = scene.start();
    let script = jobs.waiting_script();
    let running: Vec<_> = (0..2)
        .map(|n| scene.submit(&format!("job {n}"), &script))
        .collect();
    for job in &running {
        await_log_of(&scene, *job);
    }
    assert!(scene.journal.wait_until(PATIENCE, || {
        scene.state()["launched"].as_array().unwrap().len() == 2
    }));
    service.kill();

    let peer = start_python(&scene, &python);
    has_looked(&scene);
    let state = stop_python(&scene, peer);
    assert_eq!(state["launched"].as_array().unwrap().len(), 2, "{state:#}");
    assert_eq!(state.get("heptapod_paas_runner"), None);

    let service = scene.start();
    service.await_log("going on with 2 jobs");
    jobs.release();
    for job in &running {
        assert_eq!(scene.await_end(*job).status, JobStatus::Success);
        scene.assert_started_once(*job);
    }
    scene.await_no_machines();
    scene.await_nothing_tracked("at the end");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}

/// Python takes a job, is stopped at a request of its, and we go on.
fn python_is_stopped(hold: &str, rule: impl FnOnce(Gate) -> Rule) {
    let Some(python) = peer::program() else {
        return;
    };
    let scene = Scene::new();
    let gate = Gate::new();
    scene.clever.faults().inject(rule(gate.clone()));
    let peer = start_python(&scene, &python);
    let job = scene.submit("interrupted", "true");
    assert!(gate.wait_reached(PATIENCE), "{hold}: {}", peer.whole_log());
    let state = stop_python(&scene, peer);
    let pending = state["pending"].as_array().unwrap();
    assert_eq!(pending.len(), 1, "{hold}: {state:#}");
    assert_eq!(pending[0][0]["job_id"], job, "{hold}");
    gate.open();

    let service = scene.start();
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{hold}: {}", ended.log());
    scene.await_no_machines();
    scene.assert_started_once(job);
    scene.await_nothing_tracked("at the end");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{hold}: {log}");
    assert_eq!(scene.clever.ever_created().len(), 1, "{hold}: {log}");
}

#[test]
fn python_was_stopped_before_it_pushed() {
    python_is_stopped("GET application", |gate| {
        Rule::on("GET", "*/applications/app_*")
            .times(1)
            .with(Fault::HoldBefore(gate))
    });
}

#[test]
fn python_was_stopped_while_it_created_the_application() {
    python_is_stopped("POST application", |gate| {
        Rule::on("POST", "*/applications")
            .times(1)
            .with(Fault::HoldAfter(gate))
    });
}

#[test]
fn python_was_stopped_before_the_application_had_its_environment() {
    python_is_stopped("PUT env", |gate| {
        Rule::on("PUT", "*/env")
            .times(1)
            .with(Fault::HoldBefore(gate))
    });
}
