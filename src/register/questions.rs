//! What a person is asked, and the options that answer it beforehand: one table for both.
//!
//! Answers are taken as they are typed; whether one will do is judged where it is needed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use log::LevelFilter;

use crate::config::values::{self, ExecutorKind};
use crate::options::{CommandLine, Does, Offers, Operand, Opt, text, words};
use crate::secret::Secret;

/// Something that must be known.
pub struct Question {
    pub option: Opt<Given>,
    /// What it is called when it is asked for.
    pub prompt: &'static str,
    /// Said once, before it is asked; may be nothing.
    pub text: &'static str,
    pub typing: Typing,
}

/// What is seen of an answer while it is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    Shown,
    /// It is a secret.
    Hidden,
}

/// What was said by options.
#[derive(Debug, Default)]
pub struct Given {
    pub config: PathBuf,
    pub level: Option<LevelFilter>,
    /// By the option's name. Some are secrets.
    answers: BTreeMap<&'static str, Secret>,
}

impl Given {
    pub fn answer(&self, question: &Question) -> Option<&str> {
        let answer = self.answers.get(question.option.long)?;
        Some(answer.reveal())
    }
}

fn note(given: &mut Given, option: &'static str, value: OsString) -> Result<(), lexopt::Error> {
    given.answers.insert(option, Secret::new(text(value)?));
    Ok(())
}

macro_rules! questions {
    ($($id:ident: $long:literal, $value:literal, $help:literal $(.$with:ident($what:expr))*; $typing:ident $prompt:literal $text:literal)+) => {
        $(pub static $id: Question = Question {
            option: Opt::new($long, $help, Does::Take($value, note))$(.$with($what))*,
            prompt: $prompt,
            text: $text,
            typing: Typing::$typing,
        };)+
    };
}

questions! {
    NAME: "name", "NAME", "what the runner is called";
        Shown "Runner name" ""

    URL: "coordinator-url", "URL", "the address of the GitLab or Heptapod instance".short('c');
        Shown "URL" "What is the address of the GitLab or Heptapod instance?"

    TOKEN: "registration-token", "TOKEN",
        "the token of a runner that was created there (\"glrt-...\"), or a\nregistration token".short('t');
        Hidden "Token" "\
Its token, as the instance shows it when a runner is created (\"glrt-...\"), or a registration token.
It is not shown while you type; env:NAME and file:PATH will do as well. No administrator's
token is needed."

    EXECUTOR: "executor", "EXECUTOR", "clever-docker or local-docker".short('e')
        .offers(Offers::Words(|| words(&ExecutorKind::ALL.map(ExecutorKind::name))));
        Shown "Executor" "\
Where do its jobs run?
  clever-docker  each on a machine of its own at Clever Cloud
  local-docker   on this computer, for trying things out"

    ORGANIZATION: "organization", "ID", "the organization that pays, \"orga_...\"";
        Shown "Organization" "Which organization at Clever Cloud pays? Its id is in the console, \"orga_...\""

    CLEVER_TOKEN: "clever-token", "TOKEN", "a token that may create and delete applications there";
        Hidden "Clever Cloud token" "\
A Clever Cloud token that may create and delete applications there (the role Manager).
It is not shown while you type; env:NAME and file:PATH will do as well."

    FLAVOR: "default-flavor", "FLAVOR", "the size of a job's machine";
        Shown "Flavor" "How big is a job's machine, unless the job says otherwise?"

    // Asked for only when what was given won't do.
    API_URL: "cc-api-url", "URL", "the API [default: https://api.clever-cloud.com/v2]";
        Shown "API URL" "What is the address of Clever Cloud's API?"

    STATE_FILE: "state-file-path", "PATH", "where running jobs are remembered"
        .offers(Offers::Files);
        Shown "State file path" "\
In which file are running jobs remembered, such as /var/lib/heptapod-runner/state.json?
The service must be able to write it and its folder."

    CONCURRENCY: "max-concurrency", "N", "jobs at once, over all runners";
        Shown "Concurrency" "How many jobs may there be at once at most, over all runners of this file?"

    JOBS: "reference-jobs-count", "N", "how many machines of the default size may run at once (the quota)";
        Shown "Machines at once" "This is the quota of all runners together"
}

