//! `cargo run --example demo`: the real program at work, in a small world of its own on loopback.
//!
//! It runs a pipeline and shows what happens to each job; at the end it says whether everything
//! ended as it must. It is a part of the checks, so its exit code counts.

mod arguments;
mod bills;
mod expression;
mod extends;
mod gitlab_ci;
mod job_keys;
mod pipeline;
mod report;
mod run;
mod source;
mod start;
mod tenants;
mod trace;
mod yaml;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, fs};

use rig::program::{self, Build};
use rig::{Colour, Configuration, Rig, Setting, Show, World, show, world};

use crate::arguments::{Arguments, What};
use crate::gitlab_ci::Pipeline;
use crate::pipeline::{Ending, Plan};
use crate::run::Run;
use crate::source::Source;
use crate::tenants::{TENANTS, Tenant};

const DEFAULT_PIPELINE: &str = include_str!("default.gitlab-ci.yml");
/// There is always room for so many jobs.
const ROOM: usize = 12;
/// After so many requests for a job without one, the program has nothing to do.
const IDLE_REQUESTS: usize = 3;

/// What nobody should have to guess.
const WHAT_IS_REAL: &str = "\
Real here: the program, what it says to GitLab and Clever Cloud, its pushes. Played: GitLab, Clever
Cloud and its machines, on loopback. No container starts, so neither image nor service of a job is
there: its script is run by sh, on this computer.
";

/// What to show, and what to say before.
struct Programme {
    pipeline: Pipeline,
    tenants: &'static [Tenant],
    /// What scripts find in their folder.
    source: Option<Source>,
    keeps: bool,
}

fn main() -> ExitCode {
    rig::run("demo", arguments::HELP, programme(), show)
}

fn programme() -> Result<Option<Programme>, String> {
    let arguments =
        arguments::parse(env::args_os().skip(1)).map_err(|error| format!("{error}; see --help"))?;
    arguments.map(prepare).transpose()
}

fn prepare(arguments: Arguments) -> Result<Programme, String> {
    let mut programme = Programme {
        pipeline: Pipeline {
            plans: Vec::new(),
            remarks: Vec::new(),
        },
        tenants: &[],
        source: None,
        keeps: arguments.keeps,
    };
    match arguments.what {
        What::Tenants => {
            programme.tenants = &TENANTS;
            programme.pipeline.plans = tenants::plans();
        }
        What::File(path) => {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let mut pipeline =
                gitlab_ci::read(&text).map_err(|why| format!("{}: {why}", path.display()))?;
            let source = Source::around(&path)?;
            for plan in &mut pipeline.plans {
                if let Some(source) = &source {
                    source.check_out_for(plan);
                }
            }
            let folder = source.as_ref().map_or(
                "in an empty folder, since the file is in no repository".to_owned(),
                Source::describe,
            );
            let warning = format!("scripts run on this computer, as you, each {folder}");
            pipeline.remarks.push(warning);
            programme.pipeline = pipeline;
            programme.source = source;
        }
        What::Default => {
            let mut pipeline = gitlab_ci::read(DEFAULT_PIPELINE)?;
            pipeline.expect("landing", Ending::ExitCode(42));
            let told = "CI_CLEVER_CLOUD_FLAVOR is `12XL`";
            pipeline.expect("moon", Ending::Refused(told.to_owned()));
            programme.pipeline = pipeline;
        }
    }
    Ok(programme)
}

fn show(programme: Programme, interrupted: &Arc<AtomicBool>) -> Result<(), String> {
    let Programme {
        pipeline,
        tenants,
        source,
        keeps,
    } = programme;
    let binary = program::build(Build::With("demo"))?;
    show::print(WHAT_IS_REAL);
    let show = Show::new(pipeline.plans.iter().map(Plan::name));
    for remark in &pipeline.remarks {
        show.tell("", Colour::Yellow, remark);
    }
    let tags: BTreeSet<_> = (pipeline.plans.iter())
        .flat_map(|plan| plan.spec.tags.iter().cloned())
        .collect();
    let mut world = World::start(Setting::with_tags(tags))?;
    if keeps {
        show.say(&format!(
            "log and configuration: {}",
            world.keep().display()
        ));
    }
    show.say(&format!("a coordinator at {}", world.coordinator.url()));
    show.say(&format!("a Clever Cloud at {}", world.clever.api_url()));
    let account = if tenants.is_empty() {
        world.open_account();
        world::account()
    } else {
        tenants::move_in(tenants, &world, &show)
    };
    let configuration = Configuration::quick(ROOM, &account);
    let mut rig = Rig::start(world, &binary, &configuration, Vec::new(), interrupted)?;
    rig.await_requests(IDLE_REQUESTS)?;
    show.say("the program is up and asks for jobs; here is a pipeline");
    let mut run = Run::new(&mut rig, &show, pipeline.plans, !tenants.is_empty());
    let ran = run.run();
    let run = run.end();
    ran.inspect_err(|_| rig.program.show_warnings())?;
    let mut problems = report::problems(&rig, &run);
    if tenants.is_empty() {
        report::show_table(&show, &rig.world, &run);
    } else {
        problems.extend(bills::settle(&show, &rig.world, tenants, &run.jobs));
    }
    report::show_what_is_left(&rig.world);
    if !problems.is_empty() {
        rig.program.show_warnings();
    }
    let kept = rig.world.folder().to_owned();
    problems.extend(rig.end());
    // The jobs needed it until now.
    drop(source);
    if keeps {
        let kept = kept.display();
        show::print(&format!(
            "\nKept: {kept}/program.log\n      {kept}/paas-runner.toml"
        ));
    }
    rig::conclude(&show, &problems)
}
