//! `--status` shows what runs, why a job waits, and what is wrong.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use sandbox::{Fault, JobSpec, JobStatus, Rule};

use crate::scene::{ORGANIZATION, RUNNER_TOKEN, Scene};

#[test]
fn the_status_tells_of_jobs_and_of_runners_by_the_service_or_else_by_the_state_file() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    let service = scene.start();
    let running = scene.submit_for("runs", &scene.lasting_script(), "XL");
    scene.await_status(running, |status| status == JobStatus::Running);
    service.await_log("running, seen");
    let held = scene.submit_for("waits", "true", "3XL");
    let status = scene.await_status_that("no job is held", |status| {
        status["jobs"]
            .as_array()
            .is_some_and(|jobs| jobs.len() == 2)
            && status["runners"][0]["does"] == "wait"
    });
    assert_eq!(
        (&status["version"], &status["source"]),
        (&1.into(), &"service".into())
    );
    let job = |id: u64| {
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["id"] == id).unwrap().clone()
    };
    let (of_running, of_held) = (job(running), job(held));
    assert_eq!(of_running["phase"], "running");
    assert_eq!(of_running["machine"], scene.machine_name(running).as_str());
    assert_eq!(of_running["user"], "wile");
    assert_eq!(
        (&of_held["phase"], &of_held["flavor"]),
        (&"held".into(), &"3XL".into())
    );
    assert_eq!(status["quota"]["held"], 1);
    let reason = status["runners"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("a job of it waits for room"), "{reason}");

    let (code, table, _) = scene.ask(&["--status"]);
    assert_eq!(code, Some(0), "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    assert!(!table.contains('\x1b'), "it is no terminal: {table}");
    for told in [
        "running; up ",
        " wile ",
        "running",
        "held",
        "held 1",
        "runner ci at http",
    ] {
        assert!(table.contains(told), "{told}: {table}");
    }
    let socket = scene.folder.path().join("state.json.socket");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    drop(service.kill());
    let (code, table, _) = scene.ask(&["--status"]);
    assert_eq!(code, Some(1));
    for told in [
        "not running; by the state file",
        "no service runs",
        "held",
        " wile ",
    ] {
        assert!(table.contains(told), "{told}: {table}");
    }
    // It takes the place of what the killed one has left.
    let service = scene.start();
    scene.await_status_that("it does not answer", |status| status["source"] == "service");
    scene.let_end();
    scene.await_end(held);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(!socket.exists());
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_none_for_a_service() {
    let scene = Scene::new();
    let long = scene
        .folder
        .path()
        .join("folder-with-a-name-of-some-length-".repeat(5));
    fs::create_dir(&long).unwrap();
    let state = format!("{}/state.json", long.display());
    let usual = scene.state_path().display().to_string();
    let service = scene.start_changed(&[(&usual, &state)]);
    service.await_log("asking http");
    assert_eq!(scene.status()["source"], "service");
    let (exit, log) = service.stop();
    assert!(exit.success() && !log.contains("cannot listen"), "{log}");
}

#[test]
fn what_is_wrong_is_told_and_is_an_exit_code() {
    let mut scene = Scene::new();
    // Only the service needs it.
    let secret = scene.folder.path().join("secret");
    fs::write(&secret, "glrt-unknown-token00").unwrap();
    scene.more = scene.runner_elsewhere("second").replace(
        "kvzWdEMoTESTtoken000",
        &format!("file:{}", secret.display()),
    );
    let service = scene.start();
    service.await_log("runner=second: asking for a job");
    fs::remove_file(&secret).unwrap();
    let (code, table, complaint) = scene.ask(&["--status"]);
    assert_eq!(code, Some(1), "{table}{complaint}");
    assert!(
        table.contains("wrong: runner second: its coordinator is in trouble"),
        "{table}"
    );
    let status = scene.status();
    assert_eq!(status["runners"][1]["does"], "fail");

    scene.clever.faults().inject(
        Rule::on("DELETE", "*/applications/*")
            .always()
            .with(Fault::status(500)),
    );
    let job = scene.submit("over", "true");
    scene.await_end(job);
    let status = scene.await_status_that("no trouble with a deletion", |status| {
        status["jobs"][0]["trouble"].is_string()
    });
    assert_eq!(status["jobs"][0]["phase"], "deleting");
    scene.clever.faults().clear();
    scene.await_status_that("it is not deleted", |status| {
        status["jobs"] == serde_json::json!([])
    });
    drop(service);

    fs::write(scene.config_path(), "concurrent = x\n").unwrap();
    let (code, table, complaint) = scene.ask(&["--status"]);
    assert_eq!((code, table.as_str()), (Some(2), ""));
    assert!(complaint.contains("paas-runner.toml:1:"), "{complaint}");
}

#[test]
fn who_asks_in_a_strange_way_or_not_at_all_keeps_nobody_from_an_answer() {
    let scene = Scene::new();
    let service = scene.start();
    service.await_log("asking http");
    let socket = scene.folder.path().join("state.json.socket");
    let silent = UnixStream::connect(&socket).unwrap();
    let mut strange = UnixStream::connect(&socket).unwrap();
    strange.write_all(&vec![b'x'; 100_000]).unwrap_or_default();
    let mut answer = String::new();
    strange.read_to_string(&mut answer).unwrap_or_default();
    assert_eq!(scene.status()["source"], "service");
    drop(silent);
    // One that hangs is told apart from one that is not there.
    service.signal(Signal::STOP);
    let asked = scene.command(&["--status"]).output().unwrap();
    service.signal(Signal::CONT);
    let complaint = String::from_utf8(asked.stderr).unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        complaint.contains("gives no answer: it may hang"),
        "{complaint}"
    );
}

