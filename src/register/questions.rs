//! What must be known of a new runner: the questions, and which answers will do.

use ureq::http::Uri;

use super::Trouble;
use super::arguments::Given;
use super::file::Configuration;
use super::flavors::{self, Flavor};
use super::prompt::{Person, Question};
use super::reference::{self, Referred};
use super::section::{Clever, Executor, Globals, NewRunner};
use crate::http::Http;
use crate::secret::Secret;

const API_URL: &str = "https://api.clever-cloud.com/v2";

const EXECUTORS: &str = "\
Where do its jobs run?
  clever-docker  each on a machine of its own at Clever Cloud
  local-docker   on this computer, for trying things out";

/// All that is asked.
pub struct Answers {
    pub globals: Option<Globals>,
    pub jobs: Option<u64>,
    pub runner: NewRunner,
    pub token: Referred,
}

/// Asks what was not given, in the order in which one knows it.
///
/// # Errors
/// [`Trouble`] when an answer can't be had.
pub fn ask(
    given: &Given,
    configuration: &Configuration,
    http: &Http,
    person: &mut Person,
) -> Result<Answers, Trouble> {
    let globals = if configuration.takes_globals() {
        Some(globals(given, person)?)
    } else {
        None
    };
    let url = url(given, person)?;
    let name = name(given, configuration, person)?;
    let token = token(given, &url, configuration, person)?;
    let executor = match executor(given, person)? {
        "local-docker" => Executor::LocalDocker,
        _ => Executor::CleverDocker(clever(given, http, person)?),
    };
    let jobs = if configuration.has_quota() {
        None
    } else {
        Some(jobs(given, &executor, person)?)
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

fn question<'a>(
    option: &'static str,
    given: Option<&'a String>,
    text: &'a str,
    prompt: &'a str,
) -> Question<'a> {
    Question {
        option,
        given: given.map(String::as_str),
        text,
        prompt,
        hidden: false,
    }
}

fn globals(given: &Given, person: &mut Person) -> Result<Globals, Trouble> {
    let text = "In which file are running jobs remembered, such as \
                /var/lib/heptapod-runner/state.json?\nThe service must be able to write it and its \
                folder.";
    let state_file = question(
        "--state-file-path",
        given.state_file.as_ref(),
        text,
        "State file path: ",
    );
    let text = "How many jobs may there be at once at most, over all runners of this file?";
    let concurrency = question(
        "--max-concurrency",
        given.concurrency.as_ref(),
        text,
        "Concurrency: ",
    );
    Ok(Globals {
        state_file: person.answer(&state_file, plain_text)?,
        concurrent: person.answer(&concurrency, positive)?,
    })
}

fn url(given: &Given, person: &mut Person) -> Result<String, Trouble> {
    let text = "What is the address of the GitLab or Heptapod instance?";
    let question = question("--coordinator-url", given.url.as_ref(), text, "URL: ");
    person.answer(&question, address)
}

fn name(
    given: &Given,
    configuration: &Configuration,
    person: &mut Person,
) -> Result<String, Trouble> {
    let question = question("--name", given.name.as_ref(), "", "Runner name: ");
    person.answer(&question, |name| {
        let name = plain_text(name)?;
        if configuration.has_runner_named(&name) {
            return Err(format!("the file has a runner named {name:?} already"));
        }
        Ok(name)
    })
}

fn token(
    given: &Given,
    url: &str,
    configuration: &Configuration,
    person: &mut Person,
) -> Result<Referred, Trouble> {
    let text = "Its token, as the instance shows it when a runner is created (\"glrt-...\"), or a \
                registration token.\nIt is not shown while you type; env:NAME and file:PATH will do \
                as well. No administrator's\ntoken is needed.";
    let question = Question {
        hidden: true,
        ..question(
            "--registration-token",
            given.token.as_ref(),
            text,
            "Token: ",
        )
    };
    person.answer(&question, |written| {
        let token = Referred::resolve(written)?;
        let known = |secret: &Secret| configuration.runner_with(url, secret.reveal());
        match known(&token.written).or_else(|| known(&token.meant)) {
            Some(name) => Err(format!("the runner {name:?} of the file has this token")),
            None => Ok(token),
        }
    })
}

fn executor(given: &Given, person: &mut Person) -> Result<&'static str, Trouble> {
    let question = question(
        "--executor",
        given.executor.as_ref(),
        EXECUTORS,
        "Executor: ",
    );
    person.answer(&question, |name| match name {
        "clever-docker" => Ok("clever-docker"),
        "local-docker" => Ok("local-docker"),
        _ => Err(format!(
            "there is no executor {name:?}; there are clever-docker and local-docker"
        )),
    })
}

