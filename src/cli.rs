//! The service's command line: arguments in, exit code out.

mod arguments;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use self::arguments::Arguments;
pub use self::arguments::COMMAND_LINE;
use crate::check;
use crate::config::{Config, SHORTEST_PAUSE};
use crate::control::command::{Show, costs, drain, reload, status};
use crate::dispatcher::{self, Options};
use crate::install;
use crate::install::completion::Command;
use crate::logger;
use crate::money::command::{Form, Wish};
use crate::orphans::command::{self, Action};
use crate::output;
use crate::process_limits;
use crate::register;

/// First arguments that make it another program.
const REGISTER: &str = "register";
const INSTALL: &str = "install";
/// systemd is told not to start us again then.
const BAD_CONFIGURATION: u8 = 2;

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
    if arguments.status {
        let show = Show {
            json: arguments.json,
            watch: arguments.watch,
        };
        return status(path, show);
    }
    if arguments.costs {
        let form = match (arguments.csv, arguments.json) {
            (true, _) => Form::Csv,
            (false, true) => Form::Json,
            (false, false) => Form::Table,
        };
        let wish = Wish {
            form,
            ..arguments.costs_wish.clone()
        };
        return costs(path, &wish);
    }
    if arguments.reload {
        return reload(path);
    }
    if arguments.drain {
        return drain(path);
    }
    let mut config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            output::complain(error);
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    override_by(arguments, &mut config);
    logger::start(config.log_level, config.log_format);
    warn_of_deprecated(arguments);
    warn_of_doubts(path, &config);
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
    let version = env!("CARGO_PKG_VERSION");
    log::info!("version {version}, with {}", path.display());
    let options = Options {
        poll_cycles: arguments.poll_cycles,
    };
    let reread = || {
        let mut config = check::config_for_reload(path)?;
        override_by(arguments, &mut config);
        warn_of_doubts(path, &config);
        Ok(config)
    };
    match dispatcher::run(config, options, &reread) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(why: &dyn fmt::Display) -> ExitCode {
    log::error!("{why}");
    ExitCode::FAILURE
}

fn warn_of_doubts(path: &Path, config: &Config) {
    for doubt in &config.warnings {
        log::warn!("{}:{doubt}", path.display());
    }
}

/// What the command line says counts more than what the file says.
fn override_by(arguments: &Arguments, config: &mut Config) {
    if let Some(level) = arguments.level {
        config.log_level = level;
    }
    if let Some(interval) = written(arguments.check_interval) {
        config.check_interval = interval.max(SHORTEST_PAUSE);
    }
    if let Some(interval) = written(arguments.progress_interval) {
        config.set_progress_interval(interval);
    }
}

fn warn_of_deprecated(arguments: &Arguments) {
    for (option, interval, key) in [
        (
            "--poll-interval",
            arguments.check_interval,
            "check_interval",
        ),
        (
            "--job-progress-poll-interval",
            arguments.progress_interval,
            "job_progress_poll_interval",
        ),
    ] {
        if written(interval).is_some() {
            log::warn!("{option} is deprecated; set `{key}` in the configuration");
        }
    }
}

/// As in the configuration, where 0 is as if nothing were written.
fn written(interval: Option<Duration>) -> Option<Duration> {
    interval.filter(|interval| !interval.is_zero())
}
