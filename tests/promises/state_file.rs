//! The state file: refused when it is none, never shared, never half written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sandbox::JobStatus;
use sandbox::MachineBehaviour;
use sandbox::{AppPhase, Gate};
use serde_json::{Value, json};

use crate::scene::{RUNNER_NAME, Scene};

#[test]
fn a_file_that_is_no_state_file_is_refused_and_kept() {
    for content in [
        "",
        "{",
        "[]",
        "{}",
        "{\"launched\": 3, \"pending\": []}",
        "no json at all",
    ] {
        let scene = Scene::new();
        fs::write(scene.state_path(), content).unwrap();
        let mut service = scene.start();
        let (exit, log) = service.wait();
        assert_eq!(exit.code(), Some(1), "{content:?}: {log}");
        assert!(log.contains("is not a state file"), "{log}");
        assert_eq!(fs::read_to_string(scene.state_path()).unwrap(), content);
    }
}

#[test]
fn where_no_file_can_be_is_refused() {
    let scene = Scene::new();
    let state = scene.state_path();
    fs::create_dir(scene.folder.path().join("folder")).unwrap();
    for (target, what) in [
        ("folder", "is a directory"),
        ("state.json", "too many links"),
        ("nowhere/state.json", "No such file or directory"),
    ] {
        symlink(target, &state).unwrap();
        let (exit, log) = scene.start().wait();
        assert_eq!(exit.code(), Some(1), "{log}");
        assert!(log.contains(what), "{log}");
        fs::remove_file(&state).unwrap();
    }
    fs::create_dir(&state).unwrap();
    let (exit, log) = scene.start().wait();
    assert_eq!(exit.code(), Some(1), "{log}");
    assert!(log.contains("is a directory"), "{log}");
}

/// Whatever the file is called, and whatever becomes of the lock beside it.
#[test]
fn a_second_process_is_refused() {
    let scene = Scene::new();
    let (state, lock) = (
        scene.state_path(),
        scene.folder.path().join("state.json.lock"),
    );
    let other_name = scene.folder.path().join("other.json");
    fs::write(&state, json!({"launched": [], "pending": []}).to_string()).unwrap();
    fs::hard_link(&state, &other_name).unwrap();
    let first = scene.start();
    first.await_log("the quota is");
    let linked = scene.folder.path().join("linked");
    symlink(scene.folder.path(), &linked).unwrap();
    let link = scene.folder.path().join("link.json");
    symlink(linked.join("state.json"), &link).unwrap();
    let refuse = |path: &Path| {
        let (usual, other) = (state.display().to_string(), path.display().to_string());
        let (exit, log) = scene.start_changed(&[(&usual, &other)]).wait();
        assert_eq!(exit.code(), Some(1), "{other}: {log}");
        assert!(log.contains("in use by another process"), "{other}: {log}");
    };
    for path in [&state, &linked.join("state.json"), &link, &other_name] {
        refuse(path);
    }
    fs::remove_file(&lock).unwrap();
    refuse(&state);
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    refuse(&state);
    let (exit, log) = first.stop();
    assert!(exit.success(), "{log}");
}

#[test]
fn who_removes_file_and_lock_gets_a_second_process_and_the_first_takes_no_jobs() {
    let scene = Scene::new();
    let first = scene.start();
    let job = scene.submit_lasting("running");
    first.await_log("running, seen");
    scene.await_that("it is written", || {
        scene.state()["launched"][0]["job_id"] == job
    });
    fs::remove_file(scene.state_path()).unwrap();
    fs::remove_file(scene.folder.path().join("state.json.lock")).unwrap();
    let second = scene.start();
    second.await_log("at the coordinator its job goes on");
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    let line = first.await_log("in use by another process");
    assert!(
        line.contains("ERROR") && line.contains("taking no new jobs"),
        "{line}"
    );
    scene.await_no_machines();
}

#[test]
fn a_link_is_followed_and_stays_a_link() {
    for is_there in [true, false] {
        let scene = Scene::new();
        let real = scene.folder.path().join("real");
        fs::create_dir(&real).unwrap();
        let target = real.join("jobs.json");
        if is_there {
            let strange = json!({"launched": [], "pending": [], "standby_resources": [7]});
            fs::write(&target, strange.to_string()).unwrap();
        }
        // In two steps, as administrators do it.
        symlink("step.json", scene.state_path()).unwrap();
        symlink("real/jobs.json", scene.folder.path().join("step.json")).unwrap();
        let service = scene.start();
        let job = scene.submit_lasting("seen");
        service.await_log("running, seen");
        service.kill();
        assert!(scene.state_path().is_symlink());
        let state: Value = serde_json::from_slice(&fs::read(&target).unwrap()).unwrap();
        assert_eq!(state["heptapod_paas_runner"]["jobs"][0]["job_id"], job);
        let kept = json!(if is_there { vec![7] } else { vec![] });
        assert_eq!(state["standby_resources"], kept);
        scene.let_end();
        let _service = scene.start();
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.await_no_machines();
    }
}

