//! The command line: what of the conversation is answered before it begins.
//!
//! Values are taken as they are typed; whether one will do is judged where it would be asked for.

use std::ffi::OsString;
use std::path::PathBuf;

use log::LevelFilter;

use crate::config::values;

pub const HELP: &str = "\
Makes a runner known to a GitLab or Heptapod instance, and adds it to a configuration of
heptapod-paas-runner. What is not given is asked for.

Usage: heptapod-paas-runner-register [OPTIONS] CONFIG

  CONFIG                       the configuration file; it is created when it does not exist

Options:
      --name NAME              what the runner is called
  -c, --coordinator-url URL    the address of the GitLab or Heptapod instance
  -t, --registration-token TOKEN
                               the token of a runner that was created there (\"glrt-...\"), or a
                               registration token
  -e, --executor EXECUTOR      clever-docker or local-docker
  -l, --logging-level LEVEL    DEBUG, INFO, WARNING or ERROR [default: INFO]
  -h, --help                   this text
  -V, --version                the version

For machines at Clever Cloud:
      --organization ID        the organization that pays, \"orga_...\"
      --clever-token TOKEN     a token that may create and delete applications there
      --default-flavor FLAVOR  the size of a job's machine
      --cc-api-url URL         the API [default: https://api.clever-cloud.com/v2]

For a configuration that lacks it:
      --state-file-path PATH   where running jobs are remembered
      --max-concurrency N      jobs at once, over all runners
      --reference-jobs-count N
                               how many machines of the default size may run at once (the quota)

Other users can read command lines: tokens are better typed, or given as env:NAME or file:PATH.
No administrator's token is needed. The file is changed only after the instance has agreed.

Exit codes: 0 when the runner is in the file, 2 for a bad command line, 130 after an interrupt,
1 for other trouble.
";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this and be done.
    Print(String),
    Register(Box<Given>),
}

/// The answers that were given as options.
#[derive(Debug, Default)]
pub struct Given {
    pub config: PathBuf,
    pub level: Option<LevelFilter>,
    pub name: Option<String>,
    pub url: Option<String>,
    pub token: Option<String>,
    pub executor: Option<String>,
    pub concurrency: Option<String>,
    pub state_file: Option<String>,
    pub organization: Option<String>,
    pub clever_token: Option<String>,
    pub default_flavor: Option<String>,
    pub reference_jobs: Option<String>,
    pub api_url: Option<String>,
}

impl Given {
    fn place_of(&mut self, option: &lexopt::Arg<'_>) -> Option<&mut Option<String>> {
        use lexopt::prelude::{Long, Short};
        Some(match option {
            Long("name") => &mut self.name,
            Short('c') | Long("coordinator-url") => &mut self.url,
            Short('t') | Long("registration-token") => &mut self.token,
            Short('e') | Long("executor") => &mut self.executor,
            Long("max-concurrency") => &mut self.concurrency,
            Long("state-file-path") => &mut self.state_file,
            Long("organization") => &mut self.organization,
            Long("clever-token") => &mut self.clever_token,
            Long("default-flavor") => &mut self.default_flavor,
            Long("reference-jobs-count") => &mut self.reference_jobs,
            Long("cc-api-url") => &mut self.api_url,
            _ => return None,
        })
    }
}

/// # Errors
/// When the command line can't be understood. The text quotes no option's value.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value};
    let mut given = Given::default();
    let mut config = None;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        if let Some(place) = given.place_of(&argument) {
            *place = Some(text(&mut parser)?);
            continue;
        }
        match argument {
            Short('h') | Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                let version = concat!(
                    "heptapod-paas-runner-register ",
                    env!("CARGO_PKG_VERSION"),
                    "\n"
                );
                return Ok(Command::Print(version.to_owned()));
            }
            Short('l') | Long("logging-level") => {
                let level = values::level(&text(&mut parser)?);
                given.level = Some(level.map_err(|why| format!("the logging level {why}"))?);
            }
            Value(path) if config.is_none() => config = Some(path.into()),
            // It may be a token in the wrong place.
            Value(_) => return Err("there is more than one CONFIG".into()),
            other => return Err(other.unexpected()),
        }
    }
    given.config = config.ok_or("which configuration file? CONFIG is missing")?;
    Ok(Command::Register(Box::new(given)))
}

fn text(parser: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    let value = parser.value()?;
    let text = value.into_string();
    text.map_err(|_| "the value of an option is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::{Command, HELP, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_python_program_is_understood() {
        let line = "--name ci -c https://x -t secret -e clever-docker --max-concurrency 3 \
                    --state-file-path=/s -l debug paas.toml";
        let Ok(Command::Register(given)) = parsed(line) else {
            panic!("not understood: {line}");
        };
        assert_eq!(given.config.to_str(), Some("paas.toml"));
        assert_eq!(given.token.as_deref(), Some("secret"));
        assert_eq!(given.state_file.as_deref(), Some("/s"));
    }

    #[test]
    fn what_is_not_understood_is_told_without_what_may_be_a_token() {
        assert!(parsed("").unwrap_err().contains("CONFIG is missing"));
        assert!(parsed("--tags a b").unwrap_err().contains("--tags"));
        let error = parsed("paas.toml glrt-secret").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn the_help_fits_a_terminal() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 100));
    }
}
