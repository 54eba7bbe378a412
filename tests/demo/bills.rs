//! The end of a run with several tenants: which organization paid for which job, a bill for each
//! organization, and what must never be: a machine at the wrong organization's expense, a token of
//! an organization on a machine, a payload that changed on its way.

use std::collections::BTreeMap;

use rig::{Colour, Show, World, show, table};
use sandbox::AppView;
use sandbox::coordinator::JobId;
use serde_json::Value;

use crate::report;
use crate::run::Job;
use crate::tenants::{self, ATTRIBUTES_TOKEN, Tenant};

/// Shows it all, and says what was not as it must be between the tenants.
pub fn settle(show: &Show, world: &World, tenants: &[Tenant], jobs: &[Job]) -> Vec<String> {
    let rows: Vec<_> = jobs.iter().map(|job| row_of_job(world, job)).collect();
    let headings = ["job", "project", "kept in", "flavor", "paid by", "result"];
    table::print(show, headings, &[], &rows);
    let rows: Vec<_> = (tenants.iter())
        .map(|tenant| row_of_tenant(world, tenant))
        .collect();
    let headings = ["bill of", "group", "machines", "billed", "of that"];
    table::print(show, headings, &[2, 3], &rows);
    show::print("");
    let mut problems = Vec::new();
    for job in jobs {
        let name = job.plan.name();
        let Some((id, application)) = job.id.and_then(|id| Some((id, application(world, id)?)))
        else {
            problems.push(format!("{name}: it never had an application"));
            continue;
        };
        if let Some(changeset) = changeset(&application) {
            show::print(&format!(
                "The machine of {name} was told: repo_type hg, hgsha {changeset}."
            ));
        }
        let wrong = problems_of(world, tenants, job, id, &application);
        problems.extend(wrong.into_iter().map(|what| format!("{name}: {what}")));
    }
    if problems.is_empty() {
        show::print("Each machine got its job byte for byte, and no token of an organization.");
        show::print("No application of one group was ever in the other's organization.");
    }
    problems
}

fn application(world: &World, job: JobId) -> Option<AppView> {
    world.applications_of(job).pop()
}

fn row_of_job(world: &World, job: &Job) -> table::Row<6> {
    let spec = &job.plan.spec;
    let (colour, result) = report::result(world, job);
    let payer = job.id.and_then(|id| application(world, id));
    let cells = [
        job.plan.name().to_owned(),
        spec.project.clone(),
        if spec.heptapod { "Mercurial" } else { "Git" }.to_owned(),
        job.flavor().to_owned(),
        payer.map(|it| it.organization).unwrap_or_default(),
        result,
    ];
    table::Row { cells, colour }
}

/// Of all machines that its organization ever had, whoever asked for them.
fn row_of_tenant(world: &World, tenant: &Tenant) -> table::Row<5> {
    // Under the names that jobs use, without their family's.
    let mut by_flavor: BTreeMap<String, u64> = BTreeMap::new();
    let mut machines = 0;
    for line in world.clever.bill() {
        let application = world.clever.application(&line.application);
        if application.is_some_and(|it| it.organization == tenant.organization) {
            machines += 1;
            let size = line.flavor.rsplit('-').next().unwrap_or_default();
            *by_flavor.entry(size.to_owned()).or_default() += line.billed_seconds;
        }
    }
    let parts = by_flavor.iter();
    let parts = parts.map(|(flavor, seconds)| format!("{seconds} s {flavor}"));
    let cells = [
        tenant.organization.to_owned(),
        tenant.group.to_owned(),
        machines.to_string(),
        format!("{} s", by_flavor.values().sum::<u64>()),
        parts.collect::<Vec<_>>().join(", "),
    ];
    let colour = Colour::Plain;
    table::Row { cells, colour }
}

/// The Mercurial changeset that the job's machine was told of.
fn changeset(application: &AppView) -> Option<String> {
    let job: Value = serde_json::from_slice(application.files.get("job.json")?).ok()?;
    let info = &job["git_info"];
    let changeset = info["hgsha"].as_str()?;
    (info["repo_type"] == "hg").then(|| changeset.to_owned())
}

fn problems_of(
    world: &World,
    tenants: &[Tenant],
    job: &Job,
    id: JobId,
    application: &AppView,
) -> Vec<&'static str> {
    let spec = &job.plan.spec;
    let owner = tenants::owner(tenants, &spec.project);
    let is_paid_by_its_own = owner.is_some_and(|it| it.organization == application.organization);
    let tokens = tenants.iter().map(|tenant| tenant.token);
    let has_token = tokens.chain([ATTRIBUTES_TOKEN]).any(|token| {
        let mut files = application.files.values();
        files.any(|it| String::from_utf8_lossy(it).contains(token))
            || application.env.values().any(|it| it.contains(token))
    });
    let sent = world.coordinator.job(id).payload.map(|it| it.to_string());
    let pushed = application.files.get("job.json").map(Vec::as_slice);
    let is_intact = pushed == sent.as_deref().map(str::as_bytes);
    let wrong = [
        (
            !is_paid_by_its_own,
            "another group's organization paid for its machine",
        ),
        (
            has_token,
            "its machine was given a token that is not a job's",
        ),
        (!is_intact, "its job.json is not what the coordinator sent"),
        (
            spec.heptapod != changeset(application).is_some(),
            "its machine was told the wrong kind of repository",
        ),
    ];
    let wrong = wrong.into_iter().filter(|(is_so, _)| *is_so);
    wrong.map(|(_, what)| what).collect()
}
