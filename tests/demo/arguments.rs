//! The demo's command line: what to run.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
Shows a pipeline of jobs that get their machines and lose them again, on loopback.

Usage: cargo run --example demo -- [OPTIONS] [FILE.gitlab-ci.yml]

  FILE.gitlab-ci.yml           a simple pipeline of your own; its scripts run on this computer,
                               as you, in an empty folder, without containers

Options:
      --tenants                instead: the jobs of two groups that share the runner, one of them
                               with a Mercurial project, and a bill for each organization
  -h, --help                   this text

What many jobs cost in time and memory is measured by the bench: cargo run --release --example bench

Exit codes: 0 when everything ended as it must, 1 when something did not, 2 for a pipeline or a
command line that can't be understood, 130 when interrupted.";

pub enum Arguments {
    /// The pipeline that comes with the demo.
    Default,
    /// A pipeline of the visitor's own.
    File(PathBuf),
    /// Two organizations with jobs of their own.
    Tenants,
}

/// None: help is asked for.
///
/// # Errors
/// In words, with the argument that is not understood.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value};
    let mut parsed = Arguments::Default;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        parsed = match (argument, parsed) {
            (Short('h') | Long("help"), _) => return Ok(None),
            (Long("tenants"), Arguments::Default) => Arguments::Tenants,
            (Value(path), Arguments::Default) => Arguments::File(path.into()),
            (other, _) => return Err(other.unexpected()),
        }
    }
    Ok(Some(parsed))
}
