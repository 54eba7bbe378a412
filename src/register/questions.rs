//! What a person is asked, and the options that answer it beforehand: one table for both.
//!
//! Answers are taken as they are typed; whether one will do is judged where it is needed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use log::LevelFilter;

use super::flavors::Instance;
use crate::config::values::{self, AuthKind, ExecutorKind};
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

/// A question as it is put.
pub struct Asked<'a> {
    pub question: &'a Question,
    pub text: String,
    /// What Enter means.
    pub default: Option<String>,
    /// Whether it means the same when nobody is there.
    pub counts_alone: bool,
}

impl Question {
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            question: self,
            text: self.text.to_owned(),
            default: None,
            counts_alone: true,
        }
    }
}

impl Asked<'_> {
    /// With this text instead of its usual one.
    pub fn saying(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    /// With what Enter means, and the end of the input.
    pub fn or(mut self, default: impl Into<String>) -> Self {
        self.default = Some(default.into());
        self
    }

    /// With what Enter means.
    pub fn proposing(mut self, default: impl Into<String>) -> Self {
        self.counts_alone = false;
        self.or(default)
    }
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

    AUTH: "clever-auth", "KIND", "what --clever-token is: oauth, api-token, service-token or token"
        .offers(Offers::Words(|| words(&AuthKind::ALL.map(AuthKind::name))));
        Shown "Kind of credential" "\
With what may applications be created and deleted there? Its owner needs the role Manager.
  oauth          the pair that `clever login` leaves, token and secret; good for three months
  api-token      made in the console or by `clever tokens create`, for a year at most; git needs
                 an SSH key besides, or such a pair
  service-token  a token of the organization itself, made by its administrator
  token          one that Clever Cloud gave to this organization for its runners"

    CLEVER_TOKEN: "clever-token", "TOKEN", "a token that may create and delete applications there";
        Hidden "Clever Cloud token" "It is not shown while you type; env:NAME and file:PATH will do as well."

    CLEVER_SECRET: "clever-secret", "SECRET", "its other half, with oauth";
        Hidden "Its secret" "Enter without one goes back: a token that has no secret is of another kind."

    SSH_KEY: "clever-ssh-key", "PATH", "a private SSH key for git, with api-token"
        .offers(Offers::Files);
        Shown "SSH key" "\
Clever Cloud's git takes no API tokens. Which file has the private SSH key with which is pushed? It
must be readable for the service, without a passphrase, and its public half among the SSH keys of a
user of the organization. Without one it is the pair that `clever login` leaves."

    GIT_USER: "clever-git-user", "TOKEN", "or an oauth token for git";
        Hidden "OAuth token for git" "This is the pair that `clever login` leaves. Enter without one goes back to the SSH key."

    GIT_PASSWORD: "clever-git-password", "SECRET", "its secret";
        Hidden "Its secret" ""

    INSTANCE: "clever-instance", "TYPE", "the type of machine: docker or heptapod-runner"
        .offers(Offers::Words(|| words(&Instance::ALL.map(Instance::name))));
        Shown "Type of machine" ""

    FLAVOR: "default-flavor", "FLAVOR", "the size of a job's machine [default: M]";
        Shown "Flavor" "How big is a job's machine, unless the job says otherwise?"

    // Asked for only when what was given won't do.
    API_URL: "cc-api-url", "URL", "the API [default: https://api.clever-cloud.com/v2]";
        Shown "API URL" "What is the address of Clever Cloud's API?"

    BRIDGE_URL: "cc-bridge-url", "URL",
        "the API for api-tokens\n[default: https://api-bridge.clever-cloud.com/v2]";
        Shown "Bridge URL" "What is the address of Clever Cloud's API for API tokens?"

    // As gitlab-runner calls these.
    CACHE_SERVER: "cache-s3-server-address", "HOST", "an S3 server for the jobs' caches";
        Shown "Cache server" "\
On which S3 server are caches of jobs kept, such as cellar-c2.services.clever-cloud.com? Without one
they end with the job's machine. Its keys travel to the machines."

    CACHE_BUCKET: "cache-s3-bucket-name", "NAME", "a bucket there, which must exist";
        Shown "Bucket" ""

    CACHE_ACCESS_KEY: "cache-s3-access-key", "KEY", "the key's id";
        Hidden "Access key" ""

    CACHE_SECRET_KEY: "cache-s3-secret-key", "SECRET", "the key";
        Hidden "Secret key" ""

    STATE_FILE: "state-file-path", "PATH",
        "where running jobs are remembered\n[default: /var/lib/heptapod-runner/state.json]"
        .offers(Offers::Files);
        Shown "State file path" "\
In which file are running jobs remembered? The service must be able to write it and its folder."

    CONCURRENCY: "max-concurrency", "N", "jobs at once, over all runners [default: 50]";
        Shown "Concurrency" "How many jobs may there be at once at most, over all runners of this file?"

    JOBS: "reference-jobs-count", "N",
        "how many machines of the default size may run at once (the quota)\n[default: 4]";
        Shown "Machines at once" "This is the quota of all runners together"
}

