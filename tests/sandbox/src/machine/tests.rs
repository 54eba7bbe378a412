//! Machines do jobs as real ones do, and end when they are told to.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::MachineBehaviour;
use crate::clever::Clever;
use crate::client::{
    DOCKERFILE, PATIENCE, TOKEN, Workbench, applications, assert_only_complaint, create, hand_over,
    reaches, start_clever, start_coordinator,
};
use crate::coordinator::{Coordinator, JobSpec, JobStatus, JobView, Variable};
use crate::fault::{Fault, Gate, Rule};
use crate::journal::{AppPhase, Kind};

fn finished(coordinator: &Coordinator) -> JobView {
    let id = coordinator.jobs()[0].id;
    let is_over = |status| !matches!(status, JobStatus::Pending | JobStatus::Running);
    let job = coordinator.wait_for_status(id, PATIENCE, is_over);
    job.unwrap_or_else(|| panic!("not finished:\n{}", coordinator.journal()))
}

fn log(job: &JobView) -> String {
    String::from_utf8_lossy(&job.trace).into_owned()
}

#[test]
fn a_job_is_done_as_its_user_wrote_it() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let mut spec = JobSpec::new(
        "build",
        ["echo \"<$GREETING>\" $HIDDEN", "cat $FILE", "false"],
    );
    spec.after_script = vec!["echo swept; exit 3".to_owned()];
    spec.variables = vec![
        Variable::user("NAME", "wörld"),
        Variable::user("GREETING", "hello $NAME"),
        Variable::secret("HIDDEN", "sesame-open"),
        Variable::file("FILE", "line\nline\n"),
    ];
    let name = hand_over(&clever, &coordinator, spec);
    let job = finished(&coordinator);
    let log = log(&job);
    assert_eq!(job.status, JobStatus::Failed, "{log}");
    assert_eq!(
        (job.failure_reason.as_deref(), job.exit_code),
        (Some("script_failure"), Some(1))
    );
    for words in [
        "<hello wörld> [MASKED]\n",
        "line\nline\n",
        "swept\n",
        "exit code 1",
    ] {
        assert!(log.contains(words), "{words}:\n{log}");
    }
    assert!(!log.contains("sesame"), "{log}");
    assert!(reaches(&clever, &name, AppPhase::Exited));
    let application = clever.application(&name).unwrap();
    assert_eq!(
        (application.state, application.deployments[0].state),
        ("SHOULD_BE_DOWN", "OK")
    );
    assert_eq!(application.files["Dockerfile"], DOCKERFILE.as_bytes());
    let bill = clever.bill();
    assert_eq!(
        (bill.len(), bill[0].billed_seconds, bill[0].is_running),
        (1, 10, false)
    );
    assert!(
        clever.journal().complaints().is_empty(),
        "{}",
        clever.journal()
    );
}

#[test]
fn deleting_the_application_ends_the_job_and_all_its_processes() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let spec = JobSpec::new("long", ["sleep 1000 & echo \"<$!>\"; sleep 1000"]);
    let name = hand_over(&clever, &coordinator, spec);
    let id = coordinator.jobs()[0].id;
    let read_pid = || {
        let log = log(&coordinator.job(id));
        let (_, pid) = log.rsplit_once("\n<")?;
        Some(pid.split_once('>')?.0.to_owned())
    };
    let pid = clever.journal().wait_for(PATIENCE, |_| read_pid()).unwrap();
    assert_eq!(clever.running_machines(), 1);
    let application = clever.application(&name).unwrap().id;
    applications(&clever, "DELETE", &format!("/{application}"), None);
    assert!(reaches(&clever, &name, AppPhase::Exited));
    assert_eq!(clever.running_machines(), 0);
    let alive = Command::new("sh")
        .args([
            "-c",
            "kill -0 \"$1\" && ! grep -qs '^State:.Z' /proc/$1/status",
            "sh",
            &pid,
        ])
        .output();
    assert!(
        !alive.unwrap().status.success(),
        "process {pid} is still there"
    );
    assert_eq!(coordinator.job(id).status, JobStatus::Running);
}

#[test]
fn a_canceled_job_is_given_up_without_a_report() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let spec = JobSpec::new(
        "long",
        ["echo begun; while :; do echo on; sleep 0.05; done"],
    );
    let name = hand_over(&clever, &coordinator, spec);
    let id = coordinator.jobs()[0].id;
    let begun = || log(&coordinator.job(id)).contains("\nbegun");
    assert!(clever.journal().wait_until(PATIENCE, begun));
    coordinator.cancel(id);
    assert!(reaches(&clever, &name, AppPhase::Exited));
    assert_eq!(coordinator.job(id).status, JobStatus::Canceled);
}

