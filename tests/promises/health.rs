//! A runner that can't work takes no jobs: they stay in the queue, and are taken when it can.

use sandbox::clever::Role;
use sandbox::{Access, JobStatus};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, Scene};
use crate::tenants::{self, two_tenants};

const BAD: &str = "no job is taken: ";
const WELL: &str = "jobs are taken again";

#[test]
fn a_wrong_token_costs_no_job_and_is_noticed_when_it_is_mended() {
    let scene = Scene::new();
    scene.clever.revoke_token(CLEVER_TOKEN);
    let service = scene.start();
    let jobs = ["one", "two", "three"].map(|name| scene.submit(name, "true"));
    let line = service.await_log(BAD);
    for part in [
        "ERROR",
        "runner=ci",
        ORGANIZATION,
        "401",
        "check the organization and its token",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // It is looked at again and again, and nobody is asked for a job meanwhile.
    let looked = || {
        let is_list = |path: &str| path.ends_with("/applications");
        scene.journal.count_requests("GET", is_list)
    };
    let before = looked();
    scene.await_that("it does not look again", || looked() > before + 1);
    assert_eq!(scene.count_job_requests(), 0);
    scene
        .clever
        .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
    service.await_log(WELL);
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_no_machines();
    let (_, log) = service.stop();
    assert_eq!(log.matches(BAD).count(), 1, "{log}");
    assert!(!log.contains(CLEVER_TOKEN), "{log}");
}

#[test]
fn a_token_that_ends_while_a_job_runs_stops_the_next_ones_and_not_that_one() {
    let scene = Scene::new();
    let service = scene.start();
    let running = scene.submit_lasting("running");
    service.await_log("running, seen");
    scene.clever.revoke_token(CLEVER_TOKEN);
    scene.let_end();
    assert_eq!(scene.await_end(running).status, JobStatus::Success);
    service.await_log("decommissioning hpd-job-");
    service.await_log(BAD);
    let next = scene.submit("next", "true");
    let asked = scene.count_job_requests();
    service.await_log("try 2");
    // One request may have been under way.
    assert!(scene.count_job_requests() <= asked + 1);
    assert_eq!(scene.coordinator.job(next).status, JobStatus::Pending);
    scene
        .clever
        .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
    assert_eq!(scene.await_end(next).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn after_the_first_deletion_that_is_forbidden_no_machine_is_made_until_one_is_allowed() {
    const DEVELOPERS: &str = "developer-token";
    let scene = Scene::new();
    scene
        .clever
        .add_organization(ORGANIZATION, DEVELOPERS, Role::Developer);
    let service = scene.start_changed(&[(CLEVER_TOKEN, DEVELOPERS)]);
    let first = scene.submit("first", "true");
    assert_eq!(scene.await_end(first).status, JobStatus::Success);
    let line = service.await_log(BAD);
    assert!(
        line.contains("does not let us delete") && line.contains("the role Manager"),
        "{line}"
    );
    let second = scene.submit("second", "true");
    service.await_log("try 2");
    assert_eq!(scene.coordinator.job(second).status, JobStatus::Pending);
    assert_eq!(scene.clever.ever_created().len(), 1);
    // As when somebody is given the role.
    scene.clever.revoke_token(DEVELOPERS);
    scene
        .clever
        .add_organization(ORGANIZATION, DEVELOPERS, Role::Manager);
    assert_eq!(scene.await_end(second).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn the_trouble_of_a_group_is_its_own_and_that_of_all_groups_stops_the_runner() {
    let scene = two_tenants();
    scene.clever.revoke_token("token-acme");
    let service = tenants::start(&scene);
    let (refused, fine) = (
        tenants::submit(&scene, "acme/x"),
        tenants::submit(&scene, "other/x"),
    );
    let refused = scene.await_end(refused);
    assert_eq!(refused.status, JobStatus::Failed);
    let words = "Clever Cloud refused this runner's credentials";
    assert!(refused.log().contains(words), "{}", refused.log());
    assert_eq!(scene.await_end(fine).status, JobStatus::Success);
    scene.await_no_machines();
    assert!(
        !service.whole_log().contains(BAD),
        "{}",
        service.whole_log()
    );
    service.stop();
    // The token with which all groups are asked is not an administrator's any more.
    scene
        .coordinator
        .add_user("glpat-administrator", Access::Reporter);
    let service = tenants::start(&scene);
    let line = service.await_log(BAD);
    assert!(
        line.contains("cc_gitlab_namespace_attributes_token"),
        "{line}"
    );
    let waiting = tenants::submit(&scene, "other/x");
    scene
        .coordinator
        .add_user("glpat-administrator", Access::Administrator);
    service.await_log(WELL);
    assert_eq!(scene.await_end(waiting).status, JobStatus::Success);
}

/// What makes a group's machines undeletable fails its next jobs in words.
#[test]
fn a_group_whose_machines_cannot_be_deleted_gets_no_more_of_them() {
    let scene = two_tenants();
    scene.clever.revoke_token("token-acme");
    scene
        .clever
        .add_organization("orga_acme", "token-acme", Role::Developer);
    let service = tenants::start(&scene);
    let first = tenants::submit(&scene, "acme/x");
    assert_eq!(scene.await_end(first).status, JobStatus::Success);
    service.await_log("decommissioning hpd-job-");
    let second = scene.await_end(tenants::submit(&scene, "acme/x"));
    assert_eq!(second.status, JobStatus::Failed);
    let words = "could not delete the machine of this job afterwards";
    assert!(second.log().contains(words), "{}", second.log());
    let other = tenants::submit(&scene, "other/x");
    assert_eq!(scene.await_end(other).status, JobStatus::Success);
    let created = scene.clever.ever_created();
    let of_acme = created.iter().filter(|app| app.organization == "orga_acme");
    assert_eq!(of_acme.count(), 1);
    scene.await_that("other's machine stays", || {
        let left = scene.clever.applications();
        let other = left.iter().filter(|app| app.organization == "orga_other");
        other.into_iter().all(sandbox::AppView::is_deleted)
    });
}
