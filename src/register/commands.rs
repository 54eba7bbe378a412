//! `verify`, `list` and `unregister`, as gitlab-runner has them: what is done with the runners that a
//! configuration has.
//!
//! A configuration that the service would not start with is good enough here: of each section only
//! what says who the runner is, and where, is read.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use log::LevelFilter;
use toml::Table;

use super::file::{Configuration, Replacement, text};
use super::prompt::Person;
use super::questions::Given;
use super::{Trouble, exit_code, http, start_log, words};
use crate::config::{Secrets, keys};
use crate::coordinator::{Coordinator, NotRegistered, TokenKind};
use crate::foreign::{Keep, one_line};
use crate::http::Http;
use crate::options::{self, CommandLine, Does, Operand, Opt};
use crate::output;
use crate::secret::Secret;
use crate::trust::{Authorities, Identity, Trust};

/// What is done instead of a registration.
pub struct Command {
    /// The first argument.
    pub name: &'static str,
    pub command_line: CommandLine<Which>,
    run: fn(&Path, &Which) -> Result<ExitCode, Trouble>,
}

/// Whom it is done with.
#[derive(Debug, Default)]
pub struct Which {
    config: PathBuf,
    name: Option<String>,
    all: bool,
    /// Nobody is to be asked.
    agreed: bool,
}

static NAME: Opt<Which> = Opt::new(
    "name",
    "this runner alone",
    Does::Take("NAME", |which: &mut Which, _, name| {
        which.name = Some(options::text(name)?);
        Ok(())
    }),
);
static HELP: Opt<Which> = Opt::new("help", "this text", Does::Help).short('h');

const CONFIG: Option<Operand<Which>> = Some(Operand {
    name: "CONFIG",
    help: "the configuration file",
    take: |which, path| which.config = path,
});

/// All of them.
pub static COMMANDS: [Command; 3] = [
    Command {
        name: "verify",
        command_line: CommandLine {
            program: "heptapod-paas-runner-register verify",
            about: "\
Asks the instances whether they know the runners of a configuration by their tokens.
",
            operand: CONFIG,
            groups: &[("Options", &[&NAME, &HELP])],
            end: "\
Exit codes: 0 when all are known, 2 for a bad command line, 1 for other trouble.
",
            check: |_| Ok(()),
        },
        run: verify,
    },
    Command {
        name: "list",
        command_line: CommandLine {
            program: "heptapod-paas-runner-register list",
            about: "\
Lists the runners of a configuration: name, executor, instance. Nobody is asked.
",
            operand: CONFIG,
            groups: &[("Options", &[&HELP])],
            end: "\
Exit codes: 0 when they are listed, 2 for a bad command line, 1 for other trouble.
",
            check: |_| Ok(()),
        },
        run: list,
    },
    Command {
        name: "unregister",
        command_line: CommandLine {
            program: "heptapod-paas-runner-register unregister",
            about: "\
Removes a runner from its instance, for everybody who uses its token, and from the configuration.
",
            operand: CONFIG,
            groups: &[(
                "Options",
                &[
                    &NAME,
                    &Opt::new(
                        "all-runners",
                        "all runners of the file",
                        Does::Set(|which: &mut Which| which.all = true),
                    ),
                    &Opt::new(
                        "yes",
                        "don't ask whether that is meant",
                        Does::Set(|which: &mut Which| which.agreed = true),
                    ),
                    &HELP,
                ],
            )],
            end: "\
Exit codes: 0 when they are gone, 2 for a bad command line, 130 after an interrupt, 1 for other
trouble.
",
            check: |which| match (&which.name, which.all) {
                (None, false) => Err("which one? --name NAME or --all-runners"),
                (Some(_), true) => Err("--name and --all-runners don't go together"),
                _ => Ok(()),
            },
        },
        run: unregister,
    },
];

impl Command {
    /// The one that the first argument of a command line names.
    #[must_use]
    pub fn named(argument: &OsStr) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| argument == command.name)
    }

    /// Runs it with the other arguments, to its exit code.
    pub fn run(&self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        match self.command_line.read(arguments) {
            Ok(which) => {
                start_log(LevelFilter::Info);
                exit_code((self.run)(&which.config, &which))
            }
            Err(exit_code) => exit_code,
        }
    }
}

/// A runner that a file has.
struct Written<'a>(&'a Table);

impl Written<'_> {
    fn name(&self) -> &str {
        text(self.0, keys::NAME.name())
    }

    fn url(&self) -> &str {
        text(self.0, keys::URL.name()).trim_end_matches('/')
    }

    /// # Errors
    /// A text for the operator, when it can't be followed to where it is.
    fn token(&self) -> Result<Secret, String> {
        let written = text(self.0, keys::TOKEN.name());
        let file = text(self.0, keys::SECRETS_FILE.name());
        let secrets = if file.is_empty() {
            Secrets::none()
        } else {
            Secrets::load(file.as_ref())?
        };
        let token = secrets.resolve(written);
        token.map_err(|why| format!("its `token` can't be used: {}", String::from(why)))
    }

    fn coordinator(&self, http: &Http) -> Result<Coordinator, String> {
        let path = |key: &keys::Key| {
            let path = text(self.0, key.name());
            (!path.is_empty()).then(|| path.into())
        };
        let authorities = path(&keys::TLS_CA_FILE)
            .map(Authorities::read)
            .transpose()?;
        let identity = path(&keys::TLS_CERT_FILE).zip(path(&keys::TLS_KEY_FILE));
        let trust = Trust {
            authorities: authorities.map(|(authorities, _)| authorities),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
        };
        let http = if trust.is_the_systems() {
            http.clone()
        } else {
            http.with(trust)
        };
        Ok(Coordinator::new(http, self.url()))
    }
}

