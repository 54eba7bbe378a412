//! The demo's command line: what to run.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
Shows a pipeline of jobs that get their machines and lose them again, on loopback.

Usage: cargo run --example demo -- [OPTIONS] [FILE.gitlab-ci.yml]

  FILE.gitlab-ci.yml           a simple pipeline of your own. Its scripts run on this computer, as
                               you, without containers; each in a copy of the repository in which
                               the file is, as far as git (or Mercurial) does not ignore it. Jobs
                               that GitLab would not start for a push to `main` are named and do
                               not run; nor do those that use what the demo does not understand

Options:
      --keep                   leave the program's log and configuration, and say where
      --tenants                instead: the jobs of two groups that share the runner, one of them
                               with a Mercurial project, and a bill for each organization
  -h, --help                   this text

What many jobs cost in time and memory is measured by the bench: cargo run --release --example bench

Exit codes: 0 when everything ended as it must, 1 when something did not, 2 for a pipeline or a
command line that can't be understood, 130 when interrupted.";

#[derive(Default)]
pub struct Arguments {
    pub what: What,
    pub keeps: bool,
}

#[derive(Default)]
pub enum What {
    /// The pipeline that comes with the demo.
    #[default]
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
    let mut parsed = Arguments::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match (argument, &parsed.what) {
            (Short('h') | Long("help"), _) => return Ok(None),
            (Long("keep"), _) => parsed.keeps = true,
            (Long("tenants"), What::Default) => parsed.what = What::Tenants,
            (Value(path), What::Default) => parsed.what = What::File(path.into()),
            (other, _) => return Err(other.unexpected()),
        }
    }
    Ok(Some(parsed))
}
