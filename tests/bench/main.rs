//! `cargo run --release --example bench -- --jobs 50`: what the real program costs in time, memory
//! and processes, while the sandbox gives it jobs.
//!
//! Three parts that don't know each other's business: `load` brings jobs on their way, `measure`
//! looks at the process from outside, `print` says what came of it and what it should be.

mod load;
mod measure;
mod print;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rig::program::{self, Build};
use rig::{Rig, Show, World};

use crate::load::Load;
use crate::measure::{GitCalls, Memory, Numbers};

const HELP: &str = "\
Measures what the program costs while many jobs run at once, on loopback.

Usage: cargo run --release --example bench -- [OPTIONS]

Options:
      --jobs N                 so many small jobs, all running at once (50)
  -h, --help                   this text

The latencies that the sandbox imposes are not the program's doing, and are taken off.

Exit codes: 0 when everything ended as it must, 1 when something did not, 2 for a command line that
can't be understood, 130 when interrupted.";

const USUAL_JOBS: usize = 50;
/// Beyond this it is the sandbox that is measured, not the program.
const MOST_JOBS: usize = 1000;

fn main() -> ExitCode {
    let jobs = parse().map_err(|error| format!("{error}; see --help"));
    rig::run("bench", HELP, jobs, bench)
}

/// How many jobs; none: help is asked for.
fn parse() -> Result<Option<usize>, lexopt::Error> {
    use lexopt::prelude::{Long, Short, ValueExt};
    let mut jobs = USUAL_JOBS;
    let mut parser = lexopt::Parser::from_args(env::args_os().skip(1));
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("jobs") => jobs = parser.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    if (1..=MOST_JOBS).contains(&jobs) {
        return Ok(Some(jobs));
    }
    Err(format!("--jobs: from 1 to {MOST_JOBS}").into())
}

fn bench(jobs: usize, interrupted: &Arc<AtomicBool>) -> Result<(), String> {
    let binary = program::build(Build::Alone)?;
    let show = Show::new([]);
    let world = World::start(Vec::new())?;
    let git_calls = GitCalls::count_in(world.folder())?;
    let configuration = world.configuration(jobs, &world.open_account());
    let search_path = Some(git_calls.search_path());
    let mut rig = Rig::start(world, &binary, &configuration, search_path, interrupted)?;
    let measured = measure(&mut rig, &show, jobs, &git_calls);
    let (load, numbers) = measured.inspect_err(|_| rig.program.show_warnings())?;
    print::numbers(&show, &numbers);
    let mut problems = load.problems(&rig);
    if !problems.is_empty() {
        rig.program.show_warnings();
    }
    problems.extend(rig.end());
    rig::conclude(&show, &problems)
}

fn measure(
    rig: &mut Rig,
    show: &Show,
    jobs: usize,
    git_calls: &GitCalls,
) -> Result<(Load, Numbers), String> {
    rig.await_idle()?;
    let process = rig.program.id();
    let idle = Memory::of(process);
    let before = measure::processor_time(process);
    let mut load = Load::default();
    let singles = load.run_one_by_one(rig, show)?;
    let launch = measure::median_launch(&load.times, &singles);
    let held = load.run_at_once(rig, show, jobs, || Memory::of(process))?;
    let numbers = Numbers {
        launch,
        idle,
        launching: held.launching,
        running: held.running,
        jobs_at_once: jobs,
        processor: measure::processor_time(process).and_then(|now| now.checked_sub(before?)),
        git_calls: git_calls.of(process),
        launches: load.jobs.len(),
    };
    Ok((load, numbers))
}