fn clever(given: &Given, http: &Http, person: &mut Person) -> Result<Clever, Trouble> {
    let api_url = match &given.api_url {
        Some(url) => {
            let text = "What is the address of Clever Cloud's API?";
            let question = question("--cc-api-url", Some(url), text, "API URL: ");
            Some(person.answer(&question, address)?)
        }
        None => None,
    };
    let text = "Which organization at Clever Cloud pays? Its id is in the console, \"orga_...\"";
    let organization = question(
        "--organization",
        given.organization.as_ref(),
        text,
        "Organization: ",
    );
    let organization = person.answer(&organization, id)?;
    let text = "A Clever Cloud token that may create and delete applications there (the role \
                Manager).\nIt is not shown while you type; env:NAME and file:PATH will do as well.";
    let token = Question {
        hidden: true,
        ..question(
            "--clever-token",
            given.clever_token.as_ref(),
            text,
            "Clever Cloud token: ",
        )
    };
    let token = person.answer(&token, |written| {
        reference::usable(written).map(Secret::new)
    })?;
    // Nobody is called with it now, so that it may be missing in this environment.
    if let Err(why) = Referred::resolve(token.reveal()) {
        log::warn!("--clever-token: {why}; it must be there when the service starts");
    }
    let api = api_url.as_deref().unwrap_or(API_URL);
    let default_flavor = flavor(given, &flavors::fetch(http, api), person)?;
    Ok(Clever {
        api_url,
        organization,
        token,
        default_flavor,
    })
}

fn flavor(
    given: &Given,
    offered: &Result<Vec<Flavor>, String>,
    person: &mut Person,
) -> Result<String, Trouble> {
    let text = "How big is a job's machine, unless the job says otherwise?";
    let text = match offered {
        Ok(flavors) => format!("{text}\n{}", flavors::table(flavors)),
        Err(why) => {
            log::warn!(
                "cannot reach Clever Cloud's list of machine sizes, so any name is taken: {why}"
            );
            format!("{text} Usual are XS, S, M, L, XL, 2XL and 3XL")
        }
    };
    let question = question(
        "--default-flavor",
        given.default_flavor.as_ref(),
        &text,
        "Flavor: ",
    );
    person.answer(&question, |name| match offered {
        Ok(flavors) if flavors.iter().any(|flavor| flavor.name == name) => Ok(name.to_owned()),
        Ok(flavors) => {
            let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
            let names = names.join(", ");
            Err(format!("there is no flavor {name:?}; there are {names}"))
        }
        Err(_) => id(name),
    })
}

fn jobs(given: &Given, executor: &Executor, person: &mut Person) -> Result<u64, Trouble> {
    let flavor = executor.reference_flavor();
    let text = match executor {
        Executor::CleverDocker(_) => format!(
            "How many machines of size {flavor} may run at once?\nThis is the quota of all runners \
             together; bigger machines use more of it."
        ),
        Executor::LocalDocker => {
            "How many of its jobs may run at once?\nThis is the quota of all runners together."
                .to_owned()
        }
    };
    let question = question(
        "--reference-jobs-count",
        given.reference_jobs.as_ref(),
        &text,
        "Machines at once: ",
    );
    person.answer(&question, positive)
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

fn id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!("{text:?} is not made of letters, digits, _ and -"));
    }
    Ok(text.to_owned())
}

/// An address is told in logs and requests: a password has no place in it.
fn address(text: &str) -> Result<String, String> {
    let wrong = "it must be an address such as https://heptapod.example.org, without user, query \
                 or fragment";
    let uri: Uri = text.parse().map_err(|_| wrong.to_owned())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    if http && host && uri.query().is_none() && !text.contains(['@', '#']) {
        Ok(text.to_owned())
    } else {
        Err(wrong.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{address, id, plain_text, positive};

    #[test]
    fn answers_that_would_make_no_configuration_are_refused() {
        for good in ["https://x.org", "http://127.0.0.1:80/gl/", "https://[::1]/"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "x.org",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "https://x?a",
            "https://x/#a",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert_eq!(positive("12"), Ok(12));
        for bad in ["", "0", "-1", "abc", "1.5", "99999999999999999999"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
        assert!(id("orga_0-1").is_ok() && id("").is_err() && id("orga 1").is_err());
        assert!(plain_text("my runner").is_ok() && plain_text("a\u{7f}").is_err());
    }
}
