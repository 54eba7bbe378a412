//! Every failure ends in words: for the job's author in its log, for the operator in ours.

use sandbox::{Access, Action, AppPhase, Fault, JobSpec, JobStatus, JobView, Rule};
use sandbox::{Hook, MachineBehaviour, Role};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, Scene};

/// The job failed as our failures do, and its log says `text` in red.
fn assert_told(ended: &JobView, reason: &str, text: &str) {
    assert_eq!(ended.status, JobStatus::Failed);
    assert_eq!(ended.failure_reason.as_deref(), Some(reason), "{text}");
    assert_eq!(ended.exit_code, Some(103));
    assert_eq!(ended.verdicts().len(), 1, "{:?}", ended.calls);
    let log = ended.log();
    assert!(
        log.contains(text) && log.starts_with("\x1b[31m") && log.contains("\x1b[0m"),
        "{log:?}"
    );
}

#[test]
fn a_flavor_that_nobody_offers_is_told_with_those_on_offer() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_cheap("sized");
    assert_told(
        &scene.await_end(job),
        "script_failure",
        "XXXL`; this runner offers XS, S, M, L, XL, 2XL, 3XL",
    );
    let line = service.await_log("the job asks for flavor \"XXXL\"");
    assert!(line.contains("INFO"), "{line}");
    let next = scene.submit("next", "true");
    assert_eq!(
        scene.await_end(next).status,
        JobStatus::Success,
        "the service goes on"
    );
    scene.assert_no_complaints();
}

#[test]
fn a_flavor_that_went_is_noticed_and_told_with_those_that_are_left() {
    let scene = Scene::new();
    let _service = scene.start();
    let before = scene.submit("before", "true");
    assert_eq!(scene.await_end(before).status, JobStatus::Success);
    let mut flavors = sandbox::clever::usual_flavors();
    flavors.retain(|flavor| flavor["name"] != "heptapod-runner-S");
    scene.clever.set_flavors(flavors);
    let job = scene.submit_for("sized", "true", "S");
    assert_told(
        &scene.await_end(job),
        "script_failure",
        "S`; this runner offers XS, M, L",
    );
    scene.await_no_machines();
}

#[test]
fn a_flavor_above_the_maximum_is_refused() {
    let mut scene = Scene::new();
    scene.runner = "cc_max_flavor = \"M\"".to_owned();
    let _service = scene.start();
    let job = scene.submit_for("sized", "true", "XL");
    assert_told(
        &scene.await_end(job),
        "script_failure",
        "XL`; this runner offers XS, S, M.",
    );
    assert!(scene.machine(job).is_none());
}

#[test]
fn a_script_that_fails_is_the_jobs_own_business() {
    let scene = Scene::new();
    let _service = scene.start();
    let job = scene.submit("fails", "exit 7");
    let ended = scene.await_end(job);
    assert_eq!(
        (ended.status, ended.exit_code),
        (JobStatus::Failed, Some(7))
    );
    assert_eq!(ended.verdicts().len(), 1);
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_machine_that_never_reports_is_a_launch_failure() {
    let scene = Scene::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::NeverBoots);
    let _service = scene.start_changed(&[("timeout_seconds = 30", "timeout_seconds = 1")]);
    let job = scene.submit("silent", "true");
    assert_told(
        &scene.await_end(job),
        "runner_system_failure",
        "Job not active (no log) after 1 seconds",
    );
    scene.await_no_machines();
}

#[test]
fn refused_credentials_are_for_the_administrator() {
    let scene = Scene::new();
    // As a token that ends after a job was taken.
    let refused = Rule::on("POST", "*/applications").with(Fault::clever(401, 2001));
    scene.clever.faults().inject(refused);
    let service = scene.start();
    let job = scene.submit("refused", "true");
    assert_told(
        &scene.await_end(job),
        "runner_configuration_error",
        "Please tell its administrator",
    );
    let line = service.await_log("check the organization and its token");
    assert!(
        line.contains("creating application hpd-job-kvzWdEMo-") && line.contains("ERROR"),
        "{line}"
    );
    assert!(!line.contains(CLEVER_TOKEN), "{line}");
}

