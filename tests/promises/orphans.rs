//! Machines that nobody tracks are found, and go if they are ours.

use std::fs;
use std::process::Command;

use sandbox::{AppPhase, JobId};
use serde_json::{Value, json};

use crate::town::{ORGANIZATION, RUNNER_NAME, Town};

/// A job whose machine runs, and a service that was killed and forgot it.
fn forgotten(town: &Town) -> JobId {
    let service = town.start();
    let job = town.submit("forgotten", "sleep 600");
    town.await_phase(job, AppPhase::Running);
    service.kill();
    fs::remove_file(town.state_path()).unwrap();
    job
}

/// Litter of a name; gives back the name.
pub fn planted(town: &Town, organization: &str, name: &str) -> String {
    planted_with(town, organization, name, &json!({}))
}

/// With these variables, which may say whose it is.
pub fn planted_with(town: &Town, organization: &str, name: &str, env: &Value) -> String {
    let _ = town.clever.plant_application(
        organization,
        &json!({"name": name, "env": env, "description": name, "zone": "par", "deploy": "git",
            "instanceType": "docker", "instanceVersion": "20250211",
            "instanceVariant": "70d676a0-a775-4dc9-a43d-3121036e8515", "instanceLifetime": "TASK",
            "minInstances": 1, "maxInstances": 1, "minFlavor": "heptapod-runner-M",
            "maxFlavor": "heptapod-runner-M"}),
    );
    name.to_owned()
}

fn list_orphans(town: &Town, more: &[&str]) -> String {
    fs::write(town.config_path(), town.configuration()).unwrap();
    list(town, more)
}

/// With the configuration as it is.
pub fn list(town: &Town, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner"))
        .arg("--orphans")
        .args(more)
        .arg(town.config_path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_machine_whose_job_was_forgotten_is_decommissioned_at_the_next_start() {
    let town = Town::new();
    let job = forgotten(&town);
    let service = town.start();
    let line = service.await_log("has no job any more");
    assert!(line.contains(&format!("job={job} ")), "{line}");
    town.await_no_machines();
}

#[test]
fn machines_of_others_are_reported_and_left_alone() {
    let town = Town::new();
    let name = format!("hpd-job-{RUNNER_NAME}-77");
    planted(&town, ORGANIZATION, &name);
    planted(&town, ORGANIZATION, "hpd-job-neighbor-77");
    planted(&town, ORGANIZATION, "website");
    let service = town.start();
    service.await_log(&format!("machine {name} has no job that we know of"));
    let job = town.submit("usual", "true");
    town.await_end(job);
    town.await_phase(job, AppPhase::Deleted);
    assert_eq!(
        town.clever
            .applications()
            .iter()
            .filter(|app| !app.is_deleted())
            .count(),
        3
    );
    assert!(
        !service.whole_log().contains("neighbor"),
        "{}",
        service.whole_log()
    );
}

#[test]
fn orphans_are_listed_and_removed_on_request() {
    let town = Town::new();
    assert_eq!(list_orphans(&town, &[]), "no machine without a job\n");
    let job = forgotten(&town);
    let other = format!("hpd-job-{RUNNER_NAME}-77");
    planted(&town, ORGANIZATION, &other);
    let list = list_orphans(&town, &[]);
    let mine = town.machine_name(job);
    assert!(
        list.contains(&format!("{mine}, runner ci, made by this installation")),
        "{list}"
    );
    assert!(
        list.contains(&format!("{other}, runner ci, made by somebody else")),
        "{list}"
    );
    assert_eq!(town.clever.running_machines(), 1);
    let removed = list_orphans(&town, &["--delete"]);
    assert_eq!(removed.matches("is gone").count(), 2, "{removed}");
    town.await_no_machines();
}

#[test]
fn the_machines_of_a_running_service_are_no_orphans() {
    let town = Town::new();
    let _service = town.start();
    let job = town.submit("running", "sleep 600");
    town.await_phase(job, AppPhase::Running);
    assert_eq!(
        list_orphans(&town, &["--delete"]),
        "no machine without a job\n"
    );
    assert_eq!(town.clever.running_machines(), 1);
}
