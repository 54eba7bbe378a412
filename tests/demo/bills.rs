//! The end of a run with several tenants: which organization paid for which job, a bill for each
//! organization, and what must never be: a machine at the wrong organization's expense, a token of
//! an organization on a machine, a payload that changed on its way.

use std::collections::BTreeMap;

use sandbox::AppView;
use sandbox::coordinator::JobView;
use serde_json::Value;

use crate::course::Ride;
use crate::report;
use crate::show::{self, Colour, Show};
use crate::table::{self, Row};
use crate::tenants::{self, ATTRIBUTES_TOKEN, Tenant};
use crate::world::{World, name_end};

/// Shows it all, and says what was not as it must be between the tenants.
pub fn settle(show: &Show, world: &World, rides: &[&Ride]) -> Vec<String> {
    let rows: Vec<_> = rides.iter().map(|ride| row_of_job(world, ride)).collect();
    let headings = ["job", "project", "kept in", "flavor", "paid by", "result"];
    table::print(show, headings, &[], &rows);
    let rows: Vec<_> = (world.tenants.iter())
        .map(|tenant| row_of_tenant(world, tenant))
        .collect();
    let headings = ["bill of", "group", "machines", "billed", "of that"];
    table::print(show, headings, &[2, 3], &rows);
    show::print("");
    for ride in rides {
        if let Some(changeset) = changeset(world, ride) {
            let name = ride.plan.name();
            show::print(&format!(
                "The machine of {name} was told: repo_type hg, hgsha {changeset}."
            ));
        }
    }
    let problems = problems(world, rides);
    if problems.is_empty() {
        show::print("Each machine got its job byte for byte, and no token of an organization.");
        show::print("No application of one group was ever in the other's organization.");
    }
    problems
}

fn row_of_job(world: &World, ride: &Ride) -> Row<6> {
    let spec = &ride.plan.spec;
    let (colour, result) = report::result(world, ride);
    let applications = ride.job.map(|job| world.applications_of(job));
    let payers = applications.iter().flatten().map(|it| &*it.organization);
    let cells = [
        ride.plan.name().to_owned(),
        spec.project.clone(),
        if spec.heptapod { "Mercurial" } else { "Git" }.to_owned(),
        ride.flavor().to_owned(),
        payers.collect::<Vec<_>>().join(", "),
        result,
    ];
    Row { cells, colour }
}

/// Of all machines that its organization ever had, whoever asked for them.
fn row_of_tenant(world: &World, tenant: &Tenant) -> Row<5> {
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
    Row { cells, colour }
}

/// The Mercurial changeset that the job's machine was told of.
fn changeset(world: &World, ride: &Ride) -> Option<String> {
    let application = world.applications_of(ride.job?).pop()?;
    let job: Value = serde_json::from_slice(application.files.get("job.json")?).ok()?;
    let info = &job["git_info"];
    let changeset = info["hgsha"].as_str()?;
    (info["repo_type"] == "hg").then(|| changeset.to_owned())
}

fn problems(world: &World, rides: &[&Ride]) -> Vec<String> {
    let mut problems = Vec::new();
    let created = world.clever.ever_created();
    for application in &created {
        problems.extend(application_problems(world, rides, application));
    }
    for tenant in world.tenants {
        if !(created.iter()).any(|it| it.organization == tenant.organization) {
            problems.push(format!("{} never paid for anything", tenant.organization));
        }
    }
    for ride in rides {
        let Some(job) = ride.job.map(|job| world.coordinator.job(job)) else {
            continue;
        };
        let why = payload_problem(world, ride, &job);
        problems.extend(why.map(|why| format!("{}: {why}", ride.plan.name())));
    }
    problems
}

fn application_problems(world: &World, rides: &[&Ride], application: &AppView) -> Vec<String> {
    let (name, payer) = (&application.name, application.organization.as_str());
    let ride = rides.iter().find(|ride| {
        let end = ride.job.map(name_end);
        end.is_some_and(|end| name.ends_with(&end))
    });
    let project = ride.map_or("", |ride| ride.plan.spec.project.as_str());
    let mut problems = Vec::new();
    match tenants::owner(world.tenants, project) {
        None => problems.push(format!("{payer} paid for {name}, which is nobody's")),
        Some(owner) if owner.organization != payer => {
            let due = owner.organization;
            problems.push(format!("{payer} paid for {name}, which is {due}'s"));
        }
        Some(_) => {}
    }
    let tokens = world.tenants.iter().map(|tenant| tenant.token);
    for token in tokens.chain([ATTRIBUTES_TOKEN]) {
        let mut files = application.files.values();
        let is_in_file = files.any(|it| String::from_utf8_lossy(it).contains(token));
        if is_in_file || application.env.values().any(|it| it.contains(token)) {
            problems.push(format!("{name} was given a token that is not a job's"));
        }
    }
    problems
}

/// Each machine must get its job byte for byte, and a Mercurial one must be told that it is.
fn payload_problem(world: &World, ride: &Ride, job: &JobView) -> Option<String> {
    let granted = job.payload.as_ref().map(Value::to_string);
    let application = world.applications_of(job.id).pop();
    let Some(application) = application else {
        return Some("it never had an application".to_owned());
    };
    let file = application.files.get("job.json");
    if file.map(Vec::as_slice) != granted.as_deref().map(str::as_bytes) {
        return Some("its job.json is not what the coordinator sent".to_owned());
    }
    match (ride.plan.spec.heptapod, changeset(world, ride).is_some()) {
        (true, false) => Some("its machine was not told of Mercurial".to_owned()),
        (false, true) => Some("its machine was told of Mercurial".to_owned()),
        _ => None,
    }
}
