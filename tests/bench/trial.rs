//! One scenario with one program: a world is made, the program starts in it, the load is driven, and what was
//! seen is what remains.

use std::collections::HashMap;
use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rig::{Environment, Rig, Show, World, belief};
use sandbox::{AppView, JobId, JobStatus};

use crate::Candidate;
use crate::load::{self, Until};
use crate::process::{GitCalls, Used, peak, resident};
use crate::scenarios::Scenario;
use crate::seen::{Process, Seen};

/// A program that has asked so often has started for good.
const REQUESTS: usize = 1;

/// What was seen, and what is not as it must be.
///
/// # Errors
/// In words, when the load did not come to its end.
pub fn run(
    scenario: &Scenario,
    candidate: &Candidate,
    show: &Show,
    interrupted: &Arc<AtomicBool>,
) -> Result<(Seen, Vec<String>), String> {
    let world = World::start(scenario.setting.clone())?;
    world.open_account();
    let git_calls = GitCalls::count_in(world.folder())?;
    let environment = environment(&world, counts(scenario).then_some(&git_calls))
        .map_err(|error| format!("cannot prepare a program's environment: {error}"))?;
    let binary = &candidate.binary;
    let mut rig = Rig::start(
        world,
        binary,
        &scenario.configuration,
        environment,
        interrupted,
    )?;
    let seen = watch(&mut rig, scenario, show, &git_calls);
    let seen = seen.inspect_err(|_| rig.program.show_warnings())?;
    if scenario.load.until != Until::Over {
        return Ok((seen, rig.abandon()));
    }
    let mut problems = problems(&rig, &seen);
    problems.extend(rig.end());
    Ok((seen, problems))
}

/// A counter costs the program time, so it stands only where nothing else is measured in milliseconds.
fn counts(scenario: &Scenario) -> bool {
    scenario.load.until == Until::Pushed
}

fn environment(world: &World, counter: Option<&GitCalls>) -> io::Result<Environment> {
    let authority = world.clever.authority().pem();
    let mut environment = belief::environment(world.folder(), &authority)?;
    environment.extend(counter.map(|counter| ("PATH", counter.search_path())));
    Ok(environment)
}

fn watch(
    rig: &mut Rig,
    scenario: &Scenario,
    show: &Show,
    git_calls: &GitCalls,
) -> Result<Seen, String> {
    rig.await_requests(REQUESTS)?;
    let (program, sandbox) = (rig.program.id(), process::id());
    let (idle, started) = (resident(program), git_calls.of(program));
    let before = [program, sandbox].map(Used::by);
    let (mut seen, running) = load::drive(rig, show, &scenario.load)?;
    seen.repositories = repositories(rig);
    let [used, used_by_sandbox] = [program, sandbox].map(Used::by);
    let since = |now: Option<Used>, before: Option<Used>| Some(now?.since(before?));
    seen.process = Some(Process {
        idle,
        running,
        peak: peak(program),
        used: since(used, before[0]),
        used_by_sandbox: since(used_by_sandbox, before[1]),
        started: git_calls.of(program) - started,
    });
    Ok(seen)
}

fn repositories(rig: &Rig) -> HashMap<String, JobId> {
    let all = rig.world.clever.ever_created().into_iter();
    let of_job = |application: AppView| {
        // Its name ends with the id of its job.
        let job = application.name.rsplit('-').next()?.parse().ok()?;
        Some((application.id, job))
    };
    all.filter_map(of_job).collect()
}

/// What did not end as it must, in words.
fn problems(rig: &Rig, seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    for job in &seen.jobs {
        let view = rig.world.coordinator.job(*job);
        if view.status != JobStatus::Success {
            problems.push(format!("{}: {}", view.name, view.status));
        }
        problems.extend(rig.problems_of(&view));
    }
    problems
}
