//! What is written into the configuration, as text.
//!
//! The first half of it goes to a file that lacks it; a `[[runners]]` section always goes.

use toml::Value;

use crate::config::keys::{self, Key};
use crate::config::values::{ExecutorKind, LOCAL_DOCKER_FLAVOR};
use crate::secret::Secret;

/// The image of jobs that name none.
const DEFAULT_IMAGE: &str = "debian:stable-slim";

/// Keys that stand before the first table.
#[derive(Debug)]
pub struct Globals {
    pub state_file: String,
    pub concurrent: u64,
}

/// The new runner, but for its token.
#[derive(Debug)]
pub struct NewRunner {
    pub name: String,
    pub url: String,
    pub executor: Executor,
}

#[derive(Debug)]
pub enum Executor {
    CleverDocker(Clever),
    LocalDocker,
}

#[derive(Debug)]
pub struct Clever {
    /// Where it is not the usual one.
    pub api_url: Option<String>,
    pub organization: String,
    pub token: Secret,
    pub default_flavor: String,
}

impl Executor {
    const fn kind(&self) -> ExecutorKind {
        match self {
            Self::CleverDocker(_) => ExecutorKind::CleverDocker,
            Self::LocalDocker => ExecutorKind::LocalDocker,
        }
    }

    /// What the quota is measured in.
    pub fn reference_flavor(&self) -> &str {
        match self {
            Self::CleverDocker(clever) => &clever.default_flavor,
            Self::LocalDocker => LOCAL_DOCKER_FLAVOR,
        }
    }
}

pub fn globals(globals: &Globals) -> String {
    let state_file = line(&keys::STATE_FILE, &globals.state_file);
    format!("{state_file}concurrent = {}\n", globals.concurrent)
}

/// So many jobs of the new runner's usual size.
pub fn quota(runner: &NewRunner, jobs: u64) -> String {
    let name = line(&keys::REFERENCE_RUNNER, &runner.name);
    let flavor = line(&keys::REFERENCE_FLAVOR, runner.executor.reference_flavor());
    format!("[quota_computation]\n{name}{flavor}reference_jobs_count = {jobs}\n")
}

pub fn runner(runner: &NewRunner, token: &Secret) -> String {
    let head = [
        "[[runners]]\n".to_owned(),
        line(&keys::NAME, &runner.name),
        line(&keys::URL, &runner.url),
        line(&keys::TOKEN, token.reveal()),
        line(&keys::EXECUTOR, runner.executor.kind().name()),
    ];
    let rest = match &runner.executor {
        Executor::CleverDocker(clever) => clever.lines(),
        Executor::LocalDocker => String::new(),
    };
    head.concat() + &rest
}

impl Clever {
    /// Without a maximum no job is taken unless the biggest machine on offer has room in the
    /// quota, and a quota of a few small machines has no room for it.
    fn lines(&self) -> String {
        let api_url = self.api_url.as_deref();
        let lines = [
            api_url.map_or_else(String::new, |url| line(&keys::CC_API_URL, url)),
            line(&keys::CC_ORGA_ID, &self.organization),
            line(&keys::CC_TOKEN, self.token.reveal()),
            line(&keys::CC_DEFAULT_FLAVOR, &self.default_flavor),
            "# Raise it for jobs that ask for more (CI_CLEVER_CLOUD_FLAVOR), and the quota with \
             it: a job\n# is taken only while a machine of this size has room in the quota.\n"
                .to_owned(),
            line(&keys::CC_MAX_FLAVOR, &self.default_flavor),
            "\n[runners.cc_extra_env]\nCC_ENABLE_HEPTAPOD_RUNNER = \"true\"\n".to_owned(),
            format!("\n[runners.docker]\nimage = \"{DEFAULT_IMAGE}\"\n"),
        ];
        lines.concat()
    }
}

fn line(key: &Key, value: &str) -> String {
    format!("{} = {}\n", key.name(), Value::String(value.to_owned()))
}