/// The program `heptapod-paas-runner-register`.
pub static COMMAND_LINE: CommandLine<Given> = CommandLine {
    program: "heptapod-paas-runner-register",
    about: "\
Makes a runner known to a GitLab or Heptapod instance, and adds it to a configuration of
heptapod-paas-runner. What is not given is asked for.
",
    operand: Some(Operand {
        name: "CONFIG",
        help: "the configuration file; it is created when it does not exist",
        take: |given, path| given.config = path,
    }),
    groups: &[
        (
            "Options",
            &[
                &NAME.option,
                &URL.option,
                &TOKEN.option,
                &EXECUTOR.option,
                &Opt::new(
                    "logging-level",
                    "DEBUG, INFO, WARNING or ERROR [default: INFO]",
                    Does::Take("LEVEL", |given: &mut Given, _, value| {
                        let level = values::level(&text(value)?);
                        let level = level.map_err(|why| format!("the logging level {why}"))?;
                        given.level = Some(level);
                        Ok(())
                    }),
                )
                .short('l')
                .offers(Offers::Words(|| words(&values::LEVELS))),
                &Opt::new("help", "this text", Does::Help).short('h'),
                &Opt::new("version", "the version", Does::Version).short('V'),
            ],
        ),
        (
            "For machines at Clever Cloud",
            &[
                &ORGANIZATION.option,
                &CLEVER_TOKEN.option,
                &FLAVOR.option,
                &API_URL.option,
            ],
        ),
        (
            "For a configuration that lacks it",
            &[&STATE_FILE.option, &CONCURRENCY.option, &JOBS.option],
        ),
    ],
    end: "\
Other users can read command lines: tokens are better typed, or given as env:NAME or file:PATH.
No administrator's token is needed. The file is changed only after the instance has agreed.

Exit codes: 0 when the runner is in the file, 2 for a bad command line, 130 after an interrupt,
1 for other trouble.
",
    check: |_| Ok(()),
};

#[cfg(test)]
mod tests {
    use super::{API_URL, COMMAND_LINE, EXECUTOR, Given, STATE_FILE, TOKEN};
    use crate::config::values::{self, ExecutorKind};
    use crate::options::Parsed;

    fn parsed(line: &str) -> Result<Parsed<Given>, String> {
        let arguments = line.split_whitespace().map(Into::into);
        COMMAND_LINE
            .parse(arguments)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_python_program_is_understood() {
        let line = "--name ci -c https://x -t secret -e clever-docker --max-concurrency 3 \
                    --state-file-path=/s -l debug paas.toml";
        let Ok(Parsed::Run(given)) = parsed(line) else {
            panic!("not understood: {line}");
        };
        assert_eq!(given.config.to_str(), Some("paas.toml"));
        assert_eq!(given.answer(&TOKEN), Some("secret"));
        assert_eq!(given.answer(&STATE_FILE), Some("/s"));
        assert!(!format!("{given:?}").contains("secret"));
    }

    #[test]
    fn what_is_not_understood_is_told_without_what_may_be_a_token() {
        assert!(parsed("").unwrap_err().contains("CONFIG is missing"));
        assert!(parsed("--tags a b").unwrap_err().contains("--tags"));
        let error = parsed("paas.toml glrt-secret").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn every_executor_is_explained_and_the_usual_api_is_told() {
        for kind in ExecutorKind::ALL {
            assert!(EXECUTOR.option.help.contains(kind.name()), "{kind}");
            assert!(EXECUTOR.text.contains(kind.name()), "{kind}");
        }
        assert!(API_URL.option.help.contains(values::API_URL));
    }
}