/// The program `heptapod-paas-runner-register`.
pub static COMMAND_LINE: CommandLine<Given> = CommandLine {
    program: "heptapod-paas-runner-register",
    about: "\
Makes a runner known to a GitLab or Heptapod instance, and adds it to a configuration of
heptapod-paas-runner. What is not given is asked for. As its first argument, `verify`, `list` or
`unregister` does that with the runners of a configuration.
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
                &AUTH.option,
                &CLEVER_TOKEN.option,
                &CLEVER_SECRET.option,
                &SSH_KEY.option,
                &GIT_USER.option,
                &GIT_PASSWORD.option,
                &INSTANCE.option,
                &FLAVOR.option,
                &API_URL.option,
                &BRIDGE_URL.option,
            ],
        ),
        (
            "For a cache",
            &[
                &CACHE_SERVER.option,
                &CACHE_BUCKET.option,
                &CACHE_ACCESS_KEY.option,
                &CACHE_SECRET_KEY.option,
            ],
        ),
        (
            "For a configuration that lacks it",
            &[&STATE_FILE.option, &CONCURRENCY.option, &JOBS.option],
        ),
    ],
    end: "\
Other users can read command lines: tokens are better typed, or given as env:NAME or file:PATH.
No administrator's token is needed. The file is changed only after the instance has agreed. Where
nobody answers, what is missing of Clever Cloud is a comment in the file.

Exit codes: 0 when the runner is in the file, 2 for a bad command line, 130 after an interrupt,
1 for other trouble.
",
    check: |given| {
        let has_said = |question| given.answer(question).is_some();
        if has_said(&SSH_KEY) && (has_said(&GIT_USER) || has_said(&GIT_PASSWORD)) {
            return Err("--clever-ssh-key is instead of --clever-git-user and its password");
        }
        Ok(())
    },
};

#[cfg(test)]
mod tests {
    use super::{
        API_URL, AUTH, BRIDGE_URL, COMMAND_LINE, CONCURRENCY, EXECUTOR, Given, STATE_FILE, TOKEN,
    };
    use crate::config::keys;
    use crate::config::values::{self, AuthKind, ExecutorKind};
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
    fn every_choice_is_explained_and_the_usual_values_are_told() {
        for kind in ExecutorKind::ALL {
            assert!(EXECUTOR.option.help.contains(kind.name()), "{kind}");
            assert!(EXECUTOR.text.contains(kind.name()), "{kind}");
        }
        for kind in AuthKind::ALL {
            assert!(AUTH.option.help.contains(kind.name()), "{kind:?}");
            assert!(AUTH.text.contains(kind.name()), "{kind:?}");
        }
        assert!(API_URL.option.help.contains(values::API_URL));
        assert!(BRIDGE_URL.option.help.contains(values::BRIDGE_URL));
        let jobs: String = keys::CONCURRENT.default().unwrap();
        assert!(CONCURRENCY.option.help.contains(&jobs));
    }
}