/// What the API tells of the application's machines and of its last deployment.
fn instances_and_deployment(clever: &Clever, name: &str) -> (Vec<String>, String) {
    let id = clever.application(name).unwrap().id;
    let (_, instances) = applications(clever, "GET", &format!("/{id}/instances"), None);
    let states = instances.as_array().unwrap().iter();
    let states = states.map(|it| it["state"].as_str().unwrap().to_owned());
    let (_, deployments) = applications(clever, "GET", &format!("/{id}/deployments"), None);
    let deployment = deployments[0]["state"].as_str().unwrap().to_owned();
    (states.collect(), deployment)
}

#[test]
fn a_machine_that_dies_in_its_job_says_no_more_and_is_seen_to_be_gone() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let gate = Gate::new();
    clever.set_machine_behaviour(MachineBehaviour::DiesInJob(gate.clone()));
    let spec = JobSpec::new("a", ["echo begun; sleep 1000"]);
    let name = hand_over(&clever, &coordinator, spec);
    let id = coordinator.jobs()[0].id;
    let begun = || log(&coordinator.job(id)).contains("\nbegun");
    assert!(clever.journal().wait_until(PATIENCE, begun));
    let (instances, deployment) = instances_and_deployment(&clever, &name);
    assert_eq!(instances, ["TASK_IN_PROGRESS"]);
    assert_eq!(deployment, "WIP");
    gate.open();
    assert!(reaches(&clever, &name, AppPhase::Exited));
    let (instances, deployment) = instances_and_deployment(&clever, &name);
    assert!(instances.is_empty(), "{instances:?}");
    assert_eq!(deployment, "FAIL");
    let job = coordinator.job(id);
    assert_eq!((job.status, job.verdicts().len()), (JobStatus::Running, 0));
    assert_eq!(clever.running_machines(), 0);
}

#[test]
fn a_machine_whose_job_is_done_is_seen_to_be_gone() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let name = hand_over(&clever, &coordinator, JobSpec::new("a", ["true"]));
    assert!(reaches(&clever, &name, AppPhase::Exited));
    let (instances, deployment) = instances_and_deployment(&clever, &name);
    assert!(instances.is_empty(), "{instances:?}");
    assert_eq!(deployment, "OK");
}

#[test]
fn a_job_that_was_canceled_before_it_began_writes_nothing() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let gate = Gate::new();
    clever.set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let name = hand_over(&clever, &coordinator, JobSpec::new("a", ["true"]));
    assert!(gate.wait_reached(PATIENCE));
    coordinator.cancel(coordinator.jobs()[0].id);
    gate.open();
    assert!(reaches(&clever, &name, AppPhase::Exited));
    let patches = |path: &str| path.ends_with("/trace");
    assert_eq!(clever.journal().count_requests("PATCH", patches), 0);
}

#[test]
fn trouble_at_the_coordinator_loses_nothing() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let job = "/api/v4/jobs/*";
    let faults = coordinator.faults();
    faults.inject(Rule::on("PUT", job).with(Fault::CutAfter));
    faults.inject(Rule::on("PATCH", job).after(1).with(Fault::CutAfter));
    faults.inject(Rule::on("PATCH", job).twice().with(Fault::html(502)));
    faults.inject(Rule::on("PUT", job).twice().with(Fault::too_many(0)));
    let spec = JobSpec::new(
        "count",
        ["for i in 1 2 3 4 5; do echo n$i; sleep 0.15; done"],
    );
    hand_over(&clever, &coordinator, spec);
    let job = finished(&coordinator);
    let log = log(&job);
    assert_eq!(job.status, JobStatus::Success, "{log}");
    assert!(log.contains("n1\nn2\nn3\nn4\nn5\n"), "{log}");
    assert!(
        clever.journal().complaints().is_empty(),
        "{}",
        clever.journal()
    );
}

