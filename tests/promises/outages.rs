//! What is down is waited for, by itself; nothing else notices.

use std::time::{Duration, Instant};

use sandbox::{Fault, JobStatus, Rule};

use crate::scene::{PATIENCE, Scene};

#[test]
fn an_api_that_is_down_at_start_is_waited_for() {
    let scene = Scene::new();
    scene.clever.suspend();
    let service = scene.start();
    service.await_log("cannot compute the quota yet");
    let job = scene.submit("patient", "true");
    scene.clever.resume();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
}

#[test]
fn a_coordinator_that_is_down_is_waited_for() {
    let scene = Scene::new();
    scene.coordinator.suspend();
    let service = scene.start();
    service.await_log("asking for a job: ");
    let job = scene.submit("patient", "true");
    scene.coordinator.resume();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("the coordinator is back");
}

#[test]
fn a_coordinator_that_never_answers_holds_up_nobody() {
    let scene = Scene::new();
    let mut other = Scene::new();
    scene.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .always()
            .with(Fault::Hang),
    );
    other.more = scene.runner_elsewhere("hangs");
    let _service = other.start();
    let job = other.submit("free", "true");
    assert_eq!(other.await_end(job).status, JobStatus::Success);
}

#[test]
fn jobs_go_on_while_their_coordinator_is_away() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit_lasting("survivor");
    service.await_log("running, seen");
    scene.coordinator.suspend();
    service.await_log("looking whether the job has ended: ");
    assert!(scene.machine(job).unwrap().has_machine());
    scene.coordinator.resume();
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
}

#[test]
fn a_creation_whose_answer_is_lost_is_settled_by_its_name() {
    for fault in [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::html(502),
        Fault::Truncate(10),
    ] {
        let described = format!("{fault:?}");
        let scene = Scene::new();
        scene
            .clever
            .faults()
            .inject(Rule::on("POST", "*/applications").times(1).with(fault));
        let _service = scene.start();
        let job = scene.submit("lost", "true");
        assert_eq!(
            scene.await_end(job).status,
            JobStatus::Success,
            "{described}"
        );
        scene.await_no_machines();
        scene.assert_started_once(job);
    }
}

#[test]
fn a_creation_that_shows_up_late_is_deleted_with_its_twin() {
    let scene = Scene::with(
        |_| {},
        |clever| clever.latencies.list_lag = std::time::Duration::from_secs(9),
    );
    scene.clever.faults().inject(
        Rule::on("POST", "*/applications")
            .times(1)
            .with(Fault::CutAfter),
    );
    let _service = scene.start();
    let job = scene.submit("twins", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    let name = scene.machine_name(job);
    let twins = scene
        .clever
        .ever_created()
        .into_iter()
        .filter(|app| app.name == name)
        .count();
    assert_eq!(twins, 2, "the test must have made two");
    scene.assert_started_once(job);
}

#[test]
fn a_stale_instance_version_is_fetched_anew() {
    let scene = Scene::new();
    let _service = scene.start();
    let before = scene.submit("before", "true");
    assert_eq!(scene.await_end(before).status, JobStatus::Success);
    scene.clever.rotate_instance_version();
    let after = scene.submit("after", "true");
    assert_eq!(scene.await_end(after).status, JobStatus::Success);
    let fetched = scene
        .journal
        .count_requests("GET", |path| path.contains("/products/instances"));
    assert_eq!(fetched, 2, "kept in between");
}

#[test]
fn a_push_is_repeated_and_starts_one_machine() {
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::status(503)] {
        let described = format!("{fault:?}");
        let scene = Scene::new();
        scene
            .clever
            .git_faults()
            .inject(Rule::on("POST", "*git-receive-pack").times(1).with(fault));
        let _service = scene.start();
        let job = scene.submit("pushed", "true");
        assert_eq!(
            scene.await_end(job).status,
            JobStatus::Success,
            "{described}"
        );
        scene.await_no_machines();
        scene.assert_started_once(job);
    }
}

#[test]
fn decommissioning_goes_on_until_the_application_is_gone() {
    let scene = Scene::new();
    scene
        .clever
        .faults()
        .inject(Rule::on("DELETE", "*").times(2).with(Fault::html(502)));
    let service = scene.start();
    let job = scene.submit("sticky", "true");
    scene.await_end(job);
    scene.await_no_machines();
    service.await_log("try 2");
    service.await_log("is gone");
}

