//! What the operator wrote, checked and typed.
//!
//! [`Config::load`] reads the file once, at start. It collects every problem with its line before
//! it gives up, and accepts each key in all spellings that the Python runner's documentation or
//! code ever had. Nothing here talks to a network: whether the reference flavor exists, for
//! instance, is asked later.

mod cache;
mod clever;
mod findings;
mod forward;
pub mod keys;
mod listen;
mod local_docker;
mod numbers;
mod runner;
mod secrets;
pub mod ssh_key;
mod unknown;
pub mod values;
mod written;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use toml::de::DeTable;

use crate::counted::counted;
use crate::fact::Fact;
use crate::foreign::{Keep, one_line};
use crate::logger::Format;
pub use clever::{Attributes, CleverSettings, GitLogins, StandIn, Tenancy, credential, kind_of};
pub use findings::SecretFile;
use findings::{Written, as_lines, line_and_column};
pub use forward::InnerConfiguration;
use keys::{Key, Whose};
pub use listen::Listen;
pub use local_docker::LocalDockerSettings;
pub use numbers::{LONGEST_PAUSE, SHORTEST_PAUSE};
pub use runner::{ExecutorSettings, RunnerSettings, TraceWatch};
pub use secrets::Secrets;
use written::Section;

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// Jobs at once over all runners, `concurrent`.
    pub concurrent: usize,
    /// The pause between two requests for a job at the same coordinator.
    pub check_interval: Duration,
    /// The pause between two checks whether a job that runs has ended.
    pub progress_interval: Duration,
    /// How long a runner that has reached a limit waits, unless it hears of room before.
    pub limit_interval: Duration,
    pub quota: QuotaSettings,
    pub state_file: PathBuf,
    /// Jobs accepted but not yet seen running, `paas_max_concurrent_provisioning`.
    pub max_launching: usize,
    /// The least time between two launches.
    pub launch_spacing: Duration,
    /// Whether jobs may be taken before there is room for them, and for how much of their timeouts.
    pub holds_jobs: bool,
    pub hold_at_most: f64,
    /// Ask the same runner again at once after it granted a job.
    pub repoll_immediately: bool,
    /// Leave the machines of finished jobs alone: somebody wants to look at them.
    pub keep_finished: bool,
    pub decommission_launch_failures: bool,
    /// What all machines may cost in a month.
    pub budget: Option<f64>,
    pub log_statistics: bool,
    /// Where metrics and the page are served.
    pub listen: Option<Listen>,
    /// For jobs without a timeout of their own.
    pub max_machine_age: Duration,
    /// For all jobs, whatever their own timeouts allow.
    pub longest_job: Option<Duration>,
    /// How long connections, and what was read for them, are used.
    pub connection_max_age: Duration,
    pub log_level: LevelFilter,
    pub log_format: Format,
    pub runners: Vec<RunnerSettings>,
    /// What looks like a mistake but is none that must stop us.
    pub warnings: Vec<Fact>,
    /// Where secrets are, besides the configuration itself.
    pub secret_files: Vec<SecretFile>,
}

/// The quota is the weight of so many jobs of one flavor of one runner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuotaSettings {
    pub reference_runner: String,
    pub reference_flavor: String,
    pub reference_jobs_count: u64,
    /// How much of the quota a single runner may use.
    pub allowed_fraction_per_runner: f64,
}

/// Why there is no configuration; says for each problem where it is and what to do.
#[derive(Debug)]
pub enum ConfigError {
    Unreadable {
        path: PathBuf,
        error: io::Error,
    },
    NotToml {
        path: PathBuf,
        faults: Vec<Fault>,
    },
    /// Doubts included.
    Wrong {
        path: PathBuf,
        facts: Vec<Fact>,
    },
}

/// A place at which the file is not TOML.
#[derive(Debug)]
pub struct Fault {
    line: usize,
    column: usize,
    message: String,
}