#[test]
fn foreign_names_neither_speak_to_the_terminal_nor_break_the_table() {
    let mut scene = Scene::new();
    scene.runner = "# nothing".to_owned();
    let service = scene.start();
    let long = "very-long-name-of-a-project-".repeat(9);
    let spec = JobSpec::new("named", [scene.lasting_script()])
        .project(format!("acme/\x1b[2J{long}"))
        .flavor("XS");
    let job = scene.coordinator.submit(spec);
    scene.await_status(job, |status| status == JobStatus::Running);
    service.await_log("running, seen");
    let (code, table, _) = scene.ask(&["--status"]);
    assert_eq!(code, Some(0));
    assert!(!table.contains('\x1b'), "{table:?}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    assert!(
        table.contains(ORGANIZATION) || table.contains("runner ci"),
        "{table}"
    );
    scene.let_end();
    scene.await_end(job);
}

#[test]
fn a_service_that_can_not_be_asked_is_not_told_to_be_none() {
    let scene = Scene::new();
    let socket = scene.folder.path().join("state.json.socket");
    fs::write(&socket, "somebody's").unwrap();
    let service = scene.start();
    service.await_log("cannot listen at");
    for option in ["--status", "--reload", "--drain"] {
        let (code, told, complaint) = scene.ask(&[option]);
        assert_eq!((code, told.as_str()), (Some(1), ""));
        assert!(complaint.contains("a service runs with"), "{complaint}");
    }
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(fs::read_to_string(&socket).unwrap(), "somebody's");
    let (code, told, _) = scene.ask(&["--status"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("no service runs with"), "{told}");
}

#[test]
fn a_job_that_nobody_looks_after_is_wrong() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("abandoned");
    scene.await_status(job, |status| status == JobStatus::Running);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    let changes = [
        ("\"ci\"", "\"other\""),
        (RUNNER_TOKEN, "glrt-other-token00"),
    ];
    let service = scene.start_changed(&changes);
    service.await_log("this runner is not in the configuration any more");
    let (code, table, _) = scene.ask(&["--status"]);
    assert_eq!(code, Some(1), "{table}");
    let told = format!("wrong: job {job}: its runner is not in the configuration");
    assert!(table.contains(&told), "{table}");
    scene.write_configuration();
    service.signal(Signal::HUP);
    scene.await_status_that("it is not looked after", |status| {
        status["wrong"] == serde_json::json!([])
    });
    scene.let_end();
    scene.await_end(job);
    scene.await_no_machines();
}

#[test]
fn many_who_say_nothing_are_soon_forgotten_when_they_go() {
    let scene = Scene::new();
    let service = scene.start();
    service.await_log("asking http");
    let socket = scene.folder.path().join("state.json.socket");
    let silent: Vec<_> = (0..120).map(|_| UnixStream::connect(&socket)).collect();
    drop(silent);
    assert_eq!(scene.status()["source"], "service");
}
