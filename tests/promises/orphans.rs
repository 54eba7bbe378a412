//! Machines that nobody tracks are found, and go if they are ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::{AppPhase, Fault, JobId, JobStatus, Rule};
use serde_json::{Value, json};

use crate::scene::{ORGANIZATION, RUNNER_NAME, Scene};
use crate::service::{Service, program};

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
    list_with(&scene.config_path(), more)
}

fn list_with(config: &Path, more: &[&str]) -> String {
    let output = Command::new(program())
        .arg("--orphans")
        .args(more)
        .arg(config)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A state file that was lost, and a copy of this computer, which has an older one, look the same.
#[test]
fn a_machine_of_ours_whose_job_is_not_known_goes_when_the_job_is_over_and_not_before() {
    for (what, older_state) in [("lost", false), ("of a copy", true)] {
        let scene = Scene::new();
        let service = scene.start();
        service.await_log("the quota is");
        let before = fs::read(scene.state_path()).unwrap();
        let job = scene.submit_lasting(what);
        scene.await_phase(job, AppPhase::Running);
        service.kill();
        if older_state {
            fs::write(scene.state_path(), before).unwrap();
        } else {
            fs::remove_file(scene.state_path()).unwrap();
        }
        let service = scene.start();
        let line = service.await_log("at the coordinator its job goes on");
        assert!(line.contains(&format!("job={job} ")), "{line}");
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{what}");
        // It would be looked at again after a minute.
        let (_, log) = service.stop();
        assert!(!log.contains("it goes"), "{what}: {log}");
        let look = Rule::on_any("*/job*").always();
        let silence = look.with(Fault::status(503));
        scene.coordinator.faults().inject(silence);
        let service = scene.start();
        service.await_log("looking whether the job of a machine that is not tracked is over");
        let (_, log) = service.stop();
        assert!(!log.contains("it goes"), "{what}: {log}");
        scene.coordinator.faults().clear();
        let service = scene.start();
        let line = service.await_log("has no job any more; it goes");
        assert!(line.contains(&format!("job={job} ")), "{line}");
        scene.await_no_machines();
    }
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
    let of_mine = list.split(&other).next().unwrap();
    for told in [
        "app_",
        ORGANIZATION,
        "heptapod-runner-XS, ",
        "s ago; its job runs",
    ] {
        assert!(of_mine.contains(told), "{told:?} in {list}");
    }
    let of_other = list.split(&other).nth(1).unwrap();
    for told in ["heptapod-runner-M, ", "whether its job runs is not known"] {
        assert!(of_other.contains(told), "{told:?} in {list}");
    }
    assert!(
        list.lines().all(|line| line.chars().count() <= 100),
        "{list}"
    );
    scene.coordinator.cancel(job);
    scene.await_status(job, |status| status == JobStatus::Canceled);
    let list = list_orphans(&scene, &[]);
    assert!(list.contains("its job is over: "), "{list}");
    let removed = list_orphans(&scene, &["--delete"]);
    assert!(removed.contains("is left alone"), "{removed}");
    assert!(is_deleted(&scene, &mine) && !is_deleted(&scene, &other));
    let removed = list_orphans(&scene, &["--delete", "--of-others"]);
    assert_eq!(removed.matches("is gone").count(), 1, "{removed}");
    scene.await_no_machines();
}

#[test]
fn what_could_not_be_searched_is_told_by_runner_and_organization_and_what_to_do() {
    let (mut scene, other) = (Scene::new(), Scene::new());
    scene.more = other.runner_elsewhere("other")
        + "[[runners]]\nname = \"here\"\nurl = \"https://x.test\"\ntoken = \"t\"\n\
           executor = \"local-docker\"\n";
    scene.write_configuration();
    for one in [&scene, &other] {
        let refused = Rule::on("GET", "*").always().with(Fault::status(503));
        one.clever.faults().inject(refused);
    }
    let run = || {
        let output = Command::new(program())
            .arg("--orphans")
            .arg(scene.config_path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(String::from_utf8);
        let [told, complaints] = text.map(Result::unwrap);
        (output.status.code(), told, complaints)
    };
    let (code, _, told) = run();
    assert_eq!(code, Some(1), "{told}");
    for (runner, one) in [("ci", &scene), ("other", &other)] {
        let begin = format!(
            "not searched for runner {runner}: {ORGANIZATION} at {}: ",
            one.clever.api_url()
        );
        assert!(told.contains(&begin), "{begin} in {told}");
    }
    for one in [&scene, &other] {
        one.clever.faults().clear();
    }
    let (code, told, _) = run();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told,
        "not searched for runner here: its containers are on this computer: `docker ps` tells of \
         them\nno machine without a job elsewhere\n"
    );
}

fn is_deleted(scene: &Scene, name: &str) -> bool {
    let all = scene.clever.ever_created();
    all.iter().all(|app| app.name != name || app.is_deleted())
}

/// The names of applications are no proof: a staging copy of the coordinator has the same jobs.
#[test]
fn a_job_whose_creation_is_in_doubt_takes_no_application_of_others() {
    let ours = "HEPTAPOD_PAAS_RUNNER_INSTALLATION";
    let makers = [
        (
            "another installation",
            json!({ours: "s_0123456789ab.ba9876543210"}),
        ),
        ("a Python runner", json!({"CC_MOUNT_DOCKER_SOCKET": "true"})),
        ("a person", json!({})),
    ];
    for (maker, env) in makers {
        let scene = Scene::new();
        let creation = Rule::on("POST", "*/applications");
        scene
            .clever
            .faults()
            .inject(creation.with(Fault::html(504)));
        let job = scene.submit("namesake", "true");
        let name = scene.machine_name(job);
        planted_with(&scene, ORGANIZATION, &name, &env);
        let [planted] = &scene.clever.applications()[..] else {
            panic!("{maker}: nothing planted");
        };
        let service = scene.start();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{maker}");
        scene.await_nothing_tracked(maker);
        let all = scene.clever.ever_created();
        assert_eq!(all.len(), 2, "{maker}: {all:?}");
        for app in &all {
            assert_eq!(app.is_deleted(), app.id != planted.id, "{maker}: {app:?}");
            assert!(
                app.id != planted.id || json!(app.env) == env,
                "{maker}: {app:?}"
            );
        }
        assert!(
            service
                .whole_log()
                .contains("this installation didn't make it"),
            "{maker}"
        );
    }
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

/// As on two computers: another state file is another installation.
#[test]
fn two_services_with_one_token_leave_each_other_alone_when_one_of_them_dies_too() {
    let mut scene = Scene::new();
    scene.global = "concurrent = 1".to_owned();
    let first = scene.start();
    let its_job = scene.submit_lasting("of the first");
    scene.await_phase(its_job, AppPhase::Running);
    let config = scene.folder.path().join("second.toml");
    let changes = [("state.json", "second.json")];
    fs::write(&config, scene.configuration_but(&changes)).unwrap();
    let second = Service::start(&[config.display().to_string()], &[]);
    let its_machine = scene.machine_name(its_job);
    second.await_log(&format!("machine {its_machine} has no job that we know of"));

    // The first one has its hands full.
    let other_job = scene.submit_lasting("of the second");
    scene.await_phase(other_job, AppPhase::Running);
    first.kill();
    scene.let_end();
    for job in [its_job, other_job] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_phase(other_job, AppPhase::Deleted);
    let list = list_with(&config, &[]);
    let told = format!("{its_machine}, runner ci, made by somebody else");
    assert!(
        list.contains(&told) && list.matches("hpd-job").count() == 1,
        "{list}"
    );

    let _first_again = scene.start();
    scene.await_phase(its_job, AppPhase::Deleted);
    scene.await_no_machines();
    scene.assert_no_complaints_but_of_kills();
}
