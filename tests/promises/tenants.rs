//! Two tenants never meet: each job's machine is its own group's.

use sandbox::clever::Role;
use sandbox::{Access, AppPhase, Fault, JobSpec, JobStatus, Rule};
use serde_json::json;

use crate::afterwards::await_nothing_tracked;
use crate::town::{PATIENCE, Town};

const ADMIN: &str = "glpat-administrator";

/// Two groups with an organization each; the configuration knows neither.
pub fn two_tenants() -> Town {
    let town = Town::new();
    town.coordinator.add_user(ADMIN, Access::Administrator);
    for tenant in ["acme", "other"] {
        let (id, token) = (format!("orga_{tenant}"), format!("token-{tenant}"));
        town.clever.add_organization(&id, &token, Role::Manager);
        town.coordinator.set_group(
            tenant,
            [("cc_orga_id", id.as_str()), ("cc_orga_token", &token)],
        );
    }
    town
}

pub fn start(town: &Town) -> crate::service::Service {
    let configuration: String = town
        .configuration()
        .lines()
        .filter(|line| !line.starts_with("cc_orga_id") && !line.starts_with("cc_token"))
        .map(|line| match line {
            "executor = \"clever-docker\"" => format!(
                "{line}\ncc_multi_tenant = true\ncc_gitlab_namespace_attributes_token = \"{ADMIN}\"\n"
            ),
            line => format!("{line}\n"),
        })
        .collect();
    std::fs::write(town.config_path(), configuration).unwrap();
    crate::service::Service::start(&[town.config_path().display().to_string()], &[])
}

fn submit(town: &Town, project: &str) -> sandbox::JobId {
    town.coordinator.submit(
        JobSpec::new("tenants", ["sleep 0.2"])
            .flavor("XS")
            .project(project),
    )
}

#[test]
fn each_job_runs_in_the_organization_of_its_group() {
    let town = two_tenants();
    let _service = start(&town);
    let (here, there) = (submit(&town, "acme/a/b"), submit(&town, "other/c"));
    assert_eq!(town.await_end(here).status, JobStatus::Success);
    assert_eq!(town.await_end(there).status, JobStatus::Success);
    town.await_no_machines();
    assert_eq!(town.machine(here).unwrap().organization, "orga_acme");
    assert_eq!(town.machine(there).unwrap().organization, "orga_other");
    town.check_manners();
}

#[test]
fn a_tenant_without_an_organization_fails_its_own_jobs_only() {
    let town = two_tenants();
    town.coordinator
        .set_group("poor", [("cc_orga_id", "orga_poor")]);
    let _service = start(&town);
    let (poor, user, fine) = (
        submit(&town, "poor/x"),
        submit(&town, "somebody/x"),
        submit(&town, "acme/x"),
    );
    let poor = town.await_end(poor);
    assert_eq!(poor.status, JobStatus::Failed);
    assert!(
        poor.log()
            .contains("group poor has no usable custom attribute `cc_orga_token`"),
        "{}",
        poor.log()
    );
    let user = town.await_end(user);
    assert!(
        user.log().contains("somebody is not a group"),
        "{}",
        user.log()
    );
    assert_eq!(town.await_end(fine).status, JobStatus::Success);
}

#[test]
fn a_token_that_was_changed_is_looked_up_again() {
    let town = two_tenants();
    let _service = start(&town);
    let first = submit(&town, "acme/x");
    assert_eq!(town.await_end(first).status, JobStatus::Success);
    town.clever
        .add_organization("orga_acme", "token-new", Role::Manager);
    town.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_acme"), ("cc_orga_token", "token-new")],
    );
    town.clever.revoke_token("token-acme");
    let second = submit(&town, "acme/x");
    assert_eq!(town.await_end(second).status, JobStatus::Success);
    town.await_no_machines();
}

#[test]
fn a_tracked_job_whose_tenant_is_lost_is_kept_and_goes_when_it_is_back() {
    let town = two_tenants();
    let service = start(&town);
    let job = town.coordinator.submit(
        JobSpec::new("lost", ["sleep 600"])
            .flavor("XS")
            .project("acme/x"),
    );
    town.await_phase(job, AppPhase::Running);
    assert!(
        town.journal
            .wait_until(PATIENCE, || town.state()["launched"][0]["job_id"] == job)
    );
    service.kill();
    town.coordinator.set_group("acme", []);
    let service = start(&town);
    town.coordinator.cancel(job);
    service.await_log("group acme has no usable custom attribute");
    assert_eq!(town.clever.running_machines(), 1);
    town.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_acme"), ("cc_orga_token", "token-acme")],
    );
    town.await_no_machines();
}

