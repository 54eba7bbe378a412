//! No more runs at once than the operator allows, and nobody starves.

use std::time::Duration;

use sandbox::MachineBehaviour;
use sandbox::{AppPhase, Fault, Gate, JobSpec, JobStatus, Kind, Rule};

use crate::town::{PATIENCE, Town};

/// The most machines that ever were there at the same time.
fn most_at_once(town: &Town) -> usize {
    let mut now = 0_usize;
    let mut most = 0;
    for entry in town.journal.entries() {
        match entry.kind {
            Kind::Application {
                state: AppPhase::Created,
                ..
            } => now += 1,
            Kind::Application {
                state: AppPhase::Deleted,
                ..
            } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn run_all(town: &Town, count: usize) {
    let jobs: Vec<_> = (0..count)
        .map(|n| town.submit(&format!("job {n}"), "true"))
        .collect();
    let _service = town.start();
    for job in jobs {
        assert_eq!(town.await_end(job).status, JobStatus::Success);
    }
    town.await_no_machines();
}

#[test]
fn no_more_jobs_than_concurrent_says() {
    let mut town = Town::new();
    town.global = "concurrent = 2\npaas_repoll_same_runner_immediately = true".to_owned();
    run_all(&town, 6);
    assert_eq!(most_at_once(&town), 2);
    town.check_manners();
}

#[test]
fn the_quota_counts_the_heaviest_job_that_could_come() {
    let mut town = Town::new();
    town.quota_jobs = 1;
    town.global = "paas_repoll_same_runner_immediately = true".to_owned();
    run_all(&town, 4);
    assert_eq!(
        most_at_once(&town),
        1,
        "a 3XL might come, and fits only into an empty quota"
    );
}

#[test]
fn a_maximum_flavor_makes_room_for_more() {
    let mut town = Town::new();
    town.quota_jobs = 1;
    town.global = "paas_repoll_same_runner_immediately = true".to_owned();
    town.runner = "cc_max_flavor = \"XS\"".to_owned();
    let gate = Gate::new();
    town.clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let jobs: Vec<_> = (0..5)
        .map(|n| town.submit(&format!("job {n}"), "true"))
        .collect();
    let _service = town.start();
    for job in &jobs {
        town.await_phase(*job, AppPhase::Running);
    }
    gate.open();
    for job in jobs {
        assert_eq!(town.await_end(job).status, JobStatus::Success);
    }
}

#[test]
fn no_more_launches_at_once_than_allowed() {
    let mut town = Town::new();
    town.global =
        "paas_max_concurrent_provisioning = 1\npaas_repoll_same_runner_immediately = true"
            .to_owned();
    let gate = Gate::new();
    town.clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let first = town.submit("first", "sleep 1");
    let second = town.submit("second", "true");
    let service = town.start();
    town.await_phase(first, AppPhase::Running);
    service.await_log("not polling: 1 jobs are being launched");
    assert_eq!(town.coordinator.job(second).status, JobStatus::Pending);
    gate.open();
    assert_eq!(town.await_end(second).status, JobStatus::Success);
}

#[test]
fn launches_are_spaced() {
    let mut town = Town::new();
    town.global = "paas_min_seconds_between_launches = 1\n\
                   paas_repoll_same_runner_immediately = true"
        .to_owned();
    run_all(&town, 3);
    let entries = town.journal.entries();
    let mut granted = entries.iter().filter(
        |entry| matches!(&entry.kind, Kind::JobStatus { status, .. } if status == "running"),
    );
    let mut created = entries.iter().filter(|entry| {
        matches!(
            &entry.kind,
            Kind::Application {
                state: AppPhase::Created,
                ..
            }
        )
    });
    // The first turn is not before the first grant, however busy the computer is.
    let all = created.next_back().unwrap().at - granted.next().unwrap().at;
    assert!(all >= Duration::from_secs(2), "{all:?}");
}

#[test]
fn two_runners_take_turns_when_there_is_room_for_one_job() {
    let mut town = Town::new();
    let other = Town::new();
    town.quota_jobs = 1;
    town.more = other.runner_elsewhere("other");
    for n in 0..12 {
        town.submit(&format!("flood {n}"), "true");
    }
    let theirs: Vec<_> = (0..2)
        .map(|n| other.submit(&format!("few {n}"), "true"))
        .collect();
    let _service = town.start();
    for job in theirs {
        assert_eq!(other.await_end(job).status, JobStatus::Success);
    }
    let pending = town
        .coordinator
        .jobs()
        .iter()
        .filter(|job| job.status == JobStatus::Pending)
        .count();
    assert!(
        pending >= 6,
        "the flood had {} turns before two others",
        12 - pending
    );
}

/// Whether the coordinator of this town was asked for a job.
fn was_asked(town: &Town) -> bool {
    let is_request = |path: &str| path.ends_with("/jobs/request");
    town.journal.count_requests("POST", is_request) > 0
}

#[test]
fn a_runner_without_jobs_keeps_no_room_from_one_that_has_some() {
    let mut town = Town::new();
    let idle = Town::new();
    // Two of the busy one's jobs fit in, or one of the heaviest that the idle one could get.
    town.quota_jobs = 1;
    town.runner = "cc_max_flavor = \"XL\"".to_owned();
    town.more = idle.runner_elsewhere("idle");
    let _service = town.start();
    assert!(idle.journal.wait_until(PATIENCE, || was_asked(&idle)));
    let script = town.lasting_script();
    let jobs = ["one", "other"].map(|name| {
        let spec = JobSpec::new(name, [script.as_str()]).flavor("XL");
        town.coordinator.submit(spec)
    });
    // Both at the same time: none ends before it is let go.
    for job in jobs {
        town.await_phase(job, AppPhase::Running);
    }
    town.let_end();
    for job in jobs {
        assert_eq!(town.await_end(job).status, JobStatus::Success);
    }
}

/// The one test that takes a minute: as long a request may hold what it has reserved.
#[test]
fn a_coordinator_that_never_answers_gives_up_its_room_after_a_minute() {
    let mut town = Town::new();
    let hanging = Town::new();
    let hang = Rule::on("POST", "*/jobs/request").always();
    hanging.coordinator.faults().inject(hang.with(Fault::Hang));
    town.quota_jobs = 1;
    town.more = hanging.runner_elsewhere("hangs");
    let service = town.start();
    assert!(hanging.journal.wait_until(PATIENCE, || was_asked(&hanging)));
    let jobs = ["one", "other"].map(|name| town.submit(name, "true"));
    for job in jobs {
        let ended = town
            .coordinator
            .wait_for_status(job, PATIENCE * 2, JobStatus::is_over);
        let ended = ended.unwrap_or_else(|| panic!("{}", service.whole_log()));
        assert_eq!(ended.status, JobStatus::Success);
    }
    town.await_no_machines();
}

#[test]
fn statistics_have_the_keys_that_monitoring_reads() {
    let mut town = Town::new();
    town.global = "paas_log_statistics = true".to_owned();
    let mut configuration = town
        .configuration()
        .replace("paas_log_statistics = false\n", "");
    configuration.push('\n');
    std::fs::write(town.config_path(), configuration).unwrap();
    let service = crate::service::Service::start(&[town.config_path().display().to_string()], &[]);
    let line = service.await_log("JSON statistics: ");
    let json = line.split_once("JSON statistics: ").unwrap().1;
    let statistics: serde_json::Value = serde_json::from_str(json).unwrap();
    let keys: Vec<_> = statistics
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "weight_quota",
            "current_weight",
            "weight_headroom",
            "can_take_job",
            "max_jobs_in_provisioning",
            "jobs_in_provisioning",
            "current_concurrent_jobs",
            "max_concurrent_jobs"
        ]
    );
}

#[test]
fn the_service_stops_by_itself_after_the_poll_cycles() {
    let town = Town::new();
    let mut service = town.start_with(&["--poll-cycles", "3"]);
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert_eq!(
        town.coordinator
            .job_requests(crate::town::RUNNER_TOKEN)
            .len(),
        3
    );
}
