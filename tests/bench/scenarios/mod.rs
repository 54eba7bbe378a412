//! What is measured: each scenario is a world, a configuration, a load, and what the figures of it are.

mod ends;
mod fill;
mod many;
mod one;
mod pick_up;
mod take;

use std::time::Duration;

use rig::{Configuration, Section, Setting, world};
use sandbox::coordinator::JobSpec;

use crate::figure::Figure;
use crate::load::Load;
use crate::seen::Seen;

pub struct Scenario {
    /// By which it is asked for.
    pub name: &'static str,
    /// In the table, above its figures.
    pub title: String,
    pub setting: Setting,
    pub configuration: Configuration,
    pub load: Load,
    /// The same ones, whatever was seen.
    pub figures: Box<Reading>,
}

type Reading = dyn Fn(&Seen) -> Vec<Figure>;

pub const NAMES: [&str; 6] = ["one", "take", "fill", "many", "ends", "pick-up"];

/// All of this name, in the order of the table; `jobs` is how many are at once where many are.
pub fn named(name: &str, jobs: usize) -> Vec<Scenario> {
    match name {
        "one" => vec![one::scenario()],
        "take" => vec![take::scenario()],
        "fill" => fill::scenarios(),
        "many" => vec![many::scenario(jobs)],
        "ends" => ends::scenarios(jobs),
        "pick-up" => pick_up::scenarios(),
        _ => Vec::new(),
    }
}

/// A world whose git remote speaks https, as the real one does.
fn setting() -> Setting {
    Setting {
        git_over_https: true,
        ..Setting::with_tags([])
    }
}

/// With nothing but what every configuration must have, and room for so many of the heaviest jobs.
fn default_configuration(room: usize) -> Configuration {
    Configuration {
        service: String::new(),
        quota: (room, "3XL"),
        runners: vec![Section::new(&world::account())],
    }
}

/// The same, where the subject is what jobs cost that run together: nothing is in the way of that.
fn crowd_configuration(jobs: usize) -> Configuration {
    let mut configuration = default_configuration(jobs);
    configuration.service = format!(
        "concurrent = {jobs}\npaas_max_concurrent_provisioning = {jobs}\n\
         paas_repoll_same_runner_immediately = true\n"
    );
    for runner in &mut configuration.runners {
        runner.lines += "  cc_deployment_repo_wait_step = 0.02\n";
    }
    configuration
}

/// The smallest job, which does nothing for so long.
fn job(name: &str, duration: Duration) -> JobSpec {
    let script = format!("exec sleep {:.1}", duration.as_secs_f64());
    JobSpec::new(name, [script]).flavor("XS")
}

fn milliseconds(seconds: f64) -> f64 {
    seconds * 1e3
}