#[test]
fn orphans_are_searched_in_the_organizations_of_all_groups_that_had_jobs() {
    let town = two_tenants();
    let service = start(&town);
    let job = submit(&town, "acme/x");
    town.await_end(job);
    town.await_no_machines();
    service.stop();
    let litter = crate::orphans::planted(&town, "orga_acme", "hpd-job-kvzWdEMo-77");
    let list = crate::orphans::list(&town, &[]);
    assert!(
        list.contains(&format!("{litter} for acme, runner ci")),
        "{list}"
    );
}

#[test]
fn a_job_that_calls_itself_another_groups_is_paid_by_its_own() {
    let town = two_tenants();
    let _service = start(&town);
    // Behind the predefined variable of the same name, as everything that users define.
    let spec = JobSpec::new("hijacker", ["true"]).flavor("XS");
    let spec = spec
        .project("acme/x")
        .variable("CI_PROJECT_ROOT_NAMESPACE", "other");
    let job = town.coordinator.submit(spec);
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    let created = town.clever.ever_created();
    let payers: Vec<_> = created.iter().map(|app| &app.organization).collect();
    assert_eq!(payers, ["orga_acme"]);
    let asked = |group: &str| {
        let wanted = format!("/groups/{group}/custom_attributes");
        let is_it = |path: &str| path.contains(&wanted);
        town.journal.count_requests("GET", is_it)
    };
    assert!(asked("acme") > 0);
    assert_eq!(asked("other"), 0, "nobody even thought of it");
}

#[test]
fn a_user_who_had_a_job_once_hides_no_orphans_of_groups() {
    let town = two_tenants();
    let service = start(&town);
    // Its name comes first wherever names are sorted.
    let (job, refused) = (submit(&town, "acme/x"), submit(&town, "a-user/x"));
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    assert_eq!(town.await_end(refused).status, JobStatus::Failed);
    town.await_no_machines();
    await_nothing_tracked(&town, "before the orphan");
    service.stop();
    let environment = town.machine(job).unwrap().env;
    let planted = crate::orphans::planted_with(
        &town,
        "orga_acme",
        "hpd-job-kvzWdEMo-77",
        &json!(environment),
    );
    let list = crate::orphans::list(&town, &[]);
    let wanted = format!("{planted} for acme, runner ci, made by this installation");
    assert!(list.contains(&wanted), "{list}");
    let service = start(&town);
    service.await_log(&format!("machine {planted} has no job any more; it goes"));
    town.await_no_machines();
}

#[test]
fn a_machine_is_deleted_where_it_was_created_when_its_group_has_moved() {
    let town = two_tenants();
    let service = start(&town);
    let spec = JobSpec::new("moved", [town.lasting_script()]).flavor("XS");
    let job = town.coordinator.submit(spec.project("acme/x"));
    service.await_log("running, seen");
    // A token of both organizations, and the old one is still good, too.
    for organization in ["orga_acme", "orga_new"] {
        let token = "token-of-both";
        town.clever
            .add_organization(organization, token, Role::Manager);
    }
    town.coordinator.set_group(
        "acme",
        [
            ("cc_orga_id", "orga_new"),
            ("cc_orga_token", "token-of-both"),
        ],
    );
    // What is remembered of the group is forgotten.
    service.stop();
    let _service = start(&town);
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    await_nothing_tracked(&town, "after the move");
    assert_eq!(town.machine(job).unwrap().organization, "orga_acme");
}

#[test]
fn a_groups_old_organization_is_spoken_to_with_its_old_token() {
    let town = two_tenants();
    let service = start(&town);
    let spec = JobSpec::new("moved", [town.lasting_script()]).flavor("XS");
    let job = town.coordinator.submit(spec.project("acme/x"));
    service.await_log("running, seen");
    // Its token is good for nothing at the old one.
    town.clever
        .add_organization("orga_new", "token-new", Role::Manager);
    town.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_new"), ("cc_orga_token", "token-new")],
    );
    // What was refused once is looked up again.
    let refused = Rule::on("DELETE", "*/applications/*");
    town.clever
        .faults()
        .inject(refused.with(Fault::status(401)));
    town.let_end();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    await_nothing_tracked(&town, "after the move");
}

#[test]
fn nobody_is_told_that_there_are_no_orphans_where_nobody_could_look() {
    let town = two_tenants();
    let service = start(&town);
    let job = submit(&town, "acme/x");
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    service.stop();
    crate::orphans::planted(&town, "orga_acme", "hpd-job-kvzWdEMo-77");
    // As with a token that has expired: no group's organization is known any more.
    let refused = Rule::on("GET", "*/custom_attributes").always();
    town.coordinator
        .faults()
        .inject(refused.with(Fault::status(403)));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner"))
        .arg("--orphans")
        .arg(town.config_path())
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&output.stdout);
    assert!(!list.contains("no machine without a job"), "{output:?}");
    let service = start(&town);
    let line = service.await_log("cc_gitlab_namespace_attributes_token");
    assert!(line.contains("WARN") || line.contains("ERROR"), "{line}");
}
