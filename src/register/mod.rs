//! The second program: makes a runner known to its coordinator, and writes it down.
//!
//! It asks a person what the command line left open, asks the coordinator, and appends a runner's
//! section to the configuration. The order is what matters: nothing is written before the
//! coordinator has agreed, and the coordinator is not asked before it is sure that the result can
//! be written. It knows nothing of jobs; what the configuration means is the other program's
//! business, except that it must be one that works.

mod answers;
mod file;
mod flavors;
mod prompt;
mod questions;
mod secret_reference;
mod section;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use log::LevelFilter;

use self::answers::Answers;
use self::file::{Addition, Configuration, Replacement};
use self::prompt::Person;
pub use self::questions::COMMAND_LINE;
use self::questions::{CONCURRENCY, Given, JOBS, STATE_FILE};
use crate::agent::USUAL_MAX_AGE;
use crate::config::Config;
use crate::coordinator::{Coordinator, TokenKind};
use crate::http::Http;
use crate::output;
use crate::secret::Secret;
use crate::shutdown;

/// As after a signal from the keyboard.
const INTERRUPTED: u8 = 130;

/// Why no runner was added.
#[derive(Debug)]
pub enum Trouble {
    /// The person does not want to go on.
    Interrupted,
    /// For the operator.
    Told(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Told(text)
    }
}

/// The program `heptapod-paas-runner-register`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given = match COMMAND_LINE.read(arguments) {
        Ok(given) => given,
        Err(exit_code) => return exit_code,
    };
    start_log(given.level.unwrap_or(LevelFilter::Info));
    match register(&given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(Trouble::Told(text)) => {
            log::error!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// The whole conversation.
fn register(given: &Given) -> Result<(), Trouble> {
    let path = given.config.as_path();
    let configuration = Configuration::read(path)?;
    // Better told before a dozen questions than behind them.
    drop(Replacement::begin(&configuration.path)?);
    warn_of_useless_options(given, &configuration);
    // Nobody stops it but by ending the process.
    let (_stopper, stop) = shutdown::channel();
    let http = Http::by_environment(USUAL_MAX_AGE, stop)?;
    let mut person = Person::at_standard_input(given);
    let answers = answers::ask(&mut person, &configuration, &http)?;

    let replacement = Replacement::begin(&configuration.path)?;
    // Somebody else may have written into it during the conversation.
    let configuration = Configuration::read(path)?;
    check_still_fits(&configuration, &answers)?;
    let _ = new_text(&configuration, &answers, &answers.token.written)?;

    let coordinator = Coordinator::new(http, &answers.runner.url);
    let token = become_known(&coordinator, &answers)?;
    let text = new_text(&configuration, &answers, &token)?;
    let name = configuration.path.display();
    replacement.finish(&text).map_err(|error| {
        format!(
            "cannot write {name}: {error}. A runner that was registered just now is of no use \
             without it: remove it at {}",
            answers.runner.url
        )
    })?;
    report(given, &configuration, &answers);
    Ok(())
}

/// The token that the configuration is to have.
fn become_known(coordinator: &Coordinator, answers: &Answers) -> Result<Secret, Trouble> {
    let runner = &answers.runner;
    let token = &answers.token;
    let kind = TokenKind::of(&token.meant);
    let result = match kind {
        TokenKind::Registration => coordinator.register(&runner.name, &token.meant),
        TokenKind::Authentication => coordinator
            .verify(&token.meant)
            .map(|()| token.written.clone()),
    };
    result.map_err(|trouble| words::not_registered(&runner.url, kind, &trouble).into())
}

fn new_text(
    configuration: &Configuration,
    answers: &Answers,
    token: &Secret,
) -> Result<String, String> {
    let globals = answers.globals.as_ref();
    configuration.with(&Addition {
        globals: globals.filter(|_| configuration.takes_globals()),
        jobs: answers.jobs.filter(|_| !configuration.has_quota()),
        runner: &answers.runner,
        token,
    })
}

fn check_still_fits(configuration: &Configuration, answers: &Answers) -> Result<(), String> {
    let taken = configuration.has_runner_named(&answers.runner.name);
    let lacks_quota = !configuration.has_quota() && answers.jobs.is_none();
    if taken || lacks_quota {
        let name = configuration.path.display();
        return Err(format!(
            "{name} was changed meanwhile, and the new runner does not fit into it any more. \
             Nothing was registered or written; start again"
        ));
    }
    Ok(())
}

fn warn_of_useless_options(given: &Given, configuration: &Configuration) {
    let name = configuration.path.display();
    let is_old = !configuration.takes_globals();
    let has_state_file = is_old && configuration.has_state_file();
    let has_quota = configuration.has_quota();
    for (question, is_useless, why) in [
        (&CONCURRENCY, is_old, "exists"),
        (&STATE_FILE, has_state_file, "exists"),
        (&JOBS, has_quota, "has [quota_computation]"),
    ] {
        if is_useless && given.answer(question).is_some() {
            let option = question.option.long;
            log::warn!("--{option} is ignored: {name} {why} already");
        }
    }
    if configuration.is_new() {
        output::complain(format_args!(
            "{name} does not exist yet; it will be created."
        ));
    }
}

/// What was done, and what is left to do.
fn report(given: &Given, before: &Configuration, answers: &Answers) {
    let (name, runner) = (before.path.display(), &answers.runner);
    log::info!(
        "{name} has the runner {:?} of {} now",
        runner.name,
        runner.url
    );
    if TokenKind::of(&answers.token.meant) == TokenKind::Registration {
        log::info!(
            "it is paused: resume it at {} (CI/CD, Runners), so that it gets jobs",
            runner.url
        );
    }
    log::info!("no administrator's token is needed: jobs are watched with their own tokens");
    if let Some(mode) = before.open_mode() {
        log::warn!(
            "{name} has tokens in it: only its owner can read it now (its mode was {mode:o})"
        );
    }
    if !(before.has_state_file() || before.takes_globals()) {
        let default = "/var/lib/heptapod-runner/state.json";
        let path = given.answer(&STATE_FILE).unwrap_or(default);
        let path = toml::Value::String(path.to_owned());
        log::warn!(
            "{name} has no `state_file`, and it can't be appended behind a section. Add this line \
             at the top of the file:\nstate_file = {path}"
        );
    } else if let Err(error) = Config::load(&before.path) {
        log::warn!("heptapod-paas-runner can't start with this configuration yet:\n{error}");
    }
}

/// A conversation needs no time stamps.
fn start_log(level: LevelFilter) {
    let _ = env_logger::Builder::new()
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("heptapod_paas_runner", level)
        .format(|out, record| writeln!(out, "{}: {}", record.level(), record.args()))
        .try_init();
}
