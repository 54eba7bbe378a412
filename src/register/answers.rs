//! What must be known of a new runner: asked in the order in which one knows it, until each answer
//! will do.

use super::Trouble;
use super::file::Configuration;
use super::flavors;
use super::prompt::Person;
use super::questions::{
    API_URL, CLEVER_TOKEN, CONCURRENCY, EXECUTOR, FLAVOR, JOBS, NAME, ORGANIZATION, STATE_FILE,
    TOKEN, URL,
};
use super::secret_reference::{self, Referred};
use super::section::{Clever, Executor, Globals, NewRunner};
use crate::config::values::{self, ExecutorKind};
use crate::http::Http;
use crate::secret::Secret;

/// All that is asked.
pub struct Answers {
    pub globals: Option<Globals>,
    pub jobs: Option<u64>,
    pub runner: NewRunner,
    pub token: Referred,
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
    let globals = if configuration.takes_globals() {
        Some(Globals {
            state_file: person.answer(&STATE_FILE, plain_text)?,
            concurrent: person.answer(&CONCURRENCY, positive)?,
        })
    } else {
        None
    };
    let url = person.answer(&URL, address)?;
    let name = person.answer(&NAME, |name| {
        if configuration.has_runner_named(name) {
            return Err(format!("the file has a runner named {name:?} already"));
        }
        plain_text(name)
    })?;
    let token = person.answer(&TOKEN, |written| new_token(written, &url, configuration))?;
    let executor = match person.answer(&EXECUTOR, str::parse)? {
        ExecutorKind::LocalDocker => Executor::LocalDocker,
        ExecutorKind::CleverDocker => Executor::CleverDocker(clever(person, http)?),
    };
    let jobs = if configuration.has_quota() {
        None
    } else {
        Some(jobs(person, &executor)?)
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

fn new_token(written: &str, url: &str, configuration: &Configuration) -> Result<Referred, String> {
    let token = Referred::resolve(written)?;
    let known = |secret: &Secret| configuration.runner_with(url, secret.reveal());
    match known(&token.written).or_else(|| known(&token.meant)) {
        Some(name) => Err(format!("the runner {name:?} of the file has this token")),
        None => Ok(token),
    }
}

fn clever(person: &mut Person<'_>, http: &Http) -> Result<Clever, Trouble> {
    let api_url = if person.has_said(&API_URL) {
        Some(person.answer(&API_URL, address)?)
    } else {
        None
    };
    let organization = person.answer(&ORGANIZATION, id)?;
    let token = person.answer(&CLEVER_TOKEN, |written| {
        secret_reference::usable(written).map(Secret::new)
    })?;
    // Nobody is called with it now, so that it may be missing in this environment.
    if let Err(why) = Referred::resolve(token.reveal()) {
        log::warn!("--clever-token: {why}; it must be there when the service starts");
    }
    let api = api_url.as_deref().unwrap_or(values::API_URL);
    let default_flavor = flavor(person, http, api)?;
    Ok(Clever {
        api_url,
        organization,
        token,
        default_flavor,
    })
}

fn flavor(person: &mut Person<'_>, http: &Http, api: &str) -> Result<String, Trouble> {
    let text = FLAVOR.text;
    let flavors = match flavors::fetch(http, api) {
        Ok(flavors) => flavors,
        Err(why) => {
            log::warn!(
                "cannot reach Clever Cloud's list of machine sizes, so any name is taken: {why}"
            );
            let text = format!("{text} Usual are XS, S, M, L, XL, 2XL and 3XL");
            return person.answer_about(&FLAVOR, &text, id);
        }
    };
    let text = format!("{text}\n{}", flavors::table(&flavors));
    person.answer_about(&FLAVOR, &text, |name| {
        if flavors.iter().any(|flavor| flavor.name == name) {
            return Ok(name.to_owned());
        }
        let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
        let names = names.join(", ");
        Err(format!("there is no flavor {name:?}; there are {names}"))
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
    person.answer_about(&JOBS, &text, positive)
}

fn plain_text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("it must not be empty".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("there must be no control characters in it".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// TOML's own integers end there.
fn positive(text: &str) -> Result<u64, String> {
    let number: Option<i64> = text.parse().ok().filter(|number| *number > 0);
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is not a whole number above 0"))
}

fn address(text: &str) -> Result<String, String> {
    values::address(text).map_err(|why| format!("it {why}"))
}

fn id(text: &str) -> Result<String, String> {
    values::id(text).map_err(|why| format!("it {why}"))
}

#[cfg(test)]
mod tests {
    use super::{plain_text, positive};

    #[test]
    fn answers_that_would_make_no_configuration_are_refused() {
        assert_eq!(positive("12"), Ok(12));
        for bad in ["", "0", "-1", "abc", "1.5", "99999999999999999999"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
        assert!(plain_text("my runner").is_ok() && plain_text("a\u{7f}").is_err());
    }
}
