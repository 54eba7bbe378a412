//! Two tenants never meet: each job's machine is its own group's.

use sandbox::clever::Role;
use sandbox::{Access, AppPhase, Coordinator, Fault, JobSpec, JobStatus, Rule};
use serde_json::json;

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, PATIENCE, Scene};

const ADMIN: &str = "glpat-administrator";

/// Two groups with an organization each; the configuration knows neither.
pub fn two_tenants() -> Scene {
    let scene = Scene::new();
    add_two_tenants(&scene);
    scene
}

pub fn add_two_tenants(scene: &Scene) {
    scene.coordinator.add_user(ADMIN, Access::Administrator);
    for tenant in ["acme", "other"] {
        let (id, token) = (format!("orga_{tenant}"), format!("token-{tenant}"));
        scene.clever.add_organization(&id, &token, Role::Manager);
        scene.coordinator.set_group(
            tenant,
            [("cc_orga_id", id.as_str()), ("cc_orga_token", &token)],
        );
    }
}

pub fn start(scene: &Scene) -> crate::service::Service {
    let changes = changes();
    scene.start_changed(
        &changes
            .each_ref()
            .map(|(before, after)| (before.as_str(), after.as_str())),
    )
}

/// What makes of the usual configuration one for many tenants.
pub fn changes() -> [(String, String); 2] {
    let organization = format!("cc_orga_id = \"{ORGANIZATION}\"");
    let token = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let attributes = format!("cc_gitlab_namespace_attributes_token = \"{ADMIN}\"");
    [
        (organization, "cc_multi_tenant = true".to_owned()),
        (token, attributes),
    ]
}

pub fn submit(scene: &Scene, project: &str) -> sandbox::JobId {
    scene.coordinator.submit(
        JobSpec::new("tenants", ["sleep 0.2"])
            .flavor("XS")
            .project(project),
    )
}

#[test]
fn each_job_runs_in_the_organization_of_its_group() {
    let scene = two_tenants();
    let _service = start(&scene);
    let (here, there) = (submit(&scene, "acme/a/b"), submit(&scene, "other/c"));
    assert_eq!(scene.await_end(here).status, JobStatus::Success);
    assert_eq!(scene.await_end(there).status, JobStatus::Success);
    scene.await_no_machines();
    assert_eq!(scene.machine(here).unwrap().organization, "orga_acme");
    assert_eq!(scene.machine(there).unwrap().organization, "orga_other");
    scene.assert_no_complaints();
}