/// The file, which must be there.
fn existing(path: &Path) -> Result<Configuration, String> {
    let configuration = Configuration::read(path)?;
    if configuration.is_new() {
        return Err(format!("there is no file {}", path.display()));
    }
    Ok(configuration)
}

/// Those of the file that are meant, by their place in it.
fn chosen<'a>(
    configuration: &'a Configuration,
    which: &Which,
) -> Result<Vec<(usize, Written<'a>)>, String> {
    let runners = configuration.runners().map(Written).enumerate();
    let is_meant = |name: &str| which.name.as_deref().is_none_or(|wanted| wanted == name);
    let chosen: Vec<_> = runners
        .filter(|(_, runner)| is_meant(runner.name()))
        .collect();
    if chosen.is_empty()
        && let Some(name) = &which.name
    {
        let file = configuration.path.display();
        return Err(format!("{file} has no runner named {name:?}"));
    }
    Ok(chosen)
}

fn list(path: &Path, which: &Which) -> Result<ExitCode, Trouble> {
    let configuration = existing(path)?;
    let lines = chosen(&configuration, which)?
        .into_iter()
        .map(|(_, runner)| {
            let executor = text(runner.0, keys::EXECUTOR.name());
            let words = [runner.name(), executor, runner.url()];
            let [name, executor, url] = words.map(|word| one_line(word, Keep::All));
            format!("{name:<20}  {executor:<13}  {url}\n")
        });
    Ok(output::print(&lines.collect::<String>()))
}

fn verify(path: &Path, which: &Which) -> Result<ExitCode, Trouble> {
    let configuration = existing(path)?;
    let (http, _stopper) = http()?;
    let mut all_known = true;
    for (_, runner) in chosen(&configuration, which)? {
        let answer = runner.token().and_then(|token| {
            let coordinator = runner.coordinator(&http)?;
            let answer = coordinator.verified(&token, None);
            answer.map_err(|trouble| {
                words::not_registered(runner.url(), TokenKind::Authentication, &trouble)
            })
        });
        let told = match answer {
            Ok(known) => words::known_runner(&known),
            Err(why) => {
                all_known = false;
                why
            }
        };
        let name = one_line(runner.name(), Keep::All);
        let _ = output::print(&format!("{name}: {told}\n"));
    }
    Ok(if all_known {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn unregister(path: &Path, which: &Which) -> Result<ExitCode, Trouble> {
    let given = Given::default();
    let mut person = Person::at_standard_input(&given);
    let configuration = existing(path)?;
    let (http, _stopper) = http()?;
    for (_, runner) in chosen(&configuration, which)? {
        let (name, url) = (runner.name(), runner.url());
        let file = configuration.path.display();
        let text = format!(
            "Remove the runner {name:?} from {url}, for everybody who uses its token, and from {file}?"
        );
        if !which.agreed && !person.agrees(&text, false)? {
            return Err(Trouble::Told(format!("{name:?} is left as it is")));
        }
        forget(path, &http, &runner)?;
    }
    output::complain("For the service: systemctl restart heptapod-paas-runner");
    Ok(ExitCode::SUCCESS)
}

/// Removes one runner there and here. The order is that of a registration: the coordinator is asked when
/// it is sure that the result can be written.
fn forget(path: &Path, http: &Http, runner: &Written<'_>) -> Result<(), Trouble> {
    let (name, url) = (runner.name(), runner.url());
    let token = runner.token()?;
    let coordinator = runner.coordinator(http)?;
    let configuration = existing(path)?;
    let replacement = Replacement::begin(&configuration.path)?;
    let configuration = existing(path)?;
    let place = configuration.runners().position(|other| other == runner.0);
    let file = configuration.path.display();
    let place = place.ok_or_else(|| format!("{file} was changed meanwhile; start again"))?;
    let text = configuration.without(place)?;
    match coordinator.unregister(&token) {
        Ok(()) => log::info!("{url} knows the runner {name:?} no more"),
        Err(NotRegistered::Refused { status: 403, .. }) => {
            log::info!("{url} did not know the runner {name:?} any more");
        }
        Err(trouble) => {
            let why = words::not_unregistered(url, &trouble);
            return Err(Trouble::Told(format!("{why}. {file} is left as it is")));
        }
    }
    replacement
        .finish(&text)
        .map_err(|error| format!("cannot write {file}: {error}. Remove {name:?} there by hand"))?;
    log::info!("{file} has the runner {name:?} no more");
    if configuration.measures_quota_by(name) {
        log::warn!("[quota_computation] of {file} still has it as its `reference_runner`");
    }
    Ok(())
}
