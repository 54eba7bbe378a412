//! `local-docker`: jobs in containers of a Docker engine on this computer.
//!
//! With a real engine, and an inner runner that does real requests from a real container. Where
//! there is no engine, the tests that need one say that they were skipped.

mod docker_scene;
mod engine;
mod late_start;

use std::thread;
use std::time::{Duration, Instant};

use sandbox::JobStatus;

use self::docker_scene::DockerScene;
use self::late_start::{Late, LateStart};
use crate::scene::PATIENCE;

fn await_running(docker: &DockerScene, job: sandbox::JobId, service: &crate::service::Service) {
    let is_running = |status| status == JobStatus::Running;
    docker.scene.await_status(job, is_running);
    service.await_log("running, seen after");
}

#[test]
fn a_job_runs_in_a_container_of_which_nothing_is_left() {
    let Some(docker) = DockerScene::open() else {
        return;
    };
    let service = docker.start();
    let job = docker.submit("true");
    let ended = docker.scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    docker.await_nothing_left(job);
    assert_eq!(docker.starts(job), 1);
    let log = ended.log();
    for part in [
        "an engine: true",
        "executor = \"docker\"",
        "debian:stable-slim",
    ] {
        assert!(log.contains(part), "{log}");
    }
    for secret in ["host =", "cc_", "local-docker", "paas_"] {
        assert!(!log.contains(secret), "{log}");
    }
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    docker.scene.assert_no_complaints();
}

#[test]
fn a_canceled_job_loses_its_container() {
    let Some(docker) = DockerScene::open() else {
        return;
    };
    let service = docker.start();
    let job = docker.submit("until canceled");
    await_running(&docker, job, &service);
    assert_eq!(docker.container(job).unwrap().1, "running");
    docker.scene.coordinator.cancel(job);
    docker.await_nothing_left(job);
    assert_eq!(
        docker.scene.coordinator.job(job).status,
        JobStatus::Canceled
    );
    service.stop();
}

#[test]
fn a_job_that_runs_is_found_again_after_a_kill() {
    let Some(docker) = DockerScene::open() else {
        return;
    };
    let service = docker.start();
    let job = docker.submit("until canceled");
    await_running(&docker, job, &service);
    let before = docker.container(job);
    service.kill();
    let state = docker.scene.state();
    let handles = [&state["launched"][0], &state["pending"][0][0]];
    let resource = handles
        .iter()
        .find_map(|handle| handle["paas_resource"].as_str());
    assert_eq!(resource, Some(docker.name(job).as_str()), "{state}");
    let service = docker.start();
    service.await_log("going on with 1 job ");
    assert_eq!(docker.container(job), before);
    docker.scene.coordinator.cancel(job);
    docker.await_nothing_left(job);
    assert_eq!(docker.starts(job), 1);
    service.stop();
}

/// At whatever step: each process lives a little longer than the one before it.
#[test]
fn a_job_is_started_once_however_often_the_program_is_killed() {
    let Some(docker) = DockerScene::open() else {
        return;
    };
    let service = docker.start();
    let job = docker.submit("true");
    // Before that the grant may not be on disk, and nobody can know of it.
    service.await_log("is provisioned");
    service.kill();
    for life in 1..=20 {
        let service = docker.start();
        thread::sleep(Duration::from_millis(life * 50));
        service.kill();
    }
    let service = docker.start();
    let ended = docker.scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    docker.await_nothing_left(job);
    assert_eq!(docker.starts(job), 1, "{}", service.whole_log());
    service.stop();
}

#[test]
fn a_start_of_a_dead_process_that_comes_after_a_look_is_the_only_one() {
    start_late(Late::AfterALook);
}

#[test]
fn a_start_of_a_dead_process_that_comes_before_the_next_ones_starts_nothing_twice() {
    start_late(Late::BeforeTheNext);
}

#[test]
fn a_start_of_a_dead_process_that_comes_after_the_job_ended_starts_nothing_twice() {
    start_late(Late::AfterTheNextHasEnded);
}

fn start_late(late: Late) {
    let Some(mut docker) = DockerScene::open() else {
        return;
    };
    let late_start = LateStart::new(late);
    docker.scene.environment = late_start.environment().into();
    let service = docker.start();
    let job = docker.submit("true");
    late_start.await_first();
    service.kill();
    let service = docker.start();
    let ended = docker.scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    docker.await_nothing_left(job);
    assert!(late_start.first_is_over(), "{}", service.whole_log());
    assert_eq!(docker.starts(job), 1, "{}", service.whole_log());
    service.stop();
}

#[test]
fn an_image_that_can_not_be_built_fails_the_job_in_kind_words() {
    let Some(mut docker) = DockerScene::open() else {
        return;
    };
    // Nobody listens there.
    let image = std::mem::replace(&mut docker.image, "127.0.0.1:1/nothing:here".to_owned());
    let service = docker.start();
    docker.image = image;
    let job = docker.submit("true");
    let ended = docker.scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    assert!(
        ended.log().contains("could not be started"),
        "{}",
        ended.log()
    );
    assert!(!ended.log().contains("127.0.0.1"), "{}", ended.log());
    let line = service.await_log("failed to launch");
    for part in [docker.host.as_str(), "docker build", "127.0.0.1:1"] {
        assert!(line.contains(part), "{line}");
    }
    docker.await_nothing_left(job);
    service.stop();
}

#[test]
fn without_an_engine_jobs_are_left_in_the_queue_and_the_operator_is_told_what_to_check() {
    let mut docker = DockerScene::without_engine("");
    docker.host = format!(
        "unix://{}",
        docker.scene.folder.path().join("nobody.sock").display()
    );
    let job = docker.submit("true");
    let service = docker.start();
    let line = service.await_log("no Docker engine can be reached");
    assert!(
        line.contains(&docker.host) && line.contains("check that it runs"),
        "{line}"
    );
    assert_eq!(docker.scene.coordinator.job(job).status, JobStatus::Pending);
    assert_eq!(
        docker.scene.coordinator.job_requests(&docker.token).len(),
        0
    );
    let stopping = Instant::now();
    let (exit, log) = service.stop();
    assert!(exit.success() && stopping.elapsed() < PATIENCE, "{log}");
}
