//! Machines that nobody tracks are found, and go if they are ours.

use std::fs;
use std::process::Command;

use sandbox::{AppPhase, JobId};
use serde_json::{Value, json};

use crate::scene::{ORGANIZATION, RUNNER_NAME, Scene};

/// A job whose machine runs, and a service that was killed and forgot it.
fn forgotten(scene: &Scene) -> JobId {
    let service = scene.start();
    let job = scene.submit("forgotten", "sleep 600");
    scene.await_phase(job, AppPhase::Running);
    service.kill();
    fs::remove_file(scene.state_path()).unwrap();
    job
}

/// Litter of a name; gives back the name.
pub fn planted(scene: &Scene, organization: &str, name: &str) -> String {
    planted_with(scene, organization, name, &json!({}))
}

/// With these variables, which may say whose it is.
pub fn planted_with(scene: &Scene, organization: &str, name: &str, env: &Value) -> String {
    let _ = scene.clever.plant_application(
        organization,
        &json!({"name": name, "env": env, "description": name, "zone": "par", "deploy": "git",
            "instanceType": "docker", "instanceVersion": "20250211",
            "instanceVariant": "70d676a0-a775-4dc9-a43d-3121036e8515", "instanceLifetime": "TASK",
            "minInstances": 1, "maxInstances": 1, "minFlavor": "heptapod-runner-M",
            "maxFlavor": "heptapod-runner-M"}),
    );
    name.to_owned()
}

fn list_orphans(scene: &Scene, more: &[&str]) -> String {
    scene.write_configuration();
    list(scene, more)
}

/// With the configuration as it is.
pub fn list(scene: &Scene, more: &[&str]) -> String {
    let output = Command::new(crate::service::program())
        .arg("--orphans")
        .args(more)
        .arg(scene.config_path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_machine_whose_job_was_forgotten_is_decommissioned_at_the_next_start() {
    let scene = Scene::new();
    let job = forgotten(&scene);
    let service = scene.start();
    let line = service.await_log("has no job any more");
    assert!(line.contains(&format!("job={job} ")), "{line}");
    scene.await_no_machines();
}

#[test]
fn machines_of_others_are_reported_and_left_alone() {
    let scene = Scene::new();
    let name = format!("hpd-job-{RUNNER_NAME}-77");
    planted(&scene, ORGANIZATION, &name);
    planted(&scene, ORGANIZATION, "hpd-job-neighbor-77");
    planted(&scene, ORGANIZATION, "website");
    let service = scene.start();
    service.await_log(&format!("machine {name} has no job that we know of"));
    let job = scene.submit("usual", "true");
    scene.await_end(job);
    scene.await_phase(job, AppPhase::Deleted);
    assert_eq!(
        scene
            .clever
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
    let scene = Scene::new();
    assert_eq!(list_orphans(&scene, &[]), "no machine without a job\n");
    let job = forgotten(&scene);
    let other = format!("hpd-job-{RUNNER_NAME}-77");
    planted(&scene, ORGANIZATION, &other);
    let list = list_orphans(&scene, &[]);
    let mine = scene.machine_name(job);
    assert!(
        list.contains(&format!("{mine}, runner ci, made by this installation")),
        "{list}"
    );
    assert!(
        list.contains(&format!("{other}, runner ci, made by somebody else")),
        "{list}"
    );
    assert_eq!(scene.clever.running_machines(), 1);
    let removed = list_orphans(&scene, &["--delete"]);
    assert_eq!(removed.matches("is gone").count(), 2, "{removed}");
    scene.await_no_machines();
}

#[test]
fn the_machines_of_a_running_service_are_no_orphans() {
    let scene = Scene::new();
    let _service = scene.start();
    let job = scene.submit("running", "sleep 600");
    scene.await_phase(job, AppPhase::Running);
    assert_eq!(
        list_orphans(&scene, &["--delete"]),
        "no machine without a job\n"
    );
    assert_eq!(scene.clever.running_machines(), 1);
}