impl ConfigError {
    /// What is wrong, and what is doubtful beside it.
    #[must_use]
    pub fn into_facts(self) -> Vec<Fact> {
        const FILE: &str = "configuration";
        match self {
            Self::Unreadable { .. } => {
                let remedy = "name the file, and let the service's user read it";
                vec![Fact::bad(FILE, self.to_string(), remedy)]
            }
            Self::NotToml { faults, .. } => {
                let fact = |Fault {
                                line,
                                column,
                                message,
                            }| {
                    let text = format!("column {column}: {message}");
                    Fact::bad(
                        FILE,
                        text,
                        "mend what is not TOML first; the rest is read then",
                    )
                    .at(line)
                };
                faults.into_iter().map(fact).collect()
            }
            Self::Wrong { facts, .. } => facts,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(
                    f,
                    "cannot read the configuration {}: {error}",
                    path.display()
                )
            }
            Self::NotToml { path, faults } => {
                let path = path.display();
                let lines = faults.iter().map(|fault| {
                    let (line, column, why) = (fault.line, fault.column, &fault.message);
                    format!("{path}:{line}:{column}: not valid TOML: {why}")
                });
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Wrong { path, facts } => {
                let wrong = facts.iter().filter(|fact| fact.verdict.is_bad());
                let lines = wrong.map(|fact| format!("{}:{fact}", path.display()));
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// How long a runner waits when a limit is reached, unless `job_progress_poll_interval` says
/// otherwise.
const LIMIT_INTERVAL: Duration = Duration::from_secs(30);

impl Config {
    /// # Errors
    /// [`ConfigError`] when there is no such file, it is not TOML, or a key is missing or wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::read_file(path, true)
    }

    /// The same for who needs no secrets, and may not be able to read them.
    ///
    /// # Errors
    /// As above.
    pub fn load_without_secrets(path: &Path) -> Result<Self, ConfigError> {
        Self::read_file(path, false)
    }

    fn read_file(path: &Path, fetches_secrets: bool) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(path, &as_lines(&text), fetches_secrets)
    }

    fn parse(path: &Path, text: &str, fetches_secrets: bool) -> Result<Self, ConfigError> {
        let fault = |error: &toml::de::Error| {
            let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
            Fault {
                line,
                column,
                message: one_line(error.message(), Keep::Start(200)),
            }
        };
        let not_toml = |faults| ConfigError::NotToml {
            path: path.to_owned(),
            faults,
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(not_toml(errors.iter().map(fault).collect()));
        }
        let verbatim: toml::Table =
            toml::from_str(text).map_err(|error| not_toml(vec![fault(&error)]))?;
        let written = Written::new(text, fetches_secrets);
        let mut config = Self::read(&Section::global(&written, document.get_ref()), &verbatim);
        let (facts, secret_files) = written.into_found();
        if facts.iter().any(|fact| fact.verdict.is_bad()) {
            return Err(ConfigError::Wrong {
                path: path.to_owned(),
                facts,
            });
        }
        config.warnings = facts;
        config.secret_files = secret_files;
        Ok(config)
    }

    fn read(global: &Section<'_>, verbatim: &toml::Table) -> Self {
        let (runners, names) = runner::read_all(global, verbatim);
        let concurrent = limit(global, &keys::CONCURRENT);
        let quota = if global.has(&keys::QUOTA_COMPUTATION) {
            QuotaSettings::read(global, &names)
        } else {
            QuotaSettings::usual(global, &runners, concurrent)
        };
        let mut config = Self {
            concurrent,
            check_interval: global.pause(&keys::CHECK_INTERVAL),
            progress_interval: global.pause(&keys::JOB_PROGRESS_POLL_INTERVAL),
            limit_interval: LIMIT_INTERVAL,
            quota,
            state_file: global.text(&keys::STATE_FILE).into(),
            max_launching: limit(global, &keys::PAAS_MAX_CONCURRENT_PROVISIONING),
            launch_spacing: global.spacing(&keys::PAAS_MIN_SECONDS_BETWEEN_LAUNCHES),
            holds_jobs: global.flag(&keys::PAAS_HOLD_JOBS),
            hold_at_most: global.share(&keys::PAAS_HOLD_AT_MOST),
            repoll_immediately: global.flag(&keys::PAAS_REPOLL_SAME_RUNNER_IMMEDIATELY),
            keep_finished: global.flag(&keys::PAAS_FINISHED_JOBS_KEEP_RESOURCES),
            decommission_launch_failures: global.flag(&keys::PAAS_DECOMMISSION_LAUNCH_FAILURES),
            budget: global.money(&keys::PAAS_MONTHLY_BUDGET),
            log_statistics: global.flag(&keys::PAAS_LOG_STATISTICS),
            listen: Listen::read(global),
            max_machine_age: global.patience(&keys::PAAS_MAX_MACHINE_AGE),
            longest_job: Some(global.patience(&keys::PAAS_MAX_JOB_DURATION))
                .filter(|longest| !longest.is_zero()),
            connection_max_age: global.age(&keys::CONNECTION_MAX_AGE),
            log_level: log_level(global),
            log_format: log_format(global),
            runners,
            warnings: Vec::new(),
            secret_files: Vec::new(),
        };
        if global.has(&keys::JOB_PROGRESS_POLL_INTERVAL) {
            config.set_progress_interval(config.progress_interval);
        }
        unknown::in_our_section(global, Whose::Service);
        if config.state_file.is_relative() && !config.state_file.as_os_str().is_empty() {
            let what = "`state_file` is relative: it is searched in the folder in which the program \
                        is started, for a service usually /";
            let remedy = "write its whole path, such as /var/lib/heptapod-runner/state.json";
            global.doubt_at(keys::STATE_FILE.name(), what, remedy);
        }
        config
    }

    /// Sets both times that `job_progress_poll_interval` sets.
    pub fn set_progress_interval(&mut self, interval: Duration) {
        self.progress_interval = interval.max(SHORTEST_PAUSE);
        self.limit_interval = self.progress_interval;
    }
}

impl QuotaSettings {
    /// Where nothing is said, nothing but the number of jobs limits what most jobs are.
    fn usual(global: &Section<'_>, runners: &[RunnerSettings], concurrent: usize) -> Self {
        let Some(first) = runners.first() else {
            return Self::default();
        };
        let (name, flavor) = (
            keys::QUOTA_COMPUTATION.name(),
            first.executor.default_flavor(),
        );
        let what = format!(
            "[{name}] is missing: the quota is {} of the flavor {flavor}, as many as `concurrent` allows",
            counted(concurrent, "machine")
        );
        let remedy = "write it, to say how much may run at once: reference_runner, reference_flavor and \
                      reference_jobs_count";
        global.doubt_at(name, what, remedy);
        Self {
            reference_runner: first.name.clone(),
            reference_flavor: flavor.to_owned(),
            reference_jobs_count: concurrent as u64,
            allowed_fraction_per_runner: keys::ALLOWED_FRACTION_PER_RUNNER.default().unwrap_or(1.0),
        }
    }

    /// `names` are those of all runners, as far as they are known.
    fn read(global: &Section<'_>, names: &[String]) -> Self {
        let section = global.table(&keys::QUOTA_COMPUTATION);
        unknown::in_our_section(&section, Whose::Quota);
        let quota = Self {
            reference_runner: section.text(&keys::REFERENCE_RUNNER),
            reference_flavor: section.text(&keys::REFERENCE_FLAVOR),
            reference_jobs_count: section.count(&keys::REFERENCE_JOBS_COUNT),
            allowed_fraction_per_runner: section.share(&keys::ALLOWED_FRACTION_PER_RUNNER),
        };
        let runner = &quota.reference_runner;
        if !runner.is_empty() && !names.is_empty() && !names.contains(runner) {
            let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            let names = names.join(", ");
            section.problem_at(
                &keys::REFERENCE_RUNNER,
                format!("there is no runner named {runner:?}; the runners are {names}"),
            );
        }
        quota
    }
}

fn log_level(global: &Section<'_>) -> LevelFilter {
    values::level(&global.text(&keys::LOG_LEVEL)).unwrap_or_else(|why| {
        global.problem_at(&keys::LOG_LEVEL, format!("`log_level` {why}"));
        LevelFilter::Info
    })
}

fn log_format(global: &Section<'_>) -> Format {
    match global.text(&keys::LOG_FORMAT).as_str() {
        // gitlab-runner's own default is a kind of text.
        "text" | "runner" => Format::Text,
        "json" => Format::Json,
        _ => {
            let what = "`log_format` must be \"text\" or \"json\"";
            global.problem_at(&keys::LOG_FORMAT, what);
            Format::Text
        }
    }
}

/// A number of jobs; one that this machine can't count to is no limit.
fn limit(section: &Section<'_>, key: &Key) -> usize {
    usize::try_from(section.count(key)).unwrap_or(usize::MAX)
}
