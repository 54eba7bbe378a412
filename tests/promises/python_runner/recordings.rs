//! We go on with what the Python runner wrote down when it was stopped, at whatever stage.

use std::fs;

use sandbox::JobStatus;
use serde_json::{Value, json};

use super::stages::Stage::{Created, Failed, Granted, Launched, Over, Pushed};
use super::stages::{Jobs, MESSAGE, Stage, plant, write_log};
use crate::scene::{PATIENCE, Scene};
use crate::service::Service;
use crate::tenants;

const BEFORE_PROVISIONING: &str = include_str!("../python_states/pending-before-provisioning.json");
const NOT_PUSHED: &str = include_str!("../python_states/pending-resource-not-pushed.json");
const PUSHED: &str = include_str!("../python_states/pending-pushed.json");
const LAUNCHED: &str = include_str!("../python_states/launched.json");
const TO_DECOMMISSION: &str = include_str!("../python_states/to-decommission.json");
const OF_A_TENANT: &str = include_str!("../python_states/multi-tenant-pending.json");
const ALL_OF_1_1_1: &str = include_str!("../python_states/all-stages-1.1.1.json");
const ALL_OF_0_6_3: &str = include_str!("../python_states/all-stages-0.6.3.json");
const ALL_OF_0_5_1: &str = include_str!("../python_states/all-stages-0.5.1.json");

/// Starts with the recording, and expects every job to end well on one machine, and nothing to be
/// left of any.
fn goes_on(scene: &Scene, recording: &str, stages: &[(u64, Stage)]) -> Service {
    let jobs = Jobs::prepare(scene, stages);
    let state = jobs.adapt(scene, recording);
    fs::write(scene.state_path(), state.to_string()).unwrap();
    let service = scene.start();
    service.await_log("going on with");
    jobs.release();
    for (recorded, stage, job) in &jobs.all {
        let ended = scene.await_end(*job);
        if *stage == Failed {
            assert_eq!(ended.status, JobStatus::Failed, "job {recorded}");
            assert_eq!(ended.log(), MESSAGE, "job {recorded}");
        } else {
            assert_eq!(
                ended.status,
                JobStatus::Success,
                "job {recorded}, {stage:?}: {}\n{}",
                ended.log(),
                service.whole_log()
            );
            assert_eq!(ended.verdicts().len(), 1, "job {recorded}, {stage:?}");
            scene.assert_started_once(*job);
        }
        let name = scene.machine_name(*job);
        let created = scene.clever.ever_created();
        let created = created.iter().filter(|app| app.name == name).count();
        assert_eq!(created, 1, "applications of job {recorded}, {stage:?}");
    }
    scene.await_no_machines();
    service
}

fn goes_on_until_nothing_is_left(recording: &str, stages: &[(u64, Stage)]) {
    let scene = Scene::new();
    let service = goes_on(&scene, recording, stages);
    scene.await_nothing_tracked("at the end");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    scene.assert_no_complaints();
}

#[test]
fn a_job_that_has_no_application_yet_gets_one() {
    goes_on_until_nothing_is_left(BEFORE_PROVISIONING, &[(101, Granted)]);
}

#[test]
fn an_application_whose_creation_was_not_written_down_is_found() {
    goes_on_until_nothing_is_left(BEFORE_PROVISIONING, &[(101, Created)]);
}

#[test]
fn a_job_that_was_not_pushed_is_pushed() {
    goes_on_until_nothing_is_left(NOT_PUSHED, &[(102, Created)]);
}

#[test]
fn a_push_that_was_not_written_down_is_not_made_again() {
    goes_on_until_nothing_is_left(NOT_PUSHED, &[(102, Pushed)]);
}

#[test]
fn a_job_that_was_pushed_is_watched() {
    goes_on_until_nothing_is_left(PUSHED, &[(103, Pushed)]);
}

#[test]
fn a_definition_that_was_rewritten_for_the_dependency_proxy_is_not_rewritten_again() {
    let scene = Scene::with(|coordinator| coordinator.dependency_proxy = true, |_| {});
    let not_pushed = PUSHED.replace("\"launched\": true", "\"launched\": false");
    let service = goes_on(&scene, &not_pushed, &[(103, Created)]);
    let recorded: Value = serde_json::from_str(PUSHED).unwrap();
    let files = &scene.clever.ever_created()[0].files;
    let pushed: Value = serde_json::from_slice(&files["job.json"]).unwrap();
    for key in ["image", "services"] {
        assert_eq!(pushed[key], recorded["pending"][0][1][key]);
    }
    drop(service);
}