#[test]
fn a_build_that_holds_more_than_it_should_fails() {
    let clever = start_clever();
    let id = create(&clever, "a");
    let dockerfile = DOCKERFILE.replace("ENV", "RUN evil\nENV");
    let bench = Workbench::new(&[
        ("Dockerfile", &dockerfile),
        ("job.json", "{}"),
        ("runner.toml", &format!("token = \"{TOKEN}\"")),
    ]);
    bench
        .push(&clever, &id, &format!("x:{TOKEN}"), "master")
        .unwrap();
    assert!(reaches(&clever, "a", AppPhase::Exited));
    let deployments = format!("/{id}/deployments");
    let (_, deployments) = applications(&clever, "GET", &deployments, None);
    assert_eq!(deployments[0]["state"], json!("FAIL"));
    let complaints = clever.journal().complaints().join("\n");
    for words in ["unexpected: `RUN evil`", "runner.toml holds a token"] {
        assert!(complaints.contains(words), "{complaints}");
    }
}

#[test]
fn without_the_docker_socket_no_job_can_be_done() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let gate = Gate::new();
    let faults = clever.git_faults();
    faults.inject(Rule::on("POST", "*/git-receive-pack").with(Fault::HoldBefore(gate.clone())));
    std::thread::scope(|scope| {
        scope.spawn(|| hand_over(&clever, &coordinator, JobSpec::new("a", ["true"])));
        assert!(gate.wait_reached(PATIENCE));
        let id = &clever.applications()[0].id;
        applications(&clever, "PUT", &format!("/{id}/env"), Some(&json!({})));
        gate.open();
    });
    let job = finished(&coordinator);
    assert_eq!(job.failure_reason.as_deref(), Some("runner_system_failure"));
}

#[test]
fn a_second_push_waits_for_the_first_machine_and_is_complained_about() {
    let clever = start_clever();
    let gate = Gate::new();
    clever.set_machine_behaviour_of("a", MachineBehaviour::HeldBeforeJob(gate.clone()));
    let id = create(&clever, "a");
    let bench = Workbench::new(&[
        ("Dockerfile", DOCKERFILE),
        ("job.json", "{}"),
        ("runner.toml", ""),
    ]);
    let login = format!("x:{TOKEN}");
    bench.push(&clever, &id, &login, "master").unwrap();
    assert!(gate.wait_reached(PATIENCE));
    // The same commit again is no news; another one is refused by the client's own lease.
    bench.push(&clever, &id, &login, "master").unwrap();
    bench.commit(&[("runner.toml", "[a]")]);
    let said = bench.push(&clever, &id, &login, "master").unwrap_err();
    assert!(said.contains("stale info"), "{said}");
    assert_eq!(clever.application("a").unwrap().deployments.len(), 1);
    assert!(clever.journal().complaints().is_empty());
    bench.push(&clever, &id, &login, "+master").unwrap();
    assert_only_complaint(&clever, "pushed to again");
    gate.open();
    let phases = || phases(&clever, "a");
    let both = || {
        phases()
            .iter()
            .filter(|phase| **phase == AppPhase::Exited)
            .count()
            == 2
    };
    assert!(clever.journal().wait_until(PATIENCE, both));
    let is_before = |phase: &AppPhase| *phase != AppPhase::Exited;
    let machines: Vec<_> = phases().into_iter().skip_while(is_before).collect();
    let expected = [
        AppPhase::Exited,
        AppPhase::Booting,
        AppPhase::Running,
        AppPhase::Exited,
    ];
    assert_eq!(machines, expected);
    let deployments = clever.application("a").unwrap().deployments;
    let states: Vec<_> = deployments.iter().map(|it| it.state).collect();
    assert_eq!(states, ["OK", "OK"]);
}

/// What became of the application, from its creation on; pushes only the first.
fn phases(clever: &Clever, name: &str) -> Vec<AppPhase> {
    let entries = clever.journal().entries().into_iter();
    let phases = entries.filter_map(|entry| match entry.kind {
        Kind::Application { name: of, state } if of == name => Some(state),
        _ => None,
    });
    let mut phases: Vec<_> = phases.collect();
    if let Some(again) = phases.iter().rposition(|phase| *phase == AppPhase::Pushed) {
        phases.remove(again);
    }
    phases
}

#[test]
fn the_end_of_this_world_does_not_wait_for_machines() {
    let clever = start_clever();
    let coordinator = start_coordinator(&clever);
    let faults = coordinator.faults();
    faults.inject(Rule::on("PATCH", "*/trace").with(Fault::Hang));
    let name = hand_over(&clever, &coordinator, JobSpec::new("a", ["sleep 1000"]));
    assert!(reaches(&clever, &name, AppPhase::Running));
    let since = Instant::now();
    drop(clever);
    assert!(since.elapsed() < Duration::from_secs(5));
}