#[test]
fn retry_after_is_obeyed() {
    let scene = Scene::new();
    scene.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .times(1)
            .with(Fault::too_many(2)),
    );
    let service = scene.start();
    service.await_log("asking again in 2s");
    let job = scene.submit("patient", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
}

#[test]
fn a_lagging_replica_ends_no_job() {
    let scene = Scene::with(|coordinator| coordinator.lagging_looks = 1, |_| {});
    let service = scene.start();
    let job = scene.submit_lasting("lagging");
    service.await_log("running, seen");
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
}

#[test]
fn jobs_that_wait_for_their_machines_outlive_a_restart_while_the_api_is_down() {
    let scene = Scene::new();
    let refused = Rule::on("POST", "*/applications").always();
    scene.clever.faults().inject(refused.with(Fault::html(503)));
    let service = scene.start();
    let jobs = [scene.submit("one", "true"), scene.submit("other", "true")];
    for job in jobs {
        service.await_log(&format!("creating application {}", scene.machine_name(job)));
    }
    service.kill();
    scene.clever.faults().clear();
    let down = Rule::on_any("*").always().with(Fault::html(503));
    scene.clever.faults().inject(down);
    let asked = || {
        let is_flavors = |path: &str| path.contains("/products/flavors");
        scene.journal.count_requests("GET", is_flavors)
    };
    let before = asked();
    let service = scene.start();
    // A new process knows nothing of what is on offer, and can't learn it.
    assert!(scene.journal.wait_until(PATIENCE, || asked() >= before + 2));
    scene.clever.faults().clear();
    for job in jobs {
        let ended = scene.await_end(job);
        let log = service.whole_log();
        assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
    }
    scene.await_no_machines();
    for job in jobs {
        scene.assert_started_once(job);
    }
    scene.await_nothing_tracked("after the outage");
}

#[test]
fn an_api_that_goes_down_after_a_creation_does_not_use_up_the_repositorys_time() {
    let mut scene = Scene::new();
    scene.runner = "cc_deployment_repo_timeout = 2\ncc_deployment_repo_wait_step = 0.2".to_owned();
    // Looks that take longer than two seconds in all.
    let down = Rule::on("GET", "*/applications/app_*").times(20);
    scene.clever.faults().inject(down.with(Fault::html(503)));
    let _service = scene.start();
    let job = scene.submit("patient", "true");
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    scene.await_no_machines();
}

#[test]
fn a_git_remote_that_is_down_for_a_while_is_waited_for() {
    let scene = Scene::new();
    // The tries come after two, four and eight seconds, or a little less.
    let down = Rule::on_any("*").times(3).with(Fault::status(503));
    scene.clever.git_faults().inject(down);
    let _service = scene.start();
    let job = scene.submit("patient", "true");
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    scene.await_no_machines();
    scene.assert_started_once(job);
}

/// Longer than the program waits for a creation or for a push.
const LONG_PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn a_creation_and_a_push_that_never_answer_are_settled_all_the_same() {
    let creation = Scene::new();
    let hang = Rule::on("POST", "*").with(Fault::Hang);
    creation.clever.faults().inject(hang);
    let mut scenes = vec![creation];
    // A byte a second is an answer that never comes, too.
    let slowly = Fault::Trickle(Duration::from_secs(1));
    for (method, fault) in [
        ("GET", Fault::Hang),
        ("GET", slowly.clone()),
        ("POST", Fault::Hang),
        ("POST", slowly),
    ] {
        let push = Scene::new();
        let fault = Rule::on(method, "*").with(fault);
        push.clever.git_faults().inject(fault);
        scenes.push(push);
    }
    let started: Vec<_> = (scenes.iter())
        .map(|scene| (scene.start(), scene.submit("patient", "true")))
        .collect();
    for (scene, (service, job)) in scenes.iter().zip(&started) {
        let ended = scene.await_end_within(LONG_PATIENCE, *job);
        assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
        scene.await_no_machines();
        scene.assert_started_once(*job);
    }
}

#[test]
fn a_first_list_of_flavors_that_hangs_delays_the_jobs_for_seconds() {
    let scene = Scene::new();
    let lists = Rule::on("GET", "*/products/*").times(1);
    scene.clever.faults().inject(lists.with(Fault::Hang));
    let job = scene.submit("early", "true");
    let began = Instant::now();
    let _service = scene.start();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(15)).contains(&took),
        "{took:?}"
    );
}