#[test]
fn a_refused_push_is_a_launch_failure_and_the_application_goes() {
    let scene = Scene::new();
    scene
        .clever
        .set_quirks(|quirks| quirks.hook = Hook::Refuses);
    let _service = scene.start();
    let job = scene.submit("declined", "true");
    assert_told(
        &scene.await_end(job),
        "runner_external_dependency_failure",
        "could not be handed over",
    );
    scene.await_no_machines();
}

#[test]
fn a_repository_that_never_comes_is_a_launch_failure() {
    let mut scene = Scene::new();
    scene.runner =
        "cc_deployment_repo_timeout = 0.5\ncc_deployment_repo_wait_step = 0.1".to_owned();
    scene
        .clever
        .set_quirks(|quirks| quirks.repository_never_ready = true);
    let service = scene.start();
    let job = scene.submit("waits", "true");
    assert_told(
        &scene.await_end(job),
        "runner_external_dependency_failure",
        "did not prepare a machine",
    );
    let line = service.await_log("cc_deployment_repo_timeout");
    assert!(line.contains("WARN"), "{line}");
    scene.await_no_machines();
}

#[test]
fn a_push_address_elsewhere_never_sees_the_token() {
    let scene = Scene::new();
    let elsewhere = r#"{"id": "app_1", "deployment": {"repoState": "CREATED",
        "httpUrl": "https://clever-cloud.com.evil.example/app_1.git"}}"#;
    let answer = sandbox::Response::text(200, elsewhere);
    scene.clever.faults().inject(
        Rule::on("GET", "*/applications/app_*")
            .times(1)
            .with(Fault::Replace(answer)),
    );
    let service = scene.start();
    let job = scene.submit("phished", "true");
    assert_told(
        &scene.await_end(job),
        "runner_external_dependency_failure",
        "did not prepare a machine",
    );
    service.await_log("the token is not sent there");
    scene.await_no_machines();
}

#[test]
fn a_developer_who_may_not_delete_is_told_so_again_and_again() {
    let scene = Scene::new();
    scene
        .clever
        .add_organization(ORGANIZATION, "developer-token", Role::Developer);
    let service = scene.start_changed(&[(CLEVER_TOKEN, "developer-token")]);
    let job = scene.submit("left", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("does the token have the Manager role?");
    service.await_log("try 2");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(
        scene.state()["to_decommission"].as_array().unwrap().len(),
        1
    );
    let _service = scene.start();
    scene.await_no_machines();
}

#[test]
fn launch_failures_and_finished_jobs_can_be_kept_for_inspection() {
    let mut scene = Scene::new();
    scene.global =
        "pass_decommision_launched_failures = false\npaas_finished_jobs_keep_resources = true"
            .to_owned();
    scene
        .clever
        .set_quirks(|quirks| quirks.hook = Hook::Refuses);
    let service = scene.start();
    let failed = scene.submit("failed", "true");
    scene.await_end(failed);
    service.await_log("is kept, as configured");
    scene.clever.set_quirks(|quirks| quirks.hook = Hook::Normal);
    let finished = scene.submit("finished", "true");
    scene.await_end(finished);
    service.await_log(&format!("machine {} is kept", scene.machine_name(finished)));
    let (_, log) = service.stop();
    assert_eq!(scene.clever.applications().len(), 2, "{log}");
    assert_eq!(
        scene.state()["to_decommission"].as_array().unwrap().len(),
        0
    );
}

#[test]
fn the_words_are_added_behind_what_is_in_the_log_already() {
    let scene = Scene::with(
        |_| {},
        |clever| clever.latencies.repository = std::time::Duration::from_millis(300),
    );
    let _service = scene.start();
    let job = scene.submit_cheap("sized");
    let ended = scene.await_end(job);
    let appended = ended.calls.iter().any(|call| {
        matches!(call.action, Action::Append { start: 0, bytes } if bytes == ended.trace.len())
    });
    assert!(appended, "{:?}", ended.calls);
}

#[test]
fn no_machine_outlives_its_maximum_age() {
    let mut scene = Scene::new();
    scene.global = "paas_max_machine_age = 2".to_owned();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HangsInJob);
    let service = scene.start();
    let endless = JobSpec::new("endless", ["true"]).flavor("XS");
    let endless = endless.extra(serde_json::json!({"runner_info": {"timeout": null}}));
    let job = scene.coordinator.submit(endless);
    let ended = scene.await_end(job);
    assert_eq!(ended.exit_code, Some(103));
    assert!(
        ended.log().contains("did not end in its time"),
        "{}",
        ended.log()
    );
    scene.await_no_machines();
    service.await_log("has reached its maximum age");
}

