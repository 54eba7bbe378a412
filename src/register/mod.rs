//! The second program: makes a runner known to its coordinator, and writes it down.
//!
//! It asks a person what the command line left open, tries each answer as soon as it can be tried,
//! asks the coordinator, and appends a runner's section to the configuration. The order is what
//! matters: nothing is written before the coordinator has agreed, and no token is shown to it before
//! it is sure that the result can be written. It knows nothing of jobs; what the configuration means is the other program's
//! business, except that it must be one that works.

mod answers;
mod cache;
mod clever;
mod clever_tools;
mod commands;
mod credential;
mod file;
mod flavors;
mod probe;
mod prompt;
mod questions;
mod report;
mod secret_reference;
mod section;
mod ssh_key;
mod typed;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use log::LevelFilter;

use self::answers::Answers;
pub use self::commands::{COMMANDS, Command};
use self::file::{Addition, Configuration, Replacement};
use self::prompt::Person;
pub use self::questions::COMMAND_LINE;
use self::questions::{CONCURRENCY, Given, JOBS, STATE_FILE, TOKEN};
use crate::agent::USUAL_MAX_AGE;
use crate::coordinator::{Coordinator, NotRegistered, TokenKind};
use crate::http::Http;
use crate::output;
use crate::secret::Secret;
use crate::shutdown::{self, Stopper};

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
    let mut arguments = arguments.into_iter().peekable();
    if let Some(command) = arguments.peek().and_then(|first| Command::named(first)) {
        return command.run(arguments.skip(1));
    }
    let given = match COMMAND_LINE.read(arguments) {
        Ok(given) => given,
        Err(exit_code) => return exit_code,
    };
    start_log(given.level.unwrap_or(LevelFilter::Info));
    exit_code(register(&given))
}

fn exit_code(result: Result<ExitCode, Trouble>) -> ExitCode {
    match result {
        Ok(exit_code) => exit_code,
        Err(Trouble::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(Trouble::Told(text)) => {
            log::error!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// For all that is said here, as long as its stopper is there: it is stopped by the process's end.
fn http() -> Result<(Http, Stopper), String> {
    let (stopper, stop) = shutdown::channel();
    Ok((Http::by_environment(USUAL_MAX_AGE, stop)?, stopper))
}

/// The whole conversation.
fn register(given: &Given) -> Result<ExitCode, Trouble> {
    let path = given.config.as_path();
    let configuration = Configuration::read(path)?;
    // Better told before a dozen questions than behind them.
    drop(Replacement::begin(&configuration.path)?);
    configuration.takes_a_runner()?;
    warn_of_useless_options(given, &configuration);
    let (http, _stopper) = http()?;
    let mut person = Person::at_standard_input(given);
    let mut answers = answers::ask(&mut person, &configuration, &http)?;
    let before = loop {
        match write_down(path, &http, &answers)? {
            Ok(before) => break before,
            Err(refused) => {
                if !person.can_answer_again() {
                    return Err(Trouble::Told(format!("{refused}. Nothing was written")));
                }
                log::warn!("{refused}");
                person.take_back(&[&TOKEN]);
                let url = &answers.runner.url;
                answers.token = answers::token(&mut person, &configuration, &http, url)?;
            }
        }
    };
    report::report(given, &before, &answers);
    Ok(ExitCode::SUCCESS)
}

/// Has the runner registered, if it is not known already, and adds it to the file, which is handed back
/// as it was before. The inner error is a refusal, after which another token may do.
fn write_down(
    path: &Path,
    http: &Http,
    answers: &Answers,
) -> Result<Result<Configuration, String>, Trouble> {
    // Of a link, the file.
    let configuration = Configuration::read(path)?;
    let replacement = Replacement::begin(&configuration.path)?;
    // Somebody else may have written into it during the conversation.
    let configuration = Configuration::read(path)?;
    check_still_fits(&configuration, answers)?;
    let _ = new_text(&configuration, answers, &answers.token.secret.written)?;

    let token = match become_known(http, answers) {
        Ok(token) => token,
        Err(trouble) => {
            let (url, kind) = (&answers.runner.url, answers.token.kind);
            let text = words::not_registered(url, kind, &trouble);
            return match trouble {
                NotRegistered::Refused { .. } => Ok(Err(text)),
                // There may be a runner by now: not another one.
                _ => Err(Trouble::Told(format!("{text}. Nothing was written"))),
            };
        }
    };
    let text = new_text(&configuration, answers, &token)?;
    let name = configuration.path.display();
    replacement.finish(&text).map_err(|error| {
        format!(
            "cannot write {name}: {error}. A runner that was registered just now is of no use \
             without it: remove it at {}",
            answers.runner.url
        )
    })?;
    Ok(Ok(configuration))
}

/// The token that the configuration is to have.
fn become_known(http: &Http, answers: &Answers) -> Result<Secret, NotRegistered> {
    let runner = &answers.runner;
    let token = &answers.token;
    match token.kind {
        TokenKind::Registration => {
            Coordinator::new(http.clone(), &runner.url).register(&runner.name, &token.secret.meant)
        }
        // It was asked about when it was typed.
        TokenKind::Authentication => Ok(token.secret.written.clone()),
    }
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

/// A conversation needs no time stamps.
fn start_log(level: LevelFilter) {
    let _ = env_logger::Builder::new()
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("heptapod_paas_runner", level)
        .format(|out, record| writeln!(out, "{}: {}", record.level(), record.args()))
        .try_init();
}