#[test]
fn a_group_that_has_spent_its_budget_has_its_jobs_failed_in_words_and_no_other() {
    let scene = two_tenants();
    let budget = [
        ("cc_orga_id", "orga_acme"),
        ("cc_orga_token", "token-acme"),
        ("cc_monthly_budget", "0.00000001"),
    ];
    scene.coordinator.set_group("acme", budget);
    let _service = start(&scene);
    let submit_long = |project| {
        let spec = JobSpec::new("costs", ["sleep 1.2"]).flavor("XS");
        scene.coordinator.submit(spec.project(project))
    };
    let first = submit_long("acme/a");
    assert_eq!(scene.await_end(first).status, JobStatus::Success);
    scene.await_nothing_tracked("after the first");
    let (second, other) = (submit(&scene, "acme/a"), submit(&scene, "other/c"));
    let second = scene.await_end(second);
    assert_eq!(second.status, JobStatus::Failed);
    let log = second.log();
    assert!(
        log.contains("The machines of the group acme have cost"),
        "{log}"
    );
    assert_eq!(scene.await_end(other).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_tenant_without_an_organization_fails_its_own_jobs_only() {
    let scene = two_tenants();
    scene
        .coordinator
        .set_group("poor", [("cc_orga_id", "orga_poor")]);
    let service = start(&scene);
    let (poor, user, fine) = (
        submit(&scene, "poor/x"),
        submit(&scene, "somebody/x"),
        submit(&scene, "acme/x"),
    );
    let poor = scene.await_end(poor);
    assert_eq!(poor.status, JobStatus::Failed);
    let told = "group poor has no usable custom attribute `cc_orga_token`";
    assert!(poor.log().contains(told), "{}", poor.log());
    let user = scene.await_end(user);
    assert!(
        user.log().contains("somebody is not a group"),
        "{}",
        user.log()
    );
    let line = service.await_log("failed to launch: group poor");
    assert!(line.contains("ERROR"), "{line}");
    let line = service.await_log("failed to launch: somebody");
    assert!(line.contains("INFO"), "its author can mend that: {line}");
    assert_eq!(scene.await_end(fine).status, JobStatus::Success);
}

#[test]
fn a_token_that_was_changed_is_looked_up_again() {
    let scene = two_tenants();
    let _service = start(&scene);
    let first = submit(&scene, "acme/x");
    assert_eq!(scene.await_end(first).status, JobStatus::Success);
    scene
        .clever
        .add_organization("orga_acme", "token-new", Role::Manager);
    scene.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_acme"), ("cc_orga_token", "token-new")],
    );
    scene.clever.revoke_token("token-acme");
    let second = submit(&scene, "acme/x");
    assert_eq!(scene.await_end(second).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn a_tracked_job_whose_tenant_is_lost_is_kept_and_goes_when_it_is_back() {
    let scene = two_tenants();
    let service = start(&scene);
    let job = scene.coordinator.submit(
        JobSpec::new("lost", ["sleep 600"])
            .flavor("XS")
            .project("acme/x"),
    );
    scene.await_phase(job, AppPhase::Running);
    assert!(
        scene
            .journal
            .wait_until(PATIENCE, || scene.state()["launched"][0]["job_id"] == job)
    );
    service.kill();
    scene.coordinator.set_group("acme", []);
    let service = start(&scene);
    scene.coordinator.cancel(job);
    let line = service.await_log("it belongs to orga_acme");
    let why = "group acme has no usable custom attribute";
    assert!(line.contains(why), "{line}");
    assert_eq!(scene.clever.running_machines(), 1);
    scene.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_acme"), ("cc_orga_token", "token-acme")],
    );
    scene.await_no_machines();
}

#[test]
fn orphans_are_searched_in_the_organizations_of_all_groups_that_had_jobs() {
    let scene = two_tenants();
    let service = start(&scene);
    let job = submit(&scene, "acme/x");
    scene.await_end(job);
    scene.await_no_machines();
    service.stop();
    let litter = crate::orphans::planted(&scene, "orga_acme", "hpd-job-kvzWdEMo-77");
    let list = crate::orphans::list(&scene, &[]);
    assert!(
        list.contains(&format!("{litter} for acme, runner ci")),
        "{list}"
    );
}

#[test]
fn a_job_that_calls_itself_another_groups_is_paid_by_its_own() {
    let scene = two_tenants();
    let _service = start(&scene);
    // Behind the predefined variable of the same name, as everything that users define.
    let spec = JobSpec::new("hijacker", ["true"]).flavor("XS");
    let spec = spec
        .project("acme/x")
        .variable("CI_PROJECT_ROOT_NAMESPACE", "other");
    let job = scene.coordinator.submit(spec);
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    let created = scene.clever.ever_created();
    let payers: Vec<_> = created.iter().map(|app| &app.organization).collect();
    assert_eq!(payers, ["orga_acme"]);
    let asked = |group: &str| {
        let wanted = format!("/groups/{group}/custom_attributes");
        let is_it = |path: &str| path.contains(&wanted);
        scene.journal.count_requests("GET", is_it)
    };
    assert!(asked("acme") > 0);
    assert_eq!(asked("other"), 0, "nobody even thought of it");
}

#[test]
fn a_user_who_had_a_job_once_hides_no_orphans_of_groups() {
    let scene = two_tenants();
    let service = start(&scene);
    // Its name comes first wherever names are sorted.
    let (job, refused) = (submit(&scene, "acme/x"), submit(&scene, "a-user/x"));
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    assert_eq!(scene.await_end(refused).status, JobStatus::Failed);
    scene.await_no_machines();
    scene.await_nothing_tracked("before the orphan");
    service.stop();
    let environment = scene.machine(job).unwrap().env;
    let planted = crate::orphans::planted_with(
        &scene,
        "orga_acme",
        "hpd-job-kvzWdEMo-77",
        &json!(environment),
    );
    let list = crate::orphans::list(&scene, &[]);
    let wanted = format!("{planted} for acme, runner ci, made by this installation");
    assert!(list.contains(&wanted), "{list}");
    let service = start(&scene);
    service.await_log(&format!("machine {planted} has no job any more; it goes"));
    scene.await_no_machines();
}

#[test]
fn a_machine_is_deleted_where_it_was_created_when_its_group_has_moved() {
    let scene = two_tenants();
    let service = start(&scene);
    let job = submit_lasting(&scene, "acme/x");
    service.await_log("running, seen");
    // A token of both organizations, and the old one is still good, too.
    for organization in ["orga_acme", "orga_new"] {
        let token = "token-of-both";
        scene
            .clever
            .add_organization(organization, token, Role::Manager);
    }
    scene.coordinator.set_group(
        "acme",
        [
            ("cc_orga_id", "orga_new"),
            ("cc_orga_token", "token-of-both"),
        ],
    );
    // What is remembered of the group is forgotten.
    service.stop();
    let _service = start(&scene);
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("after the move");
    assert_eq!(scene.machine(job).unwrap().organization, "orga_acme");
}

#[test]
fn a_groups_old_organization_is_spoken_to_with_its_old_token() {
    let scene = two_tenants();
    let service = start(&scene);
    let job = submit_lasting(&scene, "acme/x");
    service.await_log("running, seen");
    // Its token is good for nothing at the old one.
    scene
        .clever
        .add_organization("orga_new", "token-new", Role::Manager);
    scene.coordinator.set_group(
        "acme",
        [("cc_orga_id", "orga_new"), ("cc_orga_token", "token-new")],
    );
    // What was refused once is looked up again.
    let refused = Rule::on("DELETE", "*/applications/*");
    scene
        .clever
        .faults()
        .inject(refused.with(Fault::clever(401, 2001)));
    scene.let_end();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.await_nothing_tracked("after the move");
}

/// What is there is deleted with the last account that was learnt.
#[test]
fn a_machine_goes_while_nobody_tells_whose_account_it_is() {
    let scene = two_tenants();
    let _service = start(&scene);
    let fail = |fault| {
        let lookup = Rule::on("GET", "*/custom_attributes").always();
        scene.coordinator.faults().inject(lookup.with(fault));
    };
    let expired = || fail(Coordinator::refusal(403));
    let down = || fail(Fault::status(503));
    let moved_away = || scene.coordinator.set_group("acme", []);
    for (what, trouble) in [
        (
            "an attributes token that has expired",
            &expired as &dyn Fn(),
        ),
        ("a coordinator that is down", &down),
        ("a group without attributes", &moved_away),
    ] {
        let job = submit_lasting(&scene, "acme/x");
        scene.await_phase(job, AppPhase::Running);
        trouble();
        // What was refused once is looked up again.
        let refused = Rule::on("DELETE", "*/applications/*");
        scene
            .clever
            .faults()
            .inject(refused.with(Fault::clever(401, 2001)));
        scene.coordinator.cancel(job);
        scene.await_that(what, || {
            scene.machine(job).is_none_or(|app| app.is_deleted())
        });
        scene.coordinator.faults().clear();
    }
}

fn submit_lasting(scene: &Scene, project: &str) -> sandbox::JobId {
    let spec = JobSpec::new("lasting", [scene.lasting_script()]).flavor("XS");
    scene.coordinator.submit(spec.project(project))
}

#[test]
fn nobody_is_told_that_there_are_no_orphans_where_nobody_could_look() {
    let scene = two_tenants();
    let service = start(&scene);
    let job = submit(&scene, "acme/x");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    service.stop();
    crate::orphans::planted(&scene, "orga_acme", "hpd-job-kvzWdEMo-77");
    // As with a token that has expired: no group's organization is known any more.
    let refused = Rule::on("GET", "*/custom_attributes").always();
    scene
        .coordinator
        .faults()
        .inject(refused.with(Coordinator::refusal(403)));
    let output = std::process::Command::new(crate::service::program())
        .arg("--orphans")
        .arg(scene.config_path())
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&output.stdout);
    assert!(!list.contains("no machine without a job"), "{output:?}");
    let service = start(&scene);
    let line = service.await_log("cc_gitlab_namespace_attributes_token");
    assert!(line.contains("WARN") || line.contains("ERROR"), "{line}");
}

#[test]
fn a_tenants_machine_goes_when_its_token_or_its_organization_was_changed_over_a_restart() {
    for (what, organization) in [
        ("another token", "orga_acme"),
        ("another organization", "orga_new"),
    ] {
        let scene = two_tenants();
        let service = start(&scene);
        let spec = JobSpec::new(what, [scene.lasting_script()]).flavor("XS");
        let job = scene.coordinator.submit(spec.project("acme/x"));
        service.await_log("running, seen");
        service.kill();
        for reached in ["orga_acme", organization] {
            scene
                .clever
                .add_organization(reached, "token-new", Role::Manager);
        }
        scene.clever.revoke_token("token-acme");
        let attributes = [("cc_orga_id", organization), ("cc_orga_token", "token-new")];
        scene.coordinator.set_group("acme", attributes);
        let _service = start(&scene);
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{what}");
        scene.await_no_machines();
        scene.await_nothing_tracked(what);
    }
}
