//! `cargo run --example demo`: the real program at work, in a small world of its own on loopback.
//!
//! It starts the sandbox, writes a configuration, starts the program as a process, runs a pipeline
//! and shows what happens to each job; at the end it says whether everything ended as it must. It
//! is a part of the checks, so its exit code counts. It knows the program only from outside: its
//! binary, its configuration, its signals.

mod arguments;
mod bills;
mod course;
mod gitlab_ci;
mod job_keys;
mod numbers;
mod pipeline;
mod program;
mod report;
mod show;
mod table;
mod tenants;
mod trace;
mod world;
mod yaml;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sandbox::{AppPhase, Kind};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::arguments::{Arguments, Command};
use crate::course::{Course, Setting, Voice};
use crate::gitlab_ci::Pipeline;
use crate::numbers::{Memory, Numbers};
use crate::pipeline::Ending;
use crate::program::Program;
use crate::report::Group;
use crate::show::{Colour, Show};
use crate::tenants::{TENANTS, Tenant};
use crate::world::World;

const DEFAULT_PIPELINE: &str = include_str!("default.gitlab-ci.yml");
/// How long the program may take until it asks for jobs.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// After so many requests for a job without one, it has nothing to do.
const IDLE_REQUESTS: usize = 3;

const NOT_AS_IT_MUST: u8 = 1;
const NOT_UNDERSTOOD: u8 = 2;
/// As a shell says it of a Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = match arguments::parse(env::args_os().skip(1)) {
        Ok(Command::Run(arguments)) => arguments,
        Ok(Command::Help) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}; see --help");
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    let pipeline = match read_pipeline(&arguments) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&interrupted)) {
            eprintln!("demo: cannot listen to signals: {error}");
        }
    }
    match run(&arguments, pipeline, &interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupted.load(Ordering::Relaxed) => {
            eprintln!("demo: interrupted; everything is stopped");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(NOT_AS_IT_MUST)
        }
    }
}

fn read_pipeline(arguments: &Arguments) -> Result<Pipeline, String> {
    if arguments.tenants {
        return Ok(Pipeline {
            plans: tenants::plans(),
            remarks: Vec::new(),
        });
    }
    if let Some(path) = &arguments.pipeline {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        return gitlab_ci::read(&text).map_err(|why| format!("{}: {why}", path.display()));
    }
    let mut pipeline = gitlab_ci::read(DEFAULT_PIPELINE)?;
    pipeline.expect("landing", Ending::ExitCode(42));
    let told = "CI_CLEVER_CLOUD_FLAVOR is `12XL`";
    pipeline.expect("moon", Ending::Refused(told.to_owned()));
    Ok(pipeline)
}

fn run(arguments: &Arguments, pipeline: Pipeline, interrupted: &AtomicBool) -> Result<(), String> {
    let binary = program::find_or_build(show::print)?;
    let show = Show::new(pipeline.plans.iter().map(pipeline::Plan::name));
    for remark in &pipeline.remarks {
        show.tell("", Colour::Yellow, remark);
    }
    if arguments.pipeline.is_some() {
        show.say("your scripts run on this computer, as you, each in an empty folder");
    }
    let tags: BTreeSet<_> = (pipeline.plans.iter())
        .flat_map(|plan| plan.spec.tags.iter().cloned())
        .collect();
    let tenants: &[Tenant] = if arguments.tenants { &TENANTS } else { &[] };
    let world = World::start(tags.into_iter().collect(), tenants)?;
    introduce(&show, &world);
    let configuration = world.configure(arguments.load)?;
    let mut program = world.start_program(&binary, &configuration)?;
    let ran = {
        let mut setting = Setting {
            world: &world,
            program: &mut program,
            show: &show,
            interrupted,
        };
        run_all(&mut setting, arguments.load, pipeline)
    };
    let (groups, numbers) = ran.inspect_err(|_| {
        if !interrupted.load(Ordering::Relaxed) {
            show_warnings(&program);
        }
    })?;
    let mut problems = judge(&show, &world, &groups, numbers.as_ref());
    if !problems.is_empty() {
        show_warnings(&program);
    }
    problems.extend(program.stop().err());
    problems.extend(world.end().err());
    show::print("");
    for problem in &problems {
        show::print(&show.paint(Colour::Red, problem));
    }
    if !problems.is_empty() {
        return Err("not everything ended as it must".to_owned());
    }
    let elapsed = show.elapsed().as_secs_f64();
    let good = format!("Everything ended as it must, after {elapsed:.0} s.");
    show::print(&show.paint(Colour::Green, &good));
    Ok(())
}

