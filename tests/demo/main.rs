//! `cargo run --example demo`: the real program at work, in a small world of its own on loopback.
//!
//! It runs a pipeline and shows what happens to each job; at the end it says whether everything
//! ended as it must. It is a part of the checks, so its exit code counts.

mod arguments;
mod bills;
mod gitlab_ci;
mod job_keys;
mod pipeline;
mod report;
mod run;
mod tenants;
mod trace;
mod yaml;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, fs};

use rig::{Colour, Rig, Show, World, program};

use crate::arguments::Arguments;
use crate::gitlab_ci::Pipeline;
use crate::pipeline::{Ending, Plan};
use crate::run::Run;
use crate::tenants::{TENANTS, Tenant};

const DEFAULT_PIPELINE: &str = include_str!("default.gitlab-ci.yml");
/// There is always room for so many jobs.
const ROOM: usize = 12;

/// What to show, and what to say before.
struct Programme {
    pipeline: Pipeline,
    tenants: &'static [Tenant],
}

fn main() -> ExitCode {
    rig::run("demo", arguments::HELP, programme(), show)
}

fn programme() -> Result<Option<Programme>, String> {
    let arguments =
        arguments::parse(env::args_os().skip(1)).map_err(|error| format!("{error}; see --help"))?;
    let tenants: &[Tenant] = match arguments {
        Some(Arguments::Tenants) => &TENANTS,
        _ => &[],
    };
    let pipeline = arguments.map(read_pipeline).transpose()?;
    Ok(pipeline.map(|pipeline| Programme { pipeline, tenants }))
}

fn read_pipeline(arguments: Arguments) -> Result<Pipeline, String> {
    match arguments {
        Arguments::Tenants => Ok(Pipeline {
            plans: tenants::plans(),
            remarks: Vec::new(),
        }),
        Arguments::File(path) => {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let mut pipeline =
                gitlab_ci::read(&text).map_err(|why| format!("{}: {why}", path.display()))?;
            let warning = "your scripts run on this computer, as you, each in an empty folder";
            pipeline.remarks.push(warning.to_owned());
            Ok(pipeline)
        }
        Arguments::Default => {
            let mut pipeline = gitlab_ci::read(DEFAULT_PIPELINE)?;
            pipeline.expect("landing", Ending::ExitCode(42));
            let told = "CI_CLEVER_CLOUD_FLAVOR is `12XL`";
            pipeline.expect("moon", Ending::Refused(told.to_owned()));
            Ok(pipeline)
        }
    }
}

fn show(programme: Programme, interrupted: &Arc<AtomicBool>) -> Result<(), String> {
    let Programme { pipeline, tenants } = programme;
    let binary = program::build()?;
    let show = Show::new(pipeline.plans.iter().map(Plan::name));
    for remark in &pipeline.remarks {
        show.tell("", Colour::Yellow, remark);
    }
    let tags: BTreeSet<_> = (pipeline.plans.iter())
        .flat_map(|plan| plan.spec.tags.iter().cloned())
        .collect();
    let world = World::start(tags.into_iter().collect())?;
    show.say(&format!("a coordinator at {}", world.coordinator.url()));
    show.say(&format!("a Clever Cloud at {}", world.clever.api_url()));
    let account = if tenants.is_empty() {
        world.open_account()
    } else {
        tenants::move_in(tenants, &world, &show)
    };
    let configuration = world.configuration(ROOM, &account);
    let mut rig = Rig::start(world, &binary, &configuration, None, interrupted)?;
    rig.await_idle()?;
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
    problems.extend(rig.end());
    rig::conclude(&show, &problems)
}
