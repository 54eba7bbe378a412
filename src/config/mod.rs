//! What the operator wrote, checked and typed.
//!
//! [`Config::load`] reads the file once, at start. It collects every problem with its line before
//! it gives up, and accepts each key in all spellings that the Python runner's documentation or
//! code ever had. Nothing here talks to a network: whether the reference flavor exists, for
//! instance, is asked later.

mod clever;
mod forward;
mod local_docker;
mod runner;
mod secrets;
mod unknown;
mod written;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use toml::de::DeTable;

use crate::logger::Format;
pub use clever::{CleverSettings, Tenancy};
pub use local_docker::LocalDockerSettings;
pub use runner::{ExecutorSettings, RunnerSettings, TraceWatch};
pub use secrets::Secrets;
pub use written::SHORTEST_PAUSE;
use written::{Problem, Section, Written, line_and_column};

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
    /// Ask the same runner again at once after it granted a job.
    pub repoll_immediately: bool,
    /// Leave the machines of finished jobs alone: somebody wants to look at them.
    pub keep_finished: bool,
    pub decommission_launch_failures: bool,
    pub log_statistics: bool,
    /// For jobs without a timeout of their own.
    pub max_machine_age: Duration,
    pub log_level: LevelFilter,
    pub log_format: Format,
    pub runners: Vec<RunnerSettings>,
    /// What looks like a mistake but is none that must stop us.
    pub warnings: Vec<String>,
}

/// The quota is the weight of so many jobs of one flavor of one runner.
#[derive(Debug)]
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
        line: usize,
        column: usize,
        message: String,
    },
    Wrong {
        path: PathBuf,
        problems: Vec<Problem>,
    },
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
            Self::NotToml {
                path,
                line,
                column,
                message,
            } => {
                let message = message.trim().replace('\n', ", ");
                write!(
                    f,
                    "{}:{line}:{column}: not valid TOML: {message}",
                    path.display()
                )
            }
            Self::Wrong { path, problems } => {
                let lines: Vec<_> = problems
                    .iter()
                    .map(|problem| format!("{}:{problem}", path.display()))
                    .collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// A billing step of Clever Cloud is 10 s: a job's end is noticed within one, whatever the
/// time of day, and nothing is paid for that nobody uses. `job_progress_poll_interval` sets it.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(8);

impl Config {
    /// # Errors
    /// [`ConfigError`] when there is no such file, it is not TOML, or a key is missing or wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let not_toml = |error: &toml::de::Error| {
            let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
            ConfigError::NotToml {
                path: path.to_owned(),
                line,
                column,
                message: error.message().to_owned(),
            }
        };
        let document = DeTable::parse(text).map_err(|error| not_toml(&error))?;
        let verbatim: toml::Table = toml::from_str(text).map_err(|error| not_toml(&error))?;
        let written = Written::new(text);
        let config = Self::read(
            &Section::new(&written, document.get_ref(), 0..0, "the configuration"),
            &verbatim,
        );
        let problems = written.into_problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Wrong {
                path: path.to_owned(),
                problems,
            })
        }
    }

    fn read(global: &Section<'_>, verbatim: &toml::Table) -> Self {
        let mut warnings = Vec::new();
        let runners = runner::read_all(global, verbatim, &mut warnings);
        let quota = QuotaSettings::read(global, &runners, &mut warnings);
        let progress_interval =
            global.pause(&["job_progress_poll_interval", "job_progress_interval"]);
        let mut config = Self {
            concurrent: limit(global, &["concurrent", "concurrency"], 50),
            check_interval: global
                .pause(&["check_interval"])
                .unwrap_or(Duration::from_secs(3)),
            progress_interval: progress_interval.unwrap_or(PROGRESS_INTERVAL),
            limit_interval: progress_interval.unwrap_or(Duration::from_secs(30)),
            quota,
            state_file: global
                .required_string(
                    "state_file",
                    "the path of the file that remembers the running jobs, such as \
                     \"/var/lib/heptapod-runner/state.json\"",
                )
                .into(),
            max_launching: limit(global, &["paas_max_concurrent_provisioning"], 10),
            launch_spacing: global
                .seconds(&["paas_min_seconds_between_launches"])
                .unwrap_or_default(),
            repoll_immediately: global.flag(&["paas_repoll_same_runner_immediately"], false),
            keep_finished: global.flag(&["paas_finished_jobs_keep_resources"], false),
            decommission_launch_failures: global.flag(
                &[
                    "paas_decommission_launch_failures",
                    "pass_decommision_launched_failures",
                ],
                true,
            ),
            log_statistics: global.flag(&["paas_log_statistics"], true),
            max_machine_age: global
                .seconds(&["paas_max_machine_age"])
                .unwrap_or(Duration::from_secs(24 * 3600)),
            log_level: log_level(global),
            log_format: log_format(global),
            runners,
            warnings: Vec::new(),
        };
        warnings.extend(unknown::in_our_section(global));
        config.warnings = warnings;
        config
    }
}