#[test]
fn jobs_that_run_are_left_alone_and_their_machines_deleted_afterwards() {
    goes_on_until_nothing_is_left(LAUNCHED, &[(201, Launched), (202, Launched)]);
}

#[test]
fn jobs_that_ended_while_nobody_looked_are_cleaned_up_after() {
    goes_on_until_nothing_is_left(LAUNCHED, &[(201, Over), (202, Over)]);
}

#[test]
fn machines_that_could_not_be_deleted_are() {
    goes_on_until_nothing_is_left(TO_DECOMMISSION, &[(201, Over), (202, Over)]);
}

#[test]
fn a_tenants_job_goes_on_in_its_own_organization() {
    let scene = tenants::two_tenants();
    let jobs = Jobs::prepare(&scene, &[(301, Granted)]);
    let job = jobs.all[0].2;
    plant(&scene, "orga_acme", job);
    let state = jobs.adapt(&scene, OF_A_TENANT);
    fs::write(scene.state_path(), state.to_string()).unwrap();
    let service = tenants::start(&scene);
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("at the end");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(scene.clever.ever_created().len(), 1);
    assert_eq!(scene.machine(job).unwrap().organization, "orga_acme");
    scene.assert_no_complaints();
}

#[test]
fn all_stages_of_0_6_3() {
    let stages = [
        (1, Granted),
        (2, Created),
        (3, Pushed),
        (4, Launched),
        (5, Over),
    ];
    goes_on_until_nothing_is_left(ALL_OF_0_6_3, &stages);
}

#[test]
fn all_stages_of_0_5_1_which_wrote_neither_weights_nor_what_was_pushed() {
    let stages = [
        (1, Granted),
        (2, Created),
        (3, Pushed),
        (4, Launched),
        (5, Over),
    ];
    goes_on_until_nothing_is_left(ALL_OF_0_5_1, &stages);
}

#[test]
fn all_stages_of_1_1_1_and_what_is_not_ours_is_kept() {
    let scene = Scene::new();
    let stages = [
        (1, Granted),
        (2, Created),
        (3, Pushed),
        (4, Failed),
        (5, Launched),
        (6, Over),
        (7, Over),
    ];
    let service = goes_on(&scene, ALL_OF_1_1_1, &stages);
    service.await_log("this runner is not in the configuration any more");
    let recorded: Value = serde_json::from_str(ALL_OF_1_1_1).unwrap();
    let foreign = &recorded["to_decommission"][2];
    let kept = |state: &Value| {
        let [kept] = state["to_decommission"].as_array().unwrap().as_slice() else {
            return false;
        };
        kept["job_id"] == foreign["job_id"]
            && kept["token"] == foreign["token"]
            && kept["paas_resource"] == foreign["paas_resource"]
    };
    assert!(
        scene.journal.wait_until(PATIENCE, || {
            let state = scene.state();
            kept(&state) && state["launched"] == json!([]) && state["pending"] == json!([])
        }),
        "{:#}",
        scene.state()
    );
    assert_eq!(
        scene.state()["standby_resources"],
        recorded["standby_resources"]
    );
    service.stop();
    assert!(kept(&scene.state()));
    scene.assert_no_complaints();
}

/// The Python runner had told the user of a failure, and not yet the coordinator.
#[test]
fn a_failure_that_was_only_half_told_is_told_to_its_end() {
    let scene = Scene::new();
    let jobs = Jobs::prepare(&scene, &[(4, Created)]);
    let job = jobs.all[0].2;
    write_log(&scene, job, MESSAGE);
    let mut state = jobs.adapt(&scene, ALL_OF_1_1_1);
    state["launched"] = json!([]);
    state["to_decommission"] = json!([]);
    let pending = state["pending"].as_array_mut().unwrap();
    pending.retain(|entry| entry[0]["job_id"] == job);
    assert_eq!(pending[0][0]["trace_offset"], MESSAGE.len());
    fs::write(scene.state_path(), state.to_string()).unwrap();
    let _service = scene.start_changed(&[("timeout_seconds = 30", "timeout_seconds = 1")]);
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(ended.log().starts_with(MESSAGE), "{}", ended.log());
    scene.await_no_machines();
    scene.await_nothing_tracked("at the end");
}
