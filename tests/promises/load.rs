//! Hundreds of jobs leave nothing in the program: no memory, no thread, no open file.
//!
//! What many jobs at once cost is measured with `cargo run --release --example bench -- --jobs 500`.

use std::fs;

use sandbox::JobStatus;

use crate::scene::{Scene, eventually};
use crate::service::Service;

const JOBS: usize = 400;
/// Connections that are kept for the next request, to each of the three services.
const KEPT_CONNECTIONS: usize = 48;
/// In KiB: what a heap may grow by until its free pieces fit.
const SLACK: u64 = 1024;

/// What a process holds.
#[derive(Debug)]
struct Held {
    memory: u64,
    threads: usize,
    files: usize,
}

impl Held {
    fn by(service: &Service) -> Self {
        let process = format!("/proc/{}", service.id());
        let count = |what: &str| fs::read_dir(format!("{process}/{what}")).unwrap().count();
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = memory.unwrap().trim().trim_end_matches(" kB");
        Self {
            memory: kib.parse().unwrap(),
            threads: count("task"),
            files: count("fd"),
        }
    }
}

/// The jobs ask for what nobody offers: each is granted, written down, told of and forgotten, and
/// costs this computer no machine.
fn after_jobs(scene: &Scene, service: &Service, idle: &Held) -> Held {
    let jobs: Vec<_> = (0..JOBS)
        .map(|n| scene.submit_cheap(&format!("job {n}")))
        .collect();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Failed);
    }
    scene.await_nothing_tracked("after the jobs");
    assert!(
        eventually(|| Held::by(service).threads <= idle.threads),
        "{:?} {idle:?}",
        Held::by(service)
    );
    Held::by(service)
}

#[test]
fn hundreds_of_jobs_leave_no_memory_no_thread_and_no_file() {
    let mut scene = Scene::new();
    scene.global = "paas_repoll_same_runner_immediately = true\nconcurrent = 1000".to_owned();
    scene.quota_jobs = 1000;
    let service = scene.start();
    service.await_log("the quota is");
    scene.await_that("it asks for no job", || scene.count_job_requests() > 0);
    let idle = Held::by(&service);
    let first = after_jobs(&scene, &service, &idle);
    let second = after_jobs(&scene, &service, &idle);
    assert!(
        second.memory <= first.memory + SLACK,
        "{first:?} {second:?}"
    );
    assert!(
        second.files <= idle.files + KEPT_CONNECTIONS,
        "{idle:?} {second:?}"
    );
}
