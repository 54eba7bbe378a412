//! What is down is waited for, by itself; nothing else notices.

use std::time::Duration;

use sandbox::{AppPhase, Fault, JobStatus, Rule};

use crate::afterwards::await_nothing_tracked;
use crate::town::{PATIENCE, Town, assert_started_once};

#[test]
fn an_api_that_is_down_at_start_is_waited_for() {
    let town = Town::new();
    town.clever.suspend();
    let service = town.start();
    service.await_log("cannot compute the quota yet");
    let job = town.submit("patient", "true");
    town.clever.resume();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
}

#[test]
fn a_coordinator_that_is_down_is_waited_for() {
    let town = Town::new();
    town.coordinator.suspend();
    let service = town.start();
    service.await_log("asking for a job: ");
    let job = town.submit("patient", "true");
    town.coordinator.resume();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    service.await_log("the coordinator is back");
}

#[test]
fn a_coordinator_that_never_answers_holds_up_nobody() {
    let town = Town::new();
    let mut other = Town::new();
    town.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .always()
            .with(Fault::Hang),
    );
    other.more = town.runner_elsewhere("hangs");
    let _service = other.start();
    let job = other.submit("free", "true");
    assert_eq!(other.await_end(job).status, JobStatus::Success);
}

#[test]
fn jobs_go_on_while_their_coordinator_is_away() {
    let town = Town::new();
    let _service = town.start();
    let job = town.submit("survivor", "sleep 1; echo done");
    town.await_phase(job, AppPhase::Running);
    town.coordinator.suspend();
    assert!(town.journal.wait_until(PATIENCE, || {
        town.machine(job)
            .is_some_and(|machine| machine.has_machine())
    }));
    town.coordinator.resume();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    assert_started_once(&town, job);
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
        let town = Town::new();
        town.clever
            .faults()
            .inject(Rule::on("POST", "*/applications").times(1).with(fault));
        let _service = town.start();
        let job = town.submit("lost", "true");
        assert_eq!(
            town.await_end(job).status,
            JobStatus::Success,
            "{described}"
        );
        town.await_no_machines();
        assert_started_once(&town, job);
    }
}

#[test]
fn a_creation_that_shows_up_late_is_deleted_with_its_twin() {
    let town = Town::with(
        |_| {},
        |clever| clever.latencies.list_lag = std::time::Duration::from_secs(9),
    );
    town.clever.faults().inject(
        Rule::on("POST", "*/applications")
            .times(1)
            .with(Fault::CutAfter),
    );
    let _service = town.start();
    let job = town.submit("twins", "true");
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    let name = town.machine_name(job);
    let twins = town
        .clever
        .ever_created()
        .into_iter()
        .filter(|app| app.name == name)
        .count();
    assert_eq!(twins, 2, "the test must have made two");
    assert_started_once(&town, job);
}

#[test]
fn a_stale_instance_version_is_fetched_anew() {
    let town = Town::new();
    let _service = town.start();
    let before = town.submit("before", "true");
    assert_eq!(town.await_end(before).status, JobStatus::Success);
    town.clever.rotate_instance_version();
    let after = town.submit("after", "true");
    assert_eq!(town.await_end(after).status, JobStatus::Success);
    let fetched = town
        .journal
        .count_requests("GET", |path| path.contains("/products/instances"));
    assert_eq!(fetched, 2, "kept in between");
}

#[test]
fn a_push_is_repeated_and_starts_one_machine() {
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::status(503)] {
        let described = format!("{fault:?}");
        let town = Town::new();
        town.clever
            .git_faults()
            .inject(Rule::on("POST", "*git-receive-pack").times(1).with(fault));
        let _service = town.start();
        let job = town.submit("pushed", "true");
        assert_eq!(
            town.await_end(job).status,
            JobStatus::Success,
            "{described}"
        );
        town.await_no_machines();
        assert_started_once(&town, job);
    }
}