#[test]
fn a_job_that_may_take_long_by_its_own_timeout_is_capped_and_its_log_says_so() {
    let mut scene = Scene::new();
    scene.global = "paas_max_job_duration = 3".to_owned();
    let service = scene.start();
    let job = scene.submit("long", "sleep 600");
    let ended = scene.await_end(job);
    let told = "which on this runner is 3s at most";
    assert!(ended.log().contains(told), "{}", ended.log());
    let reason = ended.failure_reason.as_deref();
    assert_eq!(reason, Some("job_execution_timeout"));
    scene.await_no_machines();
    let line = service.await_log("paas_max_job_duration");
    assert!(line.contains("INFO"), "{line}");
    let quick = scene.submit("quick", "true");
    assert_eq!(scene.await_end(quick).status, JobStatus::Success);
}

#[test]
fn no_wrong_clock_takes_the_machine_of_a_job_that_the_coordinator_calls_young() {
    for (what, expires) in [("long ago", 1_u64), ("far away", 9_999_999_999)] {
        let scene = Scene::new();
        let service = scene.start();
        let job = scene.submit_lasting(what);
        scene.await_phase(job, AppPhase::Running);
        service.await_log("running, seen");
        service.kill();
        let mut state = scene.state();
        state["heptapod_paas_runner"]["jobs"][0]["expires"] = expires.into();
        std::fs::write(scene.state_path(), state.to_string()).unwrap();
        let service = scene.start();
        if expires == 1 {
            service.await_log("the coordinator has had it running for");
        } else {
            service.await_log("going on with");
        }
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{what}");
        scene.await_no_machines();
        scene.assert_started_once(job);
    }
}

#[test]
fn a_machine_reaches_its_maximum_age_while_nobody_can_say_whether_its_job_runs() {
    let mut scene = Scene::new();
    scene.global = "paas_max_machine_age = 8".to_owned();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HangsSilently);
    let service = scene.start();
    let endless = JobSpec::new("endless", ["true"]).flavor("XS");
    let endless = endless.extra(serde_json::json!({"runner_info": {"timeout": null}}));
    let job = scene.coordinator.submit(endless);
    scene.await_phase(job, AppPhase::Pushed);
    scene.coordinator.suspend();
    scene.await_no_machines();
    service.await_log("has reached its maximum age");
    scene.coordinator.resume();
    let ended = scene.await_end(job);
    assert_told(&ended, "job_execution_timeout", "did not end in its time");
}

#[test]
fn a_token_that_may_not_see_the_project_lets_no_running_job_fail() {
    let scene = Scene::new();
    let stranger = "glpat-stranger";
    scene.coordinator.add_user(stranger, Access::Stranger);
    let watch = format!("timeout_seconds = 20\ntoken = \"{stranger}\"");
    let service = scene.start_changed(&[("timeout_seconds = 30", &watch)]);
    let job = scene.submit_lasting("unseen");
    // Only before that is seen the time can run out.
    service.await_log("running, seen");
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    let log = service.whole_log();
    assert!(log.contains("reading the job's log: "), "{log}");
    assert!(!log.contains(stranger), "{log}");
}
