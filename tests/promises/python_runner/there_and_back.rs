//! Live: one program is stopped, the other goes on, and back again.

use std::path::Path;

use sandbox::{AppPhase, Fault, Gate, JobId, JobStatus, MachineBehaviour, Rule};
use serde_json::{Value, json};

use super::peer;
use super::stages::{Jobs, await_empty_state, await_log_of};
use crate::service::Service;
use crate::town::{PATIENCE, RUNNER_NAME, Town, assert_started_once};

/// Starts the Python runner and waits until it has taken the state file and goes its rounds.
fn start_python(town: &Town, python: &Path) -> Service {
    let asked = || {
        town.journal
            .count_requests("POST", |path| path.ends_with("/jobs/request"))
    };
    let before = asked();
    let peer = peer::start(town, python);
    if !town.journal.wait_until(PATIENCE, || asked() > before) {
        town.give_up(&format!("it does not poll: {}", peer.whole_log()));
    }
    assert!(!town.state_path().exists(), "it deletes what it has read");
    peer
}

fn stop_python(town: &Town, peer: Service) -> Value {
    let (exit, log) = peer.stop();
    assert!(exit.success(), "{log}");
    assert!(!log.contains("Traceback"), "{log}");
    town.state()
}

fn await_decommissioned(peer: &Service, job: JobId) {
    peer.await_log(&format!(
        "Resource for job {job} for runner '{RUNNER_NAME}' successfully decommissioned"
    ));
}

/// Waits until the peer asks for the progress of a job.
fn has_looked(town: &Town) {
    let looks = || {
        town.journal
            .count_requests("GET", |path| path.starts_with("/api/v4/job"))
    };
    let before = looks();
    assert!(town.journal.wait_until(PATIENCE, || looks() > before));
}

/// The usual: a new job, from the beginning to the end, and nothing left.
fn a_usual_job_ends_well(town: &Town) {
    let service = town.start();
    let job = town.submit("usual", "true");
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    await_empty_state(town);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}

#[test]
fn python_cleans_up_after_jobs_that_we_started_in_every_phase_and_we_go_on() {
    let Some(python) = peer::program() else {
        return;
    };
    let town = Town::new();
    let jobs = Jobs::prepare(&town, &[]);
    let gate = Gate::new();
    let held = town.submit("held", "true");
    town.clever.set_machine_behaviour_of(
        &format!("-{held}"),
        MachineBehaviour::HeldBeforeJob(gate.clone()),
    );
    let over = town.submit("over", "true");
    let runs = town.submit("runs", &jobs.waiting_script());
    town.clever
        .faults()
        .inject(Rule::on("DELETE", "*").always().with(Fault::status(500)));
    let service = town.start();
    town.await_phase(held, AppPhase::Running);
    town.await_end(over);
    await_log_of(&town, runs);
    let listed = |list: &str, job| {
        let state = town.state();
        let jobs = state[list].as_array().unwrap().iter();
        jobs.map(|entry| entry.get(0).unwrap_or(entry))
            .any(|handle| handle["job_id"] == json!(job))
    };
    assert!(town.journal.wait_until(PATIENCE, || {
        let pushed = &town.state()["pending"][0][0]["paas_resource"]["launched"];
        listed("to_decommission", over) && listed("launched", runs) && *pushed == json!(true)
    }));
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(town.state()["heptapod_paas_runner"].is_object());
    town.clever.faults().clear();

    let peer = start_python(&town, &python);
    peer.await_log("Successfully launched");
    await_decommissioned(&peer, over);
    assert!(town.machine(over).unwrap().is_deleted());
    gate.open();
    jobs.release();
    for job in [held, runs] {
        assert_eq!(town.await_end(job).status, JobStatus::Success);
        await_decommissioned(&peer, job);
    }
    town.await_no_machines();
    let state = stop_python(&town, peer);
    assert_eq!(
        state,
        json!({"launched": [], "to_decommission": [], "standby_resources": [], "pending": []})
    );
    for job in [held, over, runs] {
        assert_started_once(&town, job);
    }
    a_usual_job_ends_well(&town);
}

#[test]
fn we_go_on_with_jobs_that_python_took_over_from_us_while_they_run() {
    let Some(python) = peer::program() else {
        return;
    };
    let town = Town::new();
    let jobs = Jobs::prepare(&town, &[]);
    let service = town.start();
    let script = jobs.waiting_script();
    let running: Vec<_> = (0..2)
        .map(|n| town.submit(&format!("job {n}"), &script))
        .collect();
    for job in &running {
        await_log_of(&town, *job);
    }
    assert!(town.journal.wait_until(PATIENCE, || {
        town.state()["launched"].as_array().unwrap().len() == 2
    }));
    service.kill();

    let peer = start_python(&town, &python);
    has_looked(&town);
    let state = stop_python(&town, peer);
    assert_eq!(state["launched"].as_array().unwrap().len(), 2, "{state:#}");
    assert_eq!(state.get("heptapod_paas_runner"), None);

    let service = town.start();
    service.await_log("going on with 2 jobs");
    jobs.release();
    for job in &running {
        assert_eq!(town.await_end(*job).status, JobStatus::Success);
        assert_started_once(&town, *job);
    }
    town.await_no_machines();
    await_empty_state(&town);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}

/// Python takes a job, is stopped at a request of its, and we go on.
fn python_is_stopped(hold: &str, rule: impl FnOnce(Gate) -> Rule) {
    let Some(python) = peer::program() else {
        return;
    };
    let town = Town::new();
    let gate = Gate::new();
    town.clever.faults().inject(rule(gate.clone()));
    let peer = start_python(&town, &python);
    let job = town.submit("interrupted", "true");
    assert!(gate.wait_reached(PATIENCE), "{hold}: {}", peer.whole_log());
    let state = stop_python(&town, peer);
    let pending = state["pending"].as_array().unwrap();
    assert_eq!(pending.len(), 1, "{hold}: {state:#}");
    assert_eq!(pending[0][0]["job_id"], job, "{hold}");
    gate.open();

    let service = town.start();
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{hold}: {}", ended.log());
    town.await_no_machines();
    assert_started_once(&town, job);
    await_empty_state(&town);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{hold}: {log}");
    assert_eq!(town.clever.ever_created().len(), 1, "{hold}: {log}");
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