#[test]
fn a_job_is_in_the_list_of_its_phase_in_the_shape_of_the_python_runner() {
    let scene = Scene::new();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let _service = scene.start();
    let job = scene.submit("watched", "sleep 600");
    scene.await_phase(job, AppPhase::Running);
    let state = scene.state();
    let [pending] = state["pending"].as_array().unwrap().as_slice() else {
        panic!("{state}");
    };
    assert_eq!(pending[0]["runner_name"], RUNNER_NAME);
    assert_eq!(pending[0]["job_id"], job);
    assert_eq!(pending[0]["trace_offset"], 0);
    assert_eq!(pending[1]["id"], job);
    let resource = &pending[0]["paas_resource"];
    let keys: Vec<_> = resource
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "id",
            "organization",
            "gitlab_namespace",
            "weight",
            "launched",
            "deploy_url"
        ]
    );
    assert_eq!(resource["gitlab_namespace"], Value::Null);
    // One account pays for all, so groups are of no interest.
    assert_eq!(state["heptapod_paas_runner"]["tenants"], json!([]));
    gate.open();
    assert!(scene.journal.wait_until(crate::scene::PATIENCE, || {
        scene.state()["launched"][0]["job_id"] == job
    }));
    assert_eq!(scene.state()["pending"], json!([]));
}

#[test]
fn jobs_of_a_runner_that_is_gone_from_the_configuration_are_kept() {
    let scene = Scene::new();
    let handle = json!({"runner_name": "gone-run", "job_id": 5, "token": "t", "trace_offset": 0,
        "expected_weight": 2.5, "paas_resource": {"id": "app_1", "gitlab_namespace": null,
        "weight": 2.5, "launched": true, "deploy_url": "https://x"}});
    let state = json!({"launched": [handle], "pending": [], "to_decommission": [],
        "standby_resources": [{"strange": 1}], "future": true});
    fs::write(scene.state_path(), state.to_string()).unwrap();
    let service = scene.start();
    service.await_log("this runner is not in the configuration any more");
    let job = scene.submit("usual", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    service.stop();
    let kept = scene.state();
    assert_eq!(kept["launched"][0]["paas_resource"]["id"], "app_1");
    assert_eq!(kept["standby_resources"], json!([{"strange": 1}]));
}

#[test]
fn while_it_can_not_be_written_no_job_is_taken_and_those_that_run_go_on() {
    let scene = Scene::new();
    let service = scene.start();
    let running = scene.submit_lasting("running");
    scene.await_phase(running, AppPhase::Running);
    // A folder where the new content would grow: nothing can be written any more.
    let obstacle = scene.folder.path().join("state.json.new");
    fs::create_dir(&obstacle).unwrap();
    scene.let_end();
    assert_eq!(scene.await_end(running).status, JobStatus::Success);
    scene.await_no_machines();
    service.await_log("taking no new jobs until it can be written");
    service.await_log("not polling: the state file can't be written");
    let waiting = scene.submit("waiting", "true");
    scene.await_status_that("what is wrong is not told", |status| {
        let wrong = status["wrong"][0].as_str();
        wrong.is_some_and(|wrong| wrong.contains("cannot write the state file"))
    });
    assert_eq!(scene.coordinator.job(waiting).status, JobStatus::Pending);
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(scene.await_end(waiting).status, JobStatus::Success);
    service.await_log("the state file can be written again");
    scene.await_no_machines();
}

/// Of many jobs not every change is written whole.
#[test]
fn many_jobs_at_once_survive_kill_9_with_what_is_beside_the_state_file() {
    let mut scene = Scene::new();
    scene.quota_jobs = 40;
    scene.global = "paas_max_concurrent_provisioning = 40".to_owned();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let jobs: Vec<_> = (0..40)
        .map(|number| scene.submit(&format!("many {number}"), "true"))
        .collect();
    let service = scene.start();
    let journal = scene.folder.path().join("state.json.journal");
    for job in &jobs[..30] {
        scene.await_phase(*job, AppPhase::Running);
    }
    let is_there = || fs::metadata(&journal).is_ok_and(|it| it.len() > 0);
    scene.await_that("there are changes beside the state file", is_there);
    service.kill();
    let mode = fs::metadata(&journal).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let service = scene.start();
    service.await_log("going on with");
    gate.open();
    for job in &jobs {
        assert_eq!(scene.await_end(*job).status, JobStatus::Success);
        scene.assert_started_once(*job);
    }
    scene.await_no_machines();
    let (_, log) = service.stop();
    assert!(!journal.exists(), "{log}");
    let state = scene.state();
    assert!(state["pending"].as_array().unwrap().is_empty(), "{state}");
    scene.assert_no_complaints_but_of_kills();
}

#[test]
fn changes_of_another_time_are_none() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("runs");
    service.await_log("running, seen");
    service.kill();
    let gone = serde_json::json!({"journal": "of-another-time"}).to_string() + "\n";
    let journal = scene.folder.path().join("state.json.journal");
    fs::write(&journal, gone + "{\"gone\": 1}\n").unwrap();
    let service = scene.start();
    service.await_log("going on with 1 job ");
    scene.await_that("it is gone", || !journal.exists());
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
}
