//! `--status`, `--reload` and `--drain`, as a person or a program calls them.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::client::{NoAnswer, ask};
use super::{Wish, socket_of};
use crate::config::Config;
use crate::counted::counted;
use crate::money;
use crate::output;
use crate::state::file::StateFile;
use crate::status::table::{self, Style};
use crate::status::{Report, ServiceState};
use crate::whole_file::resolve;

/// No answer, or something is wrong.
const WRONG: u8 = 1;
/// As at a start.
const WRONG_FILE: u8 = 2;
/// A service that starts has its state file a moment before it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(1);
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(50);
const WATCHED_EVERY: Duration = Duration::from_secs(2);
const DRAIN_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// How it is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Show {
    pub json: bool,
    /// Again and again.
    pub watch: bool,
}

/// Shows how everything stands, by the word of the service, or else of the state file.
#[must_use]
pub fn status(config: &Path, show: Show) -> ExitCode {
    with_state_file(config, |state_file| {
        let is_terminal = io::stdout().is_terminal();
        let clear = if is_terminal { CLEAR } else { "" };
        loop {
            let told = told_by_anybody(state_file);
            let is_well = told
                .as_ref()
                .is_ok_and(|(_, report)| report.wrong.is_empty());
            match told {
                Ok((json, _)) if show.json => output::show(&json)?,
                Ok((_, report)) => {
                    let table = table::render(&report, Style::of_environment(is_terminal));
                    let clear = if show.watch { clear } else { "" };
                    output::show(&format!("{clear}{table}"))?;
                }
                Err(why) => output::complain(why),
            }
            if !show.watch {
                return if is_well { Ok(()) } else { Err(WRONG.into()) };
            }
            sleep(WATCHED_EVERY);
        }
    })
}

/// Makes the service read its configuration again, and waits until it has.
#[must_use]
pub fn reload(config: &Path) -> ExitCode {
    with_state_file(config, |state_file| {
        let wrong_lines: Vec<String> = match ask_service(state_file, Wish::Reload) {
            Ok((_, lines)) => lines,
            Err(NoAnswer::NoService | NoAnswer::Gone) => {
                return Err(wrong(&no_service(state_file, "reload")));
            }
            Err(NoAnswer::Trouble(why)) => return Err(wrong(&why)),
        };
        for line in &wrong_lines {
            output::complain(line);
        }
        if wrong_lines.is_empty() {
            Ok(())
        } else {
            Err(wrong(&"nothing was changed"))
        }
    })
}

/// Makes the service take no new jobs, and waits until it has ended.
#[must_use]
pub fn drain(config: &Path) -> ExitCode {
    with_state_file(config, |state_file| {
        let mut told = None;
        loop {
            let wish = if told.is_none() {
                Wish::Drain
            } else {
                Wish::Status
            };
            let report: Report = match ask_service(state_file, wish) {
                Ok((_, report)) => report,
                Err(NoAnswer::Gone) => return drained(state_file),
                Err(NoAnswer::NoService) if told.is_some() => return drained(state_file),
                Err(NoAnswer::NoService) => return Err(wrong(&no_service(state_file, "drain"))),
                Err(NoAnswer::Trouble(why)) => return Err(wrong(&why)),
            };
            let left = report.jobs.len();
            if report.state == ServiceState::Running {
                return Err(wrong(&"the service was started again, and takes jobs"));
            }
            if told.replace(left) != Some(left) {
                output::show(&format!("draining: {} left\n", counted(left, "job")))?;
            }
            sleep(DRAIN_LOOKED_AT_EVERY);
        }
    })
}

/// What a month has cost.
#[must_use]
pub fn costs(config: &Path, wish: &money::command::Wish) -> ExitCode {
    with_state_file(config, |state_file| {
        let place = resolve(state_file).unwrap_or_else(|_| state_file.to_owned());
        let told = money::command::run(&place, wish).map_err(|why| wrong(&why))?;
        output::show(&told)
    })
}

fn with_state_file(config: &Path, act: impl FnOnce(&Path) -> Result<(), ExitCode>) -> ExitCode {
    match Config::load_without_secrets(config) {
        Ok(config) => act(&config.state_file).err().unwrap_or(ExitCode::SUCCESS),
        Err(error) => {
            output::complain(error);
            WRONG_FILE.into()
        }
    }
}

/// What the service says that has this state file.
fn ask_service<T: DeserializeOwned>(
    state_file: &Path,
    wish: Wish,
) -> Result<(String, T), NoAnswer> {
    let until = Instant::now() + LISTENS_WITHIN;
    loop {
        let told = ask(&socket_of(state_file), wish);
        let may_start = matches!(told, Err(NoAnswer::NoService)) && Instant::now() < until;
        if !may_start || !StateFile::is_in_use(state_file) {
            return told;
        }
        sleep(TRIED_AGAIN_AFTER);
    }
}

fn wrong(why: &dyn fmt::Display) -> ExitCode {
    output::complain(why);
    WRONG.into()
}

/// One may run whose socket was removed, or has found something else in its place: who is told that there is
/// none would go on with an upgrade.
fn no_service(state_file: &Path, what: &str) -> String {
    let name = state_file.display();
    if StateFile::is_in_use(state_file) {
        unheard(state_file)
    } else {
        format!("no service runs with the state file {name}: there is nothing to {what}")
    }
}

fn unheard(state_file: &Path) -> String {
    format!(
        "a service runs with the state file {}, but does not listen at {}; its log may say why, and \
         signals reach it: see SIGNALS in the manual",
        state_file.display(),
        socket_of(state_file).display()
    )
}

fn told_by_anybody(state_file: &Path) -> Result<(String, Report), String> {
    match ask_service(state_file, Wish::Status) {
        Ok(told) => Ok(told),
        Err(NoAnswer::Trouble(why)) => Err(why),
        Err(NoAnswer::NoService) if StateFile::is_in_use(state_file) => Err(unheard(state_file)),
        Err(NoAnswer::NoService | NoAnswer::Gone) => {
            let report = Report::of_file(state_file, &StateFile::read(state_file)?);
            Ok((report.json(), report))
        }
    }
}

/// The service is gone: what has it left?
fn drained(state_file: &Path) -> Result<(), ExitCode> {
    match StateFile::read(state_file).map(|state| state.tracked.len()) {
        Ok(0) => output::show("drained: the service has ended, and no job is left\n"),
        Ok(left) => {
            let left = counted(left, "job");
            Err(wrong(&format_args!(
                "the service has ended, with {left} in its state file"
            )))
        }
        Err(why) => Err(wrong(&why)),
    }
}
