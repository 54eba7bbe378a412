//! A drain takes no new jobs, finishes all that are here, and ends the service.

use std::process::Stdio;

use rustix::process::Signal;
use sandbox::JobStatus;

use crate::scene::Scene;

#[test]
fn a_drain_finishes_running_and_held_jobs_takes_no_other_and_ends_with_success() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    let mut service = scene.start();
    let running = scene.submit_for("runs", &scene.lasting_script(), "XL");
    scene.await_status(running, |status| status == JobStatus::Running);
    let held = scene.submit_for("held", "true", "3XL");
    service.await_log(&format!("job={held} runner=ci: held"));
    let drain = scene
        .command(&["--drain"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    service.await_log("draining: taking no new jobs; 2 jobs left");
    let late = scene.submit("late", "true");
    let status =
        scene.await_status_that("it does not drain", |status| status["state"] == "draining");
    assert_eq!(status["runners"][0]["does"], "drain");
    let (_, table, _) = scene.ask(&["--status"]);
    let is_narrow = |line: &str| line.chars().count() <= 80;
    assert!(table.lines().all(is_narrow), "{table}");
    // It can't be changed any more.
    service.signal(Signal::HUP);
    service.await_log("the configuration is not read again");
    scene.let_end();
    for job in [running, held] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    let told = drain.wait_with_output().unwrap();
    let words = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{words}");
    for line in ["draining: 2 jobs left", "drained: the service has ended"] {
        assert!(words.contains(line), "{words}");
    }
    assert_eq!(scene.coordinator.job(late).status, JobStatus::Pending);
    scene.await_no_machines();
    scene.assert_no_complaints();
    let (code, _, complaint) = scene.ask(&["--drain"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("there is nothing to drain"),
        "{complaint}"
    );
}

#[test]
fn a_signal_drains_as_well_and_a_stop_is_still_a_stop() {
    let scene = Scene::new();
    let mut service = scene.start();
    service.await_log("asking http");
    // It ends before it could answer, or a moment later.
    let (code, told, complaint) = scene.ask(&["--drain"]);
    assert_eq!(code, Some(0), "{told}{complaint}");
    assert!(service.wait().0.success());
    let mut service = scene.start();
    service.await_log("asking http");
    service.signal(Signal::QUIT);
    let (exit, log) = service.wait();
    assert!(
        exit.success() && log.contains("stopped; no job is left"),
        "{log}"
    );

    let service = scene.start();
    let job = scene.submit_lasting("goes on");
    scene.await_status(job, |status| status == JobStatus::Running);
    service.signal(Signal::QUIT);
    service.await_log("draining");
    let (exit, log) = service.stop();
    assert!(
        exit.success() && log.contains("the next start goes on with 1 job"),
        "{log}"
    );
    let service = scene.start();
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    drop(service);
}
