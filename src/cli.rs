//! The command lines: arguments in, exit code out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use log::LevelFilter;

use crate::config::{Config, SHORTEST_PAUSE, values};
use crate::dispatcher::{self, Options, ServiceError};
use crate::logger;
use crate::output;
use crate::process_limits;

const HELP: &str = "\
Gives every CI job of a GitLab or Heptapod instance a Clever Cloud virtual machine of its own.

Usage: heptapod-paas-runner [OPTIONS] CONFIG

  CONFIG                       the configuration file, paas-runner.toml

Options:
  -l, --logging-level LEVEL    DEBUG, INFO, WARNING or ERROR [default: `log_level`, INFO]
      --debug-signal           log the tracked jobs and the counters on SIGUSR1
      --orphans                list the machines that nobody tracks, and leave
      --delete                 with --orphans: remove them
      --poll-cycles N          stop after N polling cycles (for tests)
      --poll-interval N        deprecated: set `check_interval` in the configuration
      --job-progress-poll-interval N
                               deprecated: set `job_progress_poll_interval`
      --print-config           print a sample configuration
      --print-unit             print a systemd unit
  -h, --help                   this text
  -V, --version                the version

Exit codes: 0 after SIGTERM or SIGINT, 2 for a bad configuration, 1 for other trouble at start.
";

/// What must be installed besides the binary: one file to copy, nothing else to find.
const SAMPLE_CONFIGURATION: &str = include_str!("install/paas-runner.toml");
const SYSTEMD_UNIT: &str = include_str!("install/heptapod-paas-runner.service");

/// A bad configuration, or a bad command line.
const BAD_CONFIGURATION: u8 = 2;

#[derive(Debug, PartialEq)]
enum Command {
    /// Print this and be done.
    Print(String),
    Run(Box<Arguments>),
}

#[derive(Debug, PartialEq)]
struct Arguments {
    config: PathBuf,
    level: Option<LevelFilter>,
    debug_signal: bool,
    orphans: bool,
    delete: bool,
    poll_cycles: Option<u64>,
    check_interval: Option<Duration>,
    progress_interval: Option<Duration>,
}

/// The program `heptapod-paas-runner`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(Command::Print(text)) => output::print(&text),
        Ok(Command::Run(arguments)) => run(&arguments),
        Err(error) => {
            output::complain(format_args!("heptapod-paas-runner: {error}; see --help"));
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    process_limits::set();
    let mut config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            output::complain(error);
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    logger::start(
        arguments.level.unwrap_or(config.log_level),
        config.log_format,
    );
    override_intervals(&mut config, arguments);
    for warning in &config.warnings {
        log::warn!("{}: {warning}", shown(&arguments.config));
    }
    if arguments.orphans {
        return match dispatcher::orphans(config, arguments.delete) {
            Ok(report) => output::print(&report),
            Err(error) => failed(arguments, &error),
        };
    }
    log::info!(
        "version {}, with {}",
        env!("CARGO_PKG_VERSION"),
        shown(&arguments.config)
    );
    let options = Options {
        poll_cycles: arguments.poll_cycles,
        debug_signal: arguments.debug_signal,
    };
    match dispatcher::run(config, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(arguments, &error),
    }
}

fn failed(arguments: &Arguments, error: &ServiceError) -> ExitCode {
    match error {
        ServiceError::Configuration(text) => {
            log::error!("{}: {text}", shown(&arguments.config));
            ExitCode::from(BAD_CONFIGURATION)
        }
        ServiceError::Start(text) => {
            log::error!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn override_intervals(config: &mut Config, arguments: &Arguments) {
    if let Some(interval) = arguments.check_interval {
        log::warn!("--poll-interval is deprecated; set `check_interval` in the configuration");
        config.check_interval = interval.max(SHORTEST_PAUSE);
    }
    if let Some(interval) = arguments.progress_interval {
        log::warn!(
            "--job-progress-poll-interval is deprecated; set `job_progress_poll_interval` in the \
             configuration"
        );
        config.set_progress_interval(interval);
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value, ValueExt};
    let mut config: Option<PathBuf> = None;
    let mut parsed = Arguments {
        config: PathBuf::new(),
        level: None,
        debug_signal: false,
        orphans: false,
        delete: false,
        poll_cycles: None,
        check_interval: None,
        progress_interval: None,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n");
                return Ok(Command::Print(version.to_owned()));
            }
            Long("print-config") => return Ok(Command::Print(SAMPLE_CONFIGURATION.to_owned())),
            Long("print-unit") => return Ok(Command::Print(SYSTEMD_UNIT.to_owned())),
            Short('l') | Long("logging-level") => {
                parsed.level = Some(level(&parser.value()?.string()?)?);
            }
            Long("orphans") => parsed.orphans = true,
            Long("delete") => parsed.delete = true,
            Long("debug-signal") => parsed.debug_signal = true,
            Long("poll-cycles") => parsed.poll_cycles = Some(parser.value()?.parse()?),
            Long("poll-interval") => parsed.check_interval = Some(seconds(&parser.value()?)?),
            Long("job-progress-poll-interval") => {
                parsed.progress_interval = Some(seconds(&parser.value()?)?);
            }
            Value(path) if config.is_none() => config = Some(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    if parsed.delete && !parsed.orphans {
        return Err("--delete goes with --orphans".into());
    }
    parsed.config = config.ok_or("which configuration file? CONFIG is missing")?;
    Ok(Command::Run(Box::new(parsed)))
}

fn level(name: &str) -> Result<LevelFilter, String> {
    values::level(name).map_err(|why| format!("the logging level {why}"))
}

fn seconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    use lexopt::prelude::ValueExt;
    let seconds: f64 = value.parse()?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("{seconds} is no number of seconds").into())
}

#[cfg(test)]
mod tests {
    use super::{Command, level, parse};
    use log::LevelFilter;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_python_runner_is_understood() {
        let line = "--poll-interval 2 --job-progress-poll-interval=7 --poll-cycles 3 --debug-signal \
                    -l warning paas.toml";
        let Ok(Command::Run(arguments)) = parsed(line) else {
            panic!("not understood: {line}");
        };
        assert_eq!(arguments.config.to_str(), Some("paas.toml"));
        assert_eq!(arguments.poll_cycles, Some(3));
        assert_eq!(arguments.level, Some(LevelFilter::Warn));
        assert!(arguments.debug_signal);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(parsed("").unwrap_err().contains("CONFIG"));
        assert!(parsed("a b").unwrap_err().contains('b'));
        assert!(parsed("--poll-cycles x a").unwrap_err().contains('x'));
        assert!(level("loud").unwrap_err().contains("WARNING"));
    }
}
