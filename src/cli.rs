//! The service's command line: arguments in, exit code out.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::ValueExt;
use log::LevelFilter;

use crate::check;
use crate::config::{Config, LONGEST_PAUSE, SHORTEST_PAUSE, values};
use crate::dispatcher::{self, Options};
use crate::install::completion::Command;
use crate::install::{self, pieces};
use crate::logger;
use crate::options::{CommandLine, Does, Offers, Operand, Opt, text, words};
use crate::orphans::command::{self, Action};
use crate::output;
use crate::process_limits;
use crate::register;

/// The program `heptapod-paas-runner`. What must be installed besides the binary is in it: one file to
/// copy, nothing else to find.
pub static COMMAND_LINE: CommandLine<Arguments> = CommandLine {
    program: "heptapod-paas-runner",
    about: "\
Gives every CI job of a GitLab or Heptapod instance a Clever Cloud virtual machine of its own.
",
    operand: Some(Operand {
        name: "CONFIG",
        help: "the configuration file, paas-runner.toml",
        take: |arguments, path| arguments.config = path,
    }),
    groups: &[(
        "Options",
        &[
            &Opt::new(
                "logging-level",
                "DEBUG, INFO, WARNING or ERROR [default: `log_level`, INFO]",
                Does::Take("LEVEL", |arguments: &mut Arguments, _, value| {
                    let level = values::level(&text(value)?);
                    let level = level.map_err(|why| format!("the logging level {why}"))?;
                    arguments.level = Some(level);
                    Ok(())
                }),
            )
            .short('l')
            .offers(Offers::Words(|| words(&values::LEVELS))),
            &Opt::new(
                "debug-signal",
                "log the tracked jobs and the counters on SIGUSR1",
                Does::Set(|arguments| arguments.debug_signal = true),
            ),
            &Opt::new(
                "check",
                "say what would not work, change nothing, and leave",
                Does::Set(|arguments| arguments.check = true),
            ),
            &Opt::new(
                "offline",
                "with --check: ask no service",
                Does::Set(|arguments| arguments.offline = true),
            ),
            &Opt::new(
                "json",
                "with --check: for programs",
                Does::Set(|arguments| arguments.json = true),
            ),
            &Opt::new(
                "orphans",
                "list the machines that nobody tracks, and leave",
                Does::Set(|arguments| arguments.orphans = true),
            ),
            &Opt::new(
                "delete",
                "with --orphans: remove those that this installation made",
                Does::Set(|arguments| arguments.delete = true),
            ),
            &Opt::new(
                "of-others",
                "with --orphans --delete: remove those that others made, too",
                Does::Set(|arguments| arguments.of_others = true),
            ),
            &Opt::new(
                "poll-cycles",
                "stop after N polling cycles (for tests)",
                Does::Take("N", |arguments, _, value| {
                    arguments.poll_cycles = Some(value.parse()?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "poll-interval",
                "deprecated: set `check_interval` in the configuration",
                Does::Take("N", |arguments, _, value| {
                    arguments.check_interval = Some(seconds(&value)?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "job-progress-poll-interval",
                "deprecated: set `job_progress_poll_interval`",
                Does::Take("N", |arguments, _, value| {
                    arguments.progress_interval = Some(seconds(&value)?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "print",
                "print a piece of an installation: config, unit, man PAGE,\ncompletion SHELL, sysusers or tmpfiles",
                Does::Show("WHAT", |words| pieces::print(words, &commands())),
            )
            .offers(Offers::Words(pieces::words)),
            &Opt::new(
                "print-config",
                "the same as --print config",
                Does::Print(pieces::CONFIG),
            ),
            &Opt::new(
                "print-unit",
                "the same as --print unit",
                Does::Print(pieces::UNIT),
            ),
            &Opt::new("help", "this text", Does::Help).short('h'),
            &Opt::new("version", "the version", Does::Version).short('V'),
        ],
    )],
    end: "\
Commands, each with a --help of its own:
  heptapod-paas-runner register   adds a runner to a configuration; it is the same as
                                  heptapod-paas-runner-register
  heptapod-paas-runner install    installs the program and all that belongs to it

Exit codes: 0 after SIGTERM or SIGINT, 2 for a bad configuration, 1 for other trouble at start;
with --check: 0 when nothing was found, 1 when something won't work, 2 when the file is wrong.
",
    check: |arguments| {
        if arguments.delete && !arguments.orphans {
            return Err("--delete goes with --orphans");
        }
        if arguments.of_others && !arguments.delete {
            return Err("--of-others goes with --orphans --delete");
        }
        if (arguments.offline || arguments.json) && !arguments.check {
            return Err("--offline and --json go with --check");
        }
        if arguments.check && arguments.orphans {
            return Err("--check and --orphans are two things");
        }
        Ok(())
    },
};

/// First arguments that make it another program.
const REGISTER: &str = "register";
const INSTALL: &str = "install";
/// systemd is told not to start us again then.
const BAD_CONFIGURATION: u8 = 2;

/// What the options say.
#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    config: PathBuf,
    level: Option<LevelFilter>,
    debug_signal: bool,
    check: bool,
    offline: bool,
    json: bool,
    orphans: bool,
    delete: bool,
    of_others: bool,
    poll_cycles: Option<u64>,
    check_interval: Option<Duration>,
    progress_interval: Option<Duration>,
}

/// The whole program, to its exit code: the name under which it was called, and what came behind it.
///
/// One file is all commands: a name for it, such as a link's, or the first argument says which.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    let called = arguments.next().map(PathBuf::from).unwrap_or_default();
    if called.file_name() == Some(register::COMMAND_LINE.program.as_ref())
        || arguments.next_if(|first| first == REGISTER).is_some()
    {
        return register::main(arguments);
    }
    if arguments.next_if(|first| first == INSTALL).is_some() {
        return install::main(arguments, &commands());
    }
    match COMMAND_LINE.read(arguments) {
        Ok(arguments) => run(&arguments),
        Err(exit_code) => exit_code,
    }
}

/// All that a shell may complete.
#[must_use]
pub fn commands() -> Vec<Command> {
    let command = |of, line| Command { of, line };
    let (ours, registration) = (COMMAND_LINE.program, register::COMMAND_LINE.program);
    let of_registration = register::COMMANDS.iter().map(|it| {
        let of = Some((registration, it.name));
        command(of, it.command_line.describe())
    });
    let outer = [
        command(None, COMMAND_LINE.describe()),
        command(Some((ours, REGISTER)), register::COMMAND_LINE.describe()),
        command(Some((ours, INSTALL)), install::COMMAND_LINE.describe()),
    ];
    outer.into_iter().chain(of_registration).collect()
}

fn run(arguments: &Arguments) -> ExitCode {
    let path = arguments.config.as_path();
    process_limits::set();
    if arguments.check {
        let wish = check::Wish {
            offline: arguments.offline,
            json: arguments.json,
        };
        return check::run(path, wish);
    }
    let mut config = match Config::load(path) {
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
    let shown = path.display();
    for warning in &config.warnings {
        log::warn!("{shown}:{warning}");
    }
    if arguments.orphans {
        let action = if arguments.delete {
            Action::Delete {
                of_others: arguments.of_others,
            }
        } else {
            Action::List
        };
        return match command::run(config, action) {
            Ok(report) => output::print(&report),
            Err(why) => failed(&why),
        };
    }
    log::info!("version {}, with {shown}", env!("CARGO_PKG_VERSION"));
    let options = Options {
        poll_cycles: arguments.poll_cycles,
        debug_signal: arguments.debug_signal,
    };
    match dispatcher::run(config, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(why: &dyn fmt::Display) -> ExitCode {
    log::error!("{why}");
    ExitCode::FAILURE
}

fn override_intervals(config: &mut Config, arguments: &Arguments) {
    // As in the configuration, where 0 is as if nothing were written.
    let written = |interval: Option<Duration>| interval.filter(|interval| !interval.is_zero());
    if let Some(interval) = written(arguments.check_interval) {
        log::warn!("--poll-interval is deprecated; set `check_interval` in the configuration");
        config.check_interval = interval.max(SHORTEST_PAUSE);
    }
    if let Some(interval) = written(arguments.progress_interval) {
        log::warn!(
            "--job-progress-poll-interval is deprecated; set `job_progress_poll_interval` in the \
             configuration"
        );
        config.set_progress_interval(interval);
    }
}

fn seconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = value.parse()?;
    let time = Duration::try_from_secs_f64(seconds).ok();
    let longest = LONGEST_PAUSE.as_secs();
    time.filter(|time| *time <= LONGEST_PAUSE)
        .ok_or_else(|| format!("{seconds} is no number of seconds from 0 to {longest}").into())
}

#[cfg(test)]
mod tests {
    use super::{Arguments, COMMAND_LINE};
    use crate::options::Parsed;
    use log::LevelFilter;

    fn parsed(line: &str) -> Result<Parsed<Arguments>, String> {
        let arguments = line.split_whitespace().map(Into::into);
        COMMAND_LINE
            .parse(arguments)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_python_runner_is_understood() {
        let line = "--poll-interval 2 --job-progress-poll-interval=7 --poll-cycles 3 --debug-signal \
                    -l warning paas.toml";
        let Ok(Parsed::Run(arguments)) = parsed(line) else {
            panic!("not understood: {line}");
        };
        assert_eq!(arguments.config.to_str(), Some("paas.toml"));
        assert_eq!(arguments.poll_cycles, Some(3));
        assert_eq!(arguments.level, Some(LevelFilter::Warn));
        assert!(arguments.debug_signal);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("", "CONFIG is missing"),
            ("a b", "more than one CONFIG"),
            ("--tags a", "--tags"),
            ("--poll-cycles x a", "x"),
            ("--poll-interval -1 a", "-1"),
            ("-l loud a", "WARNING"),
            ("--delete a", "--orphans"),
            ("--orphans --of-others a", "--delete"),
            ("--json a", "--check"),
            ("--check --orphans a", "--orphans"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
