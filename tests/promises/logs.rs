//! The log is for people, for the journal, and for machines.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::JobStatus;
use serde_json::Value;

use crate::scene::{ORGANIZATION, RUNNER_TOKEN, Scene};
use crate::service::{Service, program};

/// The log of one job, from start to stop.
fn log_of_a_job(scene: &Scene, options: &[&str]) -> (u64, String) {
    let service = scene.start_with(options);
    let job = scene.submit_lasting("logged");
    service.await_log("running, seen");
    scene.let_end();
    scene.await_end(job);
    service.await_log("finished: ");
    (job, service.stop().1)
}

#[test]
fn grep_tells_the_story_of_a_job() {
    let scene = Scene::new();
    let (job, log) = log_of_a_job(&scene, &[]);
    let wanted = format!("job={job} runner=ci: ");
    let end = log
        .lines()
        .find(|line| line.contains("finished: "))
        .unwrap();
    for part in ["/", ", XS, waited ", ", booted ", ", ran ", ": success"] {
        assert!(end.contains(part), "{part}: {end}");
    }
    let line = log
        .lines()
        .find(|line| line.contains("asking http"))
        .unwrap();
    for part in [
        "INFO  runner=ci: asking ",
        &scene.coordinator.url(),
        "heptapod-runner in par",
        ORGANIZATION,
        "gets M unless",
        "of the quota of ",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!log.contains("statistics"), "{log}");
    let story: Vec<_> = log
        .lines()
        .filter_map(|line| Some(line.split_once(&wanted)?.1))
        .collect();
    let steps = [
        "granted",
        "machine hpd-job-",
        "handed over",
        "running",
        "over",
        "machine hpd-job-",
        "finished: ",
    ];
    assert_eq!(story.len(), steps.len(), "{log}");
    for (line, step) in story.iter().zip(steps) {
        assert!(line.starts_with(step), "{log}");
    }
}

#[test]
fn machines_read_json() {
    let mut scene = Scene::new();
    scene.global = "log_format = \"json\"".to_owned();
    let (job, log) = log_of_a_job(&scene, &[]);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let granted = lines
        .iter()
        .find(|line| line["message"].as_str().unwrap().starts_with("granted"));
    let granted = granted.unwrap();
    assert_eq!(
        (&granted["job"], &granted["runner"], &granted["level"]),
        (&job.into(), &"ci".into(), &"info".into())
    );
    assert!(
        granted["time"].as_str().unwrap().ends_with('Z'),
        "{granted}"
    );
}

#[test]
fn the_journal_gets_priorities_and_no_second_time_stamp() {
    let scene = Scene::new();
    scene.write_configuration();
    // As systemd.exec(5) says: the device and the inode of what the journal reads.
    let script = "export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec \"$0\" \"$@\"";
    let arguments = ["-c", script, &program().display().to_string()].map(str::to_owned);
    let configuration = scene.config_path().display().to_string();
    let arguments: Vec<_> = arguments.into_iter().chain([configuration]).collect();
    let service = Service::start_program(Path::new("/bin/sh"), &arguments, &scene.environment);
    let job = scene.submit("seen by the journal", "true");
    service.await_log(&format!("<6>job={job} runner=ci: granted"));
}

#[test]
fn what_is_not_the_journal_is_none_though_the_environment_says_that_there_is_one() {
    let mut scene = Scene::new();
    scene.environment = vec![("JOURNAL_STREAM".to_owned(), "8:1".to_owned())];
    let (job, log) = log_of_a_job(&scene, &[]);
    let granted = format!("Z INFO  job={job} runner=ci: granted");
    assert!(log.contains(&granted), "{log}");
    assert!(!log.contains("<6>"), "{log}");
}

#[test]
fn a_log_that_nobody_reads_holds_up_nothing_and_says_what_it_lacks() {
    let scene = Scene::new();
    scene.write_configuration();
    let (reader, writer) = io::pipe().unwrap();
    fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut service = Command::new(program())
        .args(["--logging-level", "DEBUG", "--debug-signal"])
        .arg(scene.config_path())
        .envs(scene.environment.iter().cloned())
        .stderr(writer)
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&service);
    for number in 0..3 {
        let job = scene.submit(&format!("unheard {number}"), "true");
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    kill_process(pid, Signal::USR1).unwrap();
    let told = lines.find(|line| line.contains("lines were dropped before this one"));
    assert!(told.is_some());
    // It stalls again, and the service is told to stop.
    let job = scene.submit("unheard, too", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());
}

#[test]
fn levels_are_set_in_the_configuration_and_overridden_by_the_option() {
    let mut scene = Scene::new();
    scene.global = "log_level = \"error\"".to_owned();
    let quiet = log_of_quiet_stop(&scene, &[]);
    assert_eq!(quiet, "");
    let loud = log_of_quiet_stop(&scene, &["--logging-level", "DEBUG"]);
    assert!(
        loud.contains("INFO ") && loud.contains("DEBUG GET http://"),
        "{loud}"
    );
}

fn log_of_quiet_stop(scene: &Scene, options: &[&str]) -> String {
    let service = scene.start_with(options);
    let before = scene.count_job_requests();
    scene.await_that("it asks for no job", || {
        scene.count_job_requests() > before + 1
    });
    service.stop().1
}

#[test]
fn a_signal_has_all_that_is_tracked_told_in_the_log() {
    let scene = Scene::new();
    let ends = SystemTime::now() + Duration::from_secs(90 * 24 * 3600);
    let ends = ends.duration_since(UNIX_EPOCH).unwrap().as_secs();
    scene.coordinator.set_token_end(RUNNER_TOKEN, ends);
    let service = scene.start();
    service.await_log("the quota is");
    // It is asked for beside all else.
    scene.await_that("the status does not tell when the token ends", || {
        service.signal(Signal::USR1);
        let line = "runner=ci: the runner's token (token) ends in 89 days";
        service.find_log(line, Duration::from_millis(100)).is_some()
    });
    service.await_log("tracked: 0 jobs");
    service.await_log("runner=ci: asks for jobs; there is none for it");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
}
