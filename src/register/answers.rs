//! What must be known of a new runner: asked in the order in which one knows it, until each answer
//! will do.

use std::path::Path;

use super::Trouble;
use super::clever;
use super::file::Configuration;
use super::probe::{self, Token};
use super::prompt::Person;
use super::questions::{CONCURRENCY, EXECUTOR, JOBS, NAME, STATE_FILE, TOKEN, URL};
use super::secret_reference::Referred;
use super::section::{Executor, Globals, NewRunner};
use super::typed::{plain_text, positive};
use crate::config::keys;
use crate::config::values::ExecutorKind;
use crate::coordinator::Coordinator;
use crate::http::Http;
use crate::secret::Secret;

/// Where the unit of this program lets it write.
pub const USUAL_STATE_FILE: &str = "/var/lib/heptapod-runner/state.json";
/// Enough to see it work, and no surprise on the bill.
const USUAL_JOBS: &str = "4";

/// All that is asked.
pub struct Answers {
    pub globals: Option<Globals>,
    pub jobs: Option<u64>,
    pub runner: NewRunner,
    pub token: Token,
}

/// Asks what was not given.
///
/// # Errors
/// [`Trouble`] when an answer can't be had.
pub fn ask(
    person: &mut Person<'_>,
    configuration: &Configuration,
    http: &Http,
) -> Result<Answers, Trouble> {
    let url = person.answer(URL.asked(), |text| probe::address(http, text))?;
    let token = token(person, configuration, http, &url)?;
    let usual = ExecutorKind::CleverDocker.name();
    let executor = person.answer(EXECUTOR.asked().or(usual), |name| {
        name.to_lowercase().parse::<ExecutorKind>()
    })?;
    let name = name(person, configuration, executor)?;
    let executor = match executor {
        ExecutorKind::LocalDocker => Executor::LocalDocker,
        ExecutorKind::CleverDocker => Executor::CleverDocker(clever::ask(person, http)?),
    };
    let jobs = if configuration.has_quota() {
        None
    } else {
        Some(jobs(person, &executor)?)
    };
    let globals = if configuration.takes_globals() {
        Some(globals(person)?)
    } else {
        None
    };
    Ok(Answers {
        globals,
        jobs,
        runner: NewRunner {
            name,
            url,
            executor,
        },
        token,
    })
}

/// A token that is new to the file, and as far as that can be tried known at `url`.
///
/// # Errors
/// As above.
pub fn token(
    person: &mut Person<'_>,
    configuration: &Configuration,
    http: &Http,
    url: &str,
) -> Result<Token, Trouble> {
    let coordinator = Coordinator::new(http.clone(), url);
    person.answer(TOKEN.asked(), |written| {
        let token = Referred::resolve(written)?;
        let known = |secret: &Secret| configuration.runner_with(url, secret.reveal());
        match known(&token.written).or_else(|| known(&token.meant)) {
            Some(name) => Err(format!("the runner {name:?} of the file has this token")),
            None => probe::token(&coordinator, url, token),
        }
    })
}

fn name(
    person: &mut Person<'_>,
    configuration: &Configuration,
    executor: ExecutorKind,
) -> Result<String, Trouble> {
    let usual = match executor {
        ExecutorKind::CleverDocker => "clever-cloud",
        ExecutorKind::LocalDocker => executor.name(),
    };
    let names = (1..).map(|number| match number {
        1 => usual.to_owned(),
        number => format!("{usual}-{number}"),
    });
    let mut free = names.filter(|name| !configuration.has_runner_named(name));
    let asked = NAME.asked().or(free.next().unwrap_or_default());
    person.answer(asked, |name| {
        if configuration.has_runner_named(name) {
            return Err(format!("the file has a runner named {name:?} already"));
        }
        plain_text(name)
    })
}

fn jobs(person: &mut Person<'_>, executor: &Executor) -> Result<u64, Trouble> {
    let (flavor, quota) = (executor.reference_flavor(), JOBS.text);
    let text = match executor {
        Executor::CleverDocker(_) => format!(
            "How many machines of size {flavor} may run at once?\n{quota}; bigger machines use more \
             of it."
        ),
        Executor::LocalDocker => format!("How many of its jobs may run at once?\n{quota}."),
    };
    person.answer(JOBS.asked().saying(text).or(USUAL_JOBS), positive)
}

fn globals(person: &mut Person<'_>) -> Result<Globals, Trouble> {
    let usual: String = keys::CONCURRENT.default().unwrap_or_default();
    Ok(Globals {
        state_file: person.answer(STATE_FILE.asked().or(USUAL_STATE_FILE), state_file)?,
        concurrent: person.answer(CONCURRENCY.asked().or(usual), positive)?,
    })
}

fn state_file(text: &str) -> Result<String, String> {
    let text = plain_text(text)?;
    let path = Path::new(&text);
    if !path.is_absolute() {
        return Err("it must begin with a /: the service may be started anywhere".to_owned());
    }
    let folder = path.parent().unwrap_or(path);
    // The unit makes the usual one.
    if text != USUAL_STATE_FILE && !folder.is_dir() {
        let folder = folder.display();
        log::warn!("there is no folder {folder} yet: make it, for the service's user");
    }
    Ok(text)
}