#[test]
fn decommissioning_goes_on_until_the_application_is_gone() {
    let town = Town::new();
    town.clever
        .faults()
        .inject(Rule::on("DELETE", "*").times(2).with(Fault::html(502)));
    let service = town.start();
    let job = town.submit("sticky", "true");
    town.await_end(job);
    town.await_no_machines();
    service.await_log("try 2");
    service.await_log("is gone");
}

#[test]
fn retry_after_is_obeyed() {
    let town = Town::new();
    town.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .times(1)
            .with(Fault::too_many(2)),
    );
    let service = town.start();
    service.await_log("asking again in 2s");
    let job = town.submit("patient", "true");
    assert_eq!(town.await_end(job).status, JobStatus::Success);
}

#[test]
fn a_lagging_replica_ends_no_job() {
    let town = Town::with(|coordinator| coordinator.lagging_looks = 1, |_| {});
    let _service = town.start();
    let job = town.submit("lagging", "sleep 1");
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    assert_started_once(&town, job);
}

#[test]
fn jobs_that_wait_for_their_machines_outlive_a_restart_while_the_api_is_down() {
    let town = Town::new();
    let refused = Rule::on("POST", "*/applications").always();
    town.clever.faults().inject(refused.with(Fault::html(503)));
    let service = town.start();
    let jobs = [town.submit("one", "true"), town.submit("other", "true")];
    for job in jobs {
        service.await_log(&format!("creating application {}", town.machine_name(job)));
    }
    service.kill();
    town.clever.faults().clear();
    let down = Rule::on_any("*").always().with(Fault::html(503));
    town.clever.faults().inject(down);
    let asked = || {
        let is_flavors = |path: &str| path.contains("/products/flavors");
        town.journal.count_requests("GET", is_flavors)
    };
    let before = asked();
    let service = town.start();
    // A new process knows nothing of what is on offer, and can't learn it.
    assert!(town.journal.wait_until(PATIENCE, || asked() >= before + 2));
    town.clever.faults().clear();
    for job in jobs {
        let ended = town.await_end(job);
        let log = service.whole_log();
        assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
    }
    town.await_no_machines();
    for job in jobs {
        assert_started_once(&town, job);
    }
    await_nothing_tracked(&town, "after the outage");
}

#[test]
fn an_api_that_goes_down_after_a_creation_does_not_use_up_the_repositorys_time() {
    let mut town = Town::new();
    town.runner = "cc_deployment_repo_timeout = 2\ncc_deployment_repo_wait_step = 0.2".to_owned();
    // Looks that take longer than two seconds in all.
    let down = Rule::on("GET", "*/applications/app_*").times(20);
    town.clever.faults().inject(down.with(Fault::html(503)));
    let _service = town.start();
    let job = town.submit("patient", "true");
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    town.await_no_machines();
}

#[test]
fn a_git_remote_that_is_down_for_a_while_is_waited_for() {
    let town = Town::new();
    // The tries come after two, four and eight seconds, or a little less.
    let down = Rule::on_any("*").times(3).with(Fault::status(503));
    town.clever.git_faults().inject(down);
    let _service = town.start();
    let job = town.submit("patient", "true");
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    town.await_no_machines();
    assert_started_once(&town, job);
}

/// Longer than the program waits for a creation or for a push.
const LONG_PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn a_creation_and_a_push_that_never_answer_are_settled_all_the_same() {
    let creation = Town::new();
    let hang = || Rule::on("POST", "*").times(1).with(Fault::Hang);
    creation.clever.faults().inject(hang());
    let push = Town::new();
    push.clever.git_faults().inject(hang());
    let towns = [creation, push].map(|town| {
        let service = town.start();
        let job = town.submit("patient", "true");
        (town, service, job)
    });
    for (town, service, job) in &towns {
        let over = town
            .coordinator
            .wait_for_status(*job, LONG_PATIENCE, JobStatus::is_over);
        let ended = over.unwrap_or_else(|| panic!("{}", service.whole_log()));
        assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
        town.await_no_machines();
        assert_started_once(town, *job);
    }
}
