//! No more runs at once than the operator allows, and nobody starves.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::MachineBehaviour;
use sandbox::{AppPhase, Fault, Gate, JobStatus, Kind, Rule};

use crate::scene::{PATIENCE, Scene};
use crate::service::{Service, program};

/// The most machines that ever were there at the same time.
fn most_at_once(scene: &Scene) -> usize {
    let mut now = 0_usize;
    let mut most = 0;
    for entry in scene.journal.entries() {
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

fn run_all(scene: &Scene, count: usize) {
    let jobs: Vec<_> = (0..count)
        .map(|n| scene.submit(&format!("job {n}"), "true"))
        .collect();
    let _service = scene.start();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
}

#[test]
fn no_more_jobs_than_concurrent_says() {
    let mut scene = Scene::new();
    scene.global = "concurrent = 2".to_owned();
    run_all(&scene, 6);
    assert_eq!(most_at_once(&scene), 2);
    scene.assert_no_complaints();
}

#[test]
fn no_more_jobs_of_a_runner_than_its_limit_over_kill_9_while_others_have_theirs() {
    let mut scene = Scene::new();
    let other = Scene::new();
    scene.more = other.runner_elsewhere("other");
    scene.runner = "limit = 2".to_owned();
    let lasting = scene.lasting_script();
    let jobs: Vec<_> = (0..4)
        .map(|n| scene.submit(&format!("limited {n}"), &lasting))
        .collect();
    let service = scene.start();
    service.await_log("2 jobs of this runner at once, which is all that its `limit` allows");
    for job in &jobs[..2] {
        scene.await_phase(*job, AppPhase::Running);
    }
    service.kill();
    let service = scene.start();
    service.await_log("2 jobs of this runner at once, which is all that its `limit` allows");
    let theirs: Vec<_> = (0..3)
        .map(|n| other.submit(&format!("free {n}"), "true"))
        .collect();
    for job in theirs {
        assert_eq!(other.await_end(job).status, JobStatus::Success);
    }
    scene.let_end();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
    assert_eq!(most_at_once(&scene), 2);
    scene.assert_no_complaints_but_of_kills();
}

#[test]
fn a_check_interval_of_0_is_the_default_and_no_flood() {
    let scene = Scene::new();
    let began = Instant::now();
    let _service = scene.start_changed(&[("check_interval = 0.1", "check_interval = 0")]);
    // Two requests are three seconds apart.
    scene.await_that("it has asked twice", || scene.count_job_requests() == 2);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn by_the_old_rule_the_quota_counts_the_heaviest_job_that_could_come() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    scene.global = "paas_hold_jobs = false".to_owned();
    run_all(&scene, 4);
    assert_eq!(
        most_at_once(&scene),
        1,
        "a 3XL might come, and fits only into an empty quota"
    );
}

#[test]
fn a_maximum_flavor_makes_room_for_more() {
    let mut scene = Scene::new();
    scene.quota_jobs = 1;
    scene.runner = "cc_max_flavor = \"XS\"".to_owned();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let jobs: Vec<_> = (0..5)
        .map(|n| scene.submit(&format!("job {n}"), "true"))
        .collect();
    let _service = scene.start();
    for job in &jobs {
        scene.await_phase(*job, AppPhase::Running);
    }
    gate.open();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
}

#[test]
fn no_more_launches_at_once_than_allowed() {
    let mut scene = Scene::new();
    scene.global = "paas_max_concurrent_provisioning = 1".to_owned();
    let gate = Gate::new();
    scene
        .clever
        .set_machine_behaviour(MachineBehaviour::HeldBeforeJob(gate.clone()));
    let first = scene.submit("first", "sleep 1");
    let second = scene.submit("second", "true");
    let service = scene.start();
    scene.await_phase(first, AppPhase::Running);
    service.await_log("waiting until fewer machines are being launched");
    assert!(scene.machine(second).is_none());
    gate.open();
    assert_eq!(scene.await_end(second).status, JobStatus::Success);
}

#[test]
fn launches_are_spaced() {
    let mut scene = Scene::new();
    scene.global = "paas_min_seconds_between_launches = 1".to_owned();
    run_all(&scene, 3);
    let entries = scene.journal.entries();
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
fn a_job_that_is_canceled_while_it_waits_to_be_launched_is_nobodys_delay() {
    let mut scene = Scene::new();
    // Longer than it takes until a cancel is heard, on a busy computer, too.
    scene.global = "paas_min_seconds_between_launches = 12".to_owned();
    let service = scene.start();
    // Each has its place before the next one comes.
    let steps = [
        ("first", "machine "),
        ("canceled", "launching in"),
        ("last", "launching in"),
    ];
    let [first, canceled, last] = steps.map(|(name, step)| {
        let job = scene.submit(name, "true");
        service.await_log(&format!("job={job} runner=ci: {step}"));
        job
    });
    let began = Instant::now();
    scene.coordinator.cancel(canceled);
    for job in [first, last] {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(22), "{waited:?}");
    let name = scene.machine_name(canceled);
    let ever = scene.clever.ever_created();
    assert!(ever.iter().all(|app| app.name != name));
}

#[test]
fn no_more_jobs_are_taken_than_there_can_be_threads_and_all_end() {
    const UID: u32 = 61_234;
    let scene = Scene::new();
    scene.write_configuration();
    let folder = scene.folder.path();
    let own = folder.join("program");
    fs::copy(program(), &own).unwrap();
    if chown(folder, Some(UID), Some(UID)).is_err() {
        println!("skipped: only root can become a user with a limit");
        return;
    }
    let limited = [
        "-c",
        "exec setpriv --reuid=61234 --regid=61234 --clear-groups prlimit --nproc=30 \"$0\" \"$@\"",
    ];
    let arguments: Vec<_> = limited
        .iter()
        .map(|word| (*word).to_owned())
        .chain([&own, &scene.config_path()].map(|path| path.display().to_string()))
        .collect();
    chown(scene.config_path(), Some(UID), Some(UID)).unwrap();
    let jobs: Vec<_> = (0..30)
        .map(|number| scene.submit(&format!("job {number}"), "true"))
        .collect();
    let service = Service::start_program(Path::new("/bin/sh"), &arguments, &scene.environment);
    service.await_log("there is no room for another job's threads");
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
    let (exit, log) = service.stop();
    assert!(exit.success() && !log.contains("panic"), "{log}");
    let complaints = log.lines().filter(|line| !line.contains("INFO"));
    assert!(complaints.count() < 100, "{log}");
}

#[test]
fn two_runners_take_turns_when_there_is_room_for_one_job() {
    let mut scene = Scene::new();
    let other = Scene::new();
    scene.global = "concurrent = 1".to_owned();
    scene.more = other.runner_elsewhere("other");
    for n in 0..12 {
        scene.submit(&format!("flood {n}"), "true");
    }
    let theirs: Vec<_> = (0..2)
        .map(|n| other.submit(&format!("few {n}"), "true"))
        .collect();
    let _service = scene.start();
    for job in theirs {
        assert_eq!(other.await_end(job).status, JobStatus::Success);
    }
    let pending = scene
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

#[test]
fn a_runner_without_jobs_keeps_no_room_from_one_that_has_some() {
    let mut scene = Scene::new();
    let idle = Scene::new();
    // Two of the busy one's jobs fit in, or one of the heaviest that the idle one could get.
    scene.quota_jobs = 1;
    scene.runner = "cc_max_flavor = \"XL\"".to_owned();
    scene.more = idle.runner_elsewhere("idle");
    let _service = scene.start();
    idle.await_that("its coordinator is never asked", || {
        idle.count_job_requests() > 0
    });
    let script = scene.lasting_script();
    let jobs = ["one", "other"].map(|name| scene.submit_for(name, &script, "XL"));
    // Both at the same time: none ends before it is let go.
    for job in jobs {
        scene.await_phase(job, AppPhase::Running);
    }
    scene.let_end();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
}

/// The one test that takes a minute: as long a request may hold what it has reserved, and as old it
/// becomes at a stop.
#[test]
fn a_coordinator_that_never_answers_gives_up_its_room_and_is_not_waited_for_after_a_minute() {
    let young = Scene::new();
    young.hold_job_request(|_| Fault::Hang);
    let mut stopping = young.start();
    young.await_that("its coordinator is never asked", || {
        young.count_job_requests() > 0
    });
    stopping.signal(Signal::TERM);
    let mut scene = Scene::new();
    let hanging = Scene::new();
    let hang = Rule::on("POST", "*/jobs/request").always();
    hanging.coordinator.faults().inject(hang.with(Fault::Hang));
    scene.global = "concurrent = 1".to_owned();
    scene.more = hanging.runner_elsewhere("hangs");
    let service = scene.start();
    hanging.await_that("its coordinator is never asked", || {
        hanging.count_job_requests() > 0
    });
    let jobs = ["one", "other"].map(|name| scene.submit(name, "true"));
    let given_up = "runner hangs: a request for a job has had no answer in 60s";
    for job in jobs {
        let ended = scene.await_end_within(PATIENCE * 2, job);
        assert_eq!(ended.status, JobStatus::Success);
    }
    scene.await_no_machines();
    let stopped = Instant::now();
    let (exit, log) = service.stop();
    let took = stopped.elapsed();
    assert!(exit.success() && log.contains(given_up), "{log}");
    assert!(took < Duration::from_secs(20), "{took:?}: {log}");
    let (exit, log) = stopping.wait();
    let given_up = given_up.replace("hangs", "ci");
    assert!(exit.success() && log.contains(&given_up), "{log}");
}

#[test]
fn statistics_have_the_keys_that_monitoring_reads() {
    let mut scene = Scene::new();
    scene.global = "paas_log_statistics = true".to_owned();
    let service = scene.start();
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
    let scene = Scene::new();
    let mut service = scene.start_with(&["--poll-cycles", "3"]);
    let (exit, log) = service.wait();
    assert!(exit.success(), "{log}");
    assert_eq!(scene.count_job_requests(), 3);
}
