//! The demo's command line: what to run, and how much of it.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
Shows a pipeline of jobs that get their machines and lose them again, on loopback.

Usage: cargo run --example demo -- [OPTIONS] [FILE.gitlab-ci.yml]

  FILE.gitlab-ci.yml           a simple pipeline of your own; its scripts run on this computer,
                               as you, in an empty folder, without containers

Options:
      --jobs N                 N more small jobs, all running at once, and numbers at the end
      --tenants                instead: the jobs of two groups that share the runner, one of them
                               with a Mercurial project, and a bill for each organization
  -h, --help                   this text

Exit codes: 0 when everything ended as it must, 1 when something did not, 2 for a pipeline or a
command line that can't be understood, 130 when interrupted.
";

/// Beyond this it is the sandbox that is measured, not the program.
const MOST_JOBS: usize = 1000;

#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Run(Arguments),
}

#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    /// None: the pipeline that comes with the demo.
    pub pipeline: Option<PathBuf>,
    /// Jobs besides the pipeline's.
    pub load: usize,
    /// Two organizations with jobs of their own.
    pub tenants: bool,
}

/// # Errors
/// In words, with the argument that is not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value, ValueExt};
    let mut parsed = Arguments::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("jobs") => {
                parsed.load = parser.value()?.parse()?;
                if parsed.load > MOST_JOBS {
                    return Err(format!("--jobs: {MOST_JOBS} are the most").into());
                }
            }
            Long("tenants") => parsed.tenants = true,
            Value(path) if parsed.pipeline.is_none() => parsed.pipeline = Some(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    if parsed.tenants && (parsed.load > 0 || parsed.pipeline.is_some()) {
        return Err("--tenants brings its own jobs, and goes with nothing else".into());
    }
    Ok(Command::Run(parsed))
}
