//! `cargo run --release --example bench`: what the real program does with time, quota and the computer, in one
//! table; and what another program of its kind does, in the very same worlds.
//!
//! Everything is seen from outside. A scenario says what is wanted (`scenarios`), a trial carries it out with
//! one program (`trial`, `load`), `seen` and `process` are what was seen, `schedule` and `statistics` make few
//! numbers of many, and `table` prints them beside what they should be (`figure`).

mod figure;
mod load;
mod mix;
mod process;
mod scenarios;
mod schedule;
mod seen;
mod statistics;
mod table;
mod trial;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rig::program::{self, Build};
use rig::{Colour, Show, show};

use crate::scenarios::{NAMES, Scenario};
use crate::seen::Seen;
use crate::table::Part;

const HELP: &str = "\
Measures what the program does with time, quota and the computer that it runs on, in simulated worlds on
loopback, and prints one table.

Usage: cargo run --release --example bench -- [OPTIONS]

Options:
      --jobs N                 so many jobs where many are at once (50)
      --only NAME              one scenario: one, take, fill, many, ends, pick-up
      --against PROGRAM        another program that reads the same configuration, in a second column
  -h, --help                   this text

Latencies that the sandbox imposes, as Clever Cloud would, are not the program's doing. Where they are taken
off, a row says so; the sandbox shares the processors with the program, and what it costs is a row, too. Stop
other heavy programs before.

The Python runner, for instance: python3 -m venv /tmp/python-runner
  /tmp/python-runner/bin/pip install heptapod-paas-runner==1.1.1
  cargo run --release --example bench -- --against /tmp/python-runner/bin/heptapod-paas-runner

Exit codes: 0 when everything ended as it must, 1 when something of ours did not, 2 for a command line that
can't be understood, 130 when interrupted.";

const USUAL_JOBS: usize = 50;
/// Beyond this it is the sandbox that is measured, not the program.
const MOST_JOBS: usize = 1000;

struct Arguments {
    jobs: usize,
    only: Option<String>,
    against: Option<PathBuf>,
}

/// A program that is measured.
pub struct Candidate {
    name: String,
    binary: PathBuf,
    is_ours: bool,
}

fn main() -> ExitCode {
    let arguments = parse().map_err(|error| format!("{error}; see --help"));
    rig::run("bench", HELP, arguments, bench)
}

/// None: help is asked for.
fn parse() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::{Long, Short, ValueExt};
    let mut arguments = Arguments {
        jobs: USUAL_JOBS,
        only: None,
        against: None,
    };
    let mut parser = lexopt::Parser::from_args(env::args_os().skip(1));
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("jobs") => arguments.jobs = parser.value()?.parse()?,
            Long("only") => arguments.only = Some(parser.value()?.string()?),
            Long("against") => arguments.against = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=MOST_JOBS).contains(&arguments.jobs) {
        return Err(format!("--jobs: from 1 to {MOST_JOBS}").into());
    }
    if let Some(only) = &arguments.only
        && !NAMES.contains(&only.as_str())
    {
        return Err(format!("--only: one of {}", NAMES.join(", ")).into());
    }
    Ok(Some(arguments))
}

fn bench(arguments: Arguments, interrupted: &Arc<AtomicBool>) -> Result<(), String> {
    let Arguments {
        jobs,
        only,
        against,
    } = arguments;
    let mut candidates = vec![Candidate {
        name: "ours".to_owned(),
        binary: program::build(Build::Alone)?,
        is_ours: true,
    }];
    candidates.extend(against.as_deref().map(other).transpose()?);
    let is_wanted = |name: &&&str| only.as_ref().is_none_or(|only| only == **name);
    let wanted = NAMES.iter().filter(is_wanted);
    let scenarios = wanted.flat_map(|name| scenarios::named(name, jobs));
    let show = Show::new(candidates.iter().map(|candidate| candidate.name.as_str()));
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for scenario in scenarios {
        show.tell("", Colour::Bold, &scenario.title);
        let mut figures = Vec::new();
        for candidate in &candidates {
            let (seen, wrong) = attempt(&scenario, candidate, &show, interrupted)?;
            figures.push((scenario.figures)(&seen));
            for (what, times) in counted(&wrong) {
                let what = format!("{what} ({times} times)");
                show.tell(&candidate.name, Colour::Yellow, &what);
            }
            if candidate.is_ours {
                problems.extend(wrong);
            }
        }
        parts.push(Part {
            title: scenario.title,
            figures,
        });
    }
    let names: Vec<_> = candidates.into_iter().map(|it| it.name).collect();
    show::print(&format!("\n{}", table::circumstances()));
    table::print(&show, &names, &parts);
    rig::conclude(&show, &problems)
}

/// Each text once, with how often it is there.
fn counted(texts: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text.as_str()).or_default() += 1;
    }
    counts
}

/// Any other program, which is there.
fn other(binary: &Path) -> Result<Candidate, String> {
    let binary = binary
        .canonicalize()
        .map_err(|error| format!("--against {}: {error}", binary.display()))?;
    let folders = binary.ancestors().skip(1);
    let name = folders
        .filter_map(|folder| folder.file_name())
        .find(|name| *name != "bin");
    Ok(Candidate {
        name: name.map_or_else(
            || "other".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        ),
        binary,
        is_ours: false,
    })
}

/// What was seen of the program, and what is wrong with it. A program that fails in one scenario goes on with
/// the next one.
fn attempt(
    scenario: &Scenario,
    candidate: &Candidate,
    show: &Show,
    interrupted: &Arc<AtomicBool>,
) -> Result<(Seen, Vec<String>), String> {
    show.tell(&candidate.name, Colour::Plain, "starts");
    match trial::run(scenario, candidate, show, interrupted) {
        Err(why) if interrupted.load(Ordering::Relaxed) => Err(why),
        Err(why) => Ok((Seen::default(), vec![format!("{}: {why}", scenario.name)])),
        Ok(seen) => Ok(seen),
    }
}