impl QuotaSettings {
    fn read(global: &Section<'_>, runners: &[RunnerSettings], warnings: &mut Vec<String>) -> Self {
        let Some(section) = global.section(&["quota_computation"]) else {
            global.problem(
                "[quota_computation] is missing: it says how much may run at once, as \
                 `reference_runner` (a runner's name), `reference_flavor` (such as \"M\") and \
                 `reference_jobs_count`",
            );
            return Self::of("", "", 0, 1.0);
        };
        let runner = section.required_string("reference_runner", "the name of one of the runners");
        let flavor = section.required_string("reference_flavor", "a flavor such as \"M\"");
        let count = section.count(&["reference_jobs_count"]);
        if count.is_none_or(|count| count == 0) {
            section.problem_at(
                "reference_jobs_count",
                "`reference_jobs_count` in [quota_computation] must be a whole number of jobs, at least 1",
            );
        }
        if !runner.is_empty() && !runners.iter().any(|known| known.name == runner) {
            let names: Vec<_> = runners.iter().map(|r| format!("{:?}", r.name)).collect();
            section.problem_at(
                "reference_runner",
                format!(
                    "there is no runner named {runner:?}; the runners are {}",
                    names.join(", ")
                ),
            );
        }
        let keys = ["allowed_fraction_per_runner", "per_runner_quota_fraction"];
        let fraction = section.share(&keys).unwrap_or(1.0);
        warnings.extend(unknown::in_our_section(&section));
        Self::of(&runner, &flavor, count.unwrap_or_default(), fraction)
    }

    fn of(runner: &str, flavor: &str, count: u64, fraction: f64) -> Self {
        Self {
            reference_runner: runner.to_owned(),
            reference_flavor: flavor.to_owned(),
            reference_jobs_count: count,
            allowed_fraction_per_runner: fraction,
        }
    }
}

/// The names of levels, in any case; those of the Python runner and of gitlab-runner.
#[must_use]
pub fn level_named(name: &str) -> Option<LevelFilter> {
    match name.to_ascii_uppercase().as_str() {
        "DEBUG" => Some(LevelFilter::Debug),
        "INFO" => Some(LevelFilter::Info),
        "WARNING" | "WARN" => Some(LevelFilter::Warn),
        "ERROR" | "CRITICAL" | "FATAL" => Some(LevelFilter::Error),
        _ => None,
    }
}

fn log_level(global: &Section<'_>) -> LevelFilter {
    let Some(name) = global.string(&["log_level"]) else {
        return LevelFilter::Info;
    };
    level_named(&name).unwrap_or_else(|| {
        global.problem_at(
            "log_level",
            "`log_level` must be debug, info, warning or error",
        );
        LevelFilter::Info
    })
}

fn log_format(global: &Section<'_>) -> Format {
    match global.string(&["log_format"]).as_deref() {
        // gitlab-runner's own default is a kind of text.
        None | Some("text" | "runner") => Format::Text,
        Some("json") => Format::Json,
        Some(_) => {
            global.problem_at("log_format", "`log_format` must be \"text\" or \"json\"");
            Format::Text
        }
    }
}

/// A number of jobs; one that this machine can't count to is no limit.
fn limit(section: &Section<'_>, keys: &[&'static str], default: usize) -> usize {
    section.count(keys).map_or(default, |count| {
        usize::try_from(count).unwrap_or(usize::MAX)
    })
}
