//! Hundreds of jobs leave nothing in the program: no memory, no thread, no open file.
//!
//! What many jobs at once cost is measured with `cargo run --release --example demo -- --jobs 500`.

use std::fs;

use sandbox::{JobSpec, JobStatus};

use crate::afterwards::{await_nothing_tracked, eventually};
use crate::service::Service;
use crate::town::{PATIENCE, Town};

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
fn after_jobs(town: &Town, service: &Service, idle: &Held) -> Held {
    let jobs: Vec<_> = (0..JOBS)
        .map(|n| {
            let spec = JobSpec::new(format!("job {n}"), ["true"]).flavor("XXXL");
            town.coordinator.submit(spec)
        })
        .collect();
    for job in jobs {
        assert_eq!(town.await_end(job).status, JobStatus::Failed);
    }
    await_nothing_tracked(town, "after the jobs");
    assert!(
        eventually(|| Held::by(service).threads <= idle.threads),
        "{:?} {idle:?}",
        Held::by(service)
    );
    Held::by(service)
}

#[test]
fn hundreds_of_jobs_leave_no_memory_no_thread_and_no_file() {
    let mut town = Town::new();
    town.global = "paas_repoll_same_runner_immediately = true\nconcurrent = 1000".to_owned();
    town.quota_jobs = 1000;
    let service = town.start();
    service.await_log("the quota is");
    assert!(town.journal.wait_until(PATIENCE, || {
        town.journal
            .count_requests("POST", |path| path.ends_with("/jobs/request"))
            > 0
    }));
    let idle = Held::by(&service);
    let first = after_jobs(&town, &service, &idle);
    let second = after_jobs(&town, &service, &idle);
    assert!(
        second.memory <= first.memory + SLACK,
        "{first:?} {second:?}"
    );
    assert!(
        second.files <= idle.files + KEPT_CONNECTIONS,
        "{idle:?} {second:?}"
    );
}