fn introduce(show: &Show, world: &World) {
    show.say(&format!("a coordinator at {}", world.coordinator.url()));
    show.say(&format!("a Clever Cloud at {}", world.clever.api_url()));
    for tenant in world.tenants {
        let (group, payer) = (tenant.group, tenant.organization);
        show.say(&format!("a group {group}, which says that {payer} pays"));
    }
}

/// Shows what came of it, and says what did not end as it must.
fn judge(show: &Show, world: &World, groups: &[Group], numbers: Option<&Numbers>) -> Vec<String> {
    let mut problems = report::problems(world, groups);
    if world.tenants.is_empty() {
        report::show_table(show, world, groups);
    } else {
        let rides = groups.iter().flat_map(|group| &group.rides);
        problems.extend(bills::settle(show, world, &rides.collect::<Vec<_>>()));
    }
    report::show_what_is_left(world);
    if let Some(numbers) = numbers {
        report::show_numbers(show, numbers);
    }
    problems
}

/// The pipeline, and what else was asked for.
fn run_all(
    setting: &mut Setting<'_>,
    load: usize,
    pipeline: Pipeline,
) -> Result<(Vec<Group>, Option<Numbers>), String> {
    let idle = await_idle(setting)?;
    let show = setting.show;
    show.say("the program is up and asks for jobs; here is a pipeline");
    let rides = Course::new(setting, pipeline.plans, Voice::Full).run()?;
    let mut groups = vec![Group { name: None, rides }];
    if load == 0 {
        return Ok((groups, None));
    }
    let single = numbers::run_single_jobs(setting)?;
    let launch = numbers::launch_time(&single);
    let (rides, memory) = numbers::run_load(setting, load)?;
    for (name, rides) in [("single", single), ("load", rides)] {
        let name = Some(name);
        groups.push(Group { name, rides });
    }
    let (world, process) = (setting.world, setting.program.id());
    let pushes = count_pushes(world);
    let numbers = Numbers {
        launch,
        idle,
        load: memory,
        jobs_at_once: load,
        git_calls: world.git_calls(process),
        pushes,
    };
    Ok((groups, Some(numbers)))
}

/// Waits until the program asks for jobs, and says how much memory it has then.
fn await_idle(setting: &mut Setting<'_>) -> Result<Option<Memory>, String> {
    let until = Instant::now() + START_PATIENCE;
    let asked = |setting: &Setting<'_>| {
        let is_asking = |path: &str| path.ends_with("/jobs/request");
        setting.world.journal.count_requests("POST", is_asking)
    };
    while asked(setting) < IDLE_REQUESTS {
        setting.program.check()?;
        if setting.interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        if Instant::now() > until {
            return Err(format!(
                "the program has not asked for jobs within {START_PATIENCE:.0?}"
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(Memory::of(setting.program.id()))
}

fn count_pushes(world: &World) -> usize {
    let entries = world.journal.entries();
    let pushed = entries.iter().filter(|entry| {
        let pushed = AppPhase::Pushed;
        matches!(&entry.kind, Kind::Application { state, .. } if *state == pushed)
    });
    pushed.count()
}

/// What the program itself said, when something went wrong.
fn show_warnings(program: &Program) {
    let warnings = program.warnings();
    if warnings.is_empty() {
        return;
    }
    show::print("");
    show::print("The program's own warnings:");
    for line in warnings.iter().take(40) {
        show::print(&format!("  {line}"));
    }
}
