//! Thousands of groups hold nothing up: they cost little memory, little disk, and no time at a start. What
//! hundreds of jobs leave is another file's promise.

use std::fs;
use std::time::{Duration, Instant};

use sandbox::JobStatus;
use serde_json::json;

use crate::service::Service;
use crate::tenants;

/// How many groups had a job since the start of the last process, at most.
const GROUPS: usize = 10_000;
/// So many have been looked at when it is measured: the others take time and nothing else.
const LOOKED_AT: usize = 300;
/// What a service may need to know them all, over what it needs anyway.
const OF_GROUPS: u64 = 8 << 10;

/// Resident memory in KiB.
fn resident(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_groups_that_were_met_hold_up_no_start_and_cost_little() {
    let scene = tenants::two_tenants();
    let service = tenants::start(&scene);
    service.await_log("asking http");
    let usual = resident(&service);
    assert!(service.stop().0.success());
    let mut state = scene.state();
    let groups: Vec<_> = (0..GROUPS)
        .map(|n| format!("group-of-old-{n:05}"))
        .collect();
    state["heptapod_paas_runner"]["tenants"] = json!(groups);
    let text = serde_json::to_string(&state).unwrap();
    assert!(text.len() < 512 << 10, "{} bytes on disk", text.len());
    fs::write(scene.state_path(), text).unwrap();

    let began = Instant::now();
    let service = tenants::start(&scene);
    service.await_log("asking http");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    // They are looked for meanwhile, one after the other.
    let job = tenants::submit(&scene, "acme/a");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    let is_group = |path: &str| path.contains("/groups/group-of-old-");
    scene.await_that("the groups are not looked for", || {
        scene.journal.count_requests("GET", is_group) >= LOOKED_AT
    });
    let grown = resident(&service).saturating_sub(usual);
    assert!(grown < OF_GROUPS, "{grown} KiB for {GROUPS} groups");
    let (exit, log) = service.stop();
    assert!(exit.success());
    assert!(log.lines().count() < 100, "each of them is in the log");
}
