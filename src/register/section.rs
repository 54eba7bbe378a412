//! What is written into the configuration, as text.
//!
//! The first half of it goes to a file that lacks it; a `[[runners]]` section always goes.

use toml::Value;

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
    /// As the configuration calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CleverDocker(_) => "clever-docker",
            Self::LocalDocker => "local-docker",
        }
    }

    /// What the quota is measured in. `local-docker` knows this one size.
    pub fn reference_flavor(&self) -> &str {
        match self {
            Self::CleverDocker(clever) => &clever.default_flavor,
            Self::LocalDocker => "M",
        }
    }
}

pub fn globals(globals: &Globals) -> String {
    let mut text = String::new();
    add(&mut text, "state_file", &globals.state_file);
    text + &format!("concurrent = {}\n", globals.concurrent)
}

/// So many jobs of the new runner's usual size.
pub fn quota(runner: &NewRunner, jobs: u64) -> String {
    let mut text = "[quota_computation]\n".to_owned();
    add(&mut text, "reference_runner", &runner.name);
    let flavor = runner.executor.reference_flavor();
    add(&mut text, "reference_flavor", flavor);
    text + &format!("reference_jobs_count = {jobs}\n")
}

pub fn runner(runner: &NewRunner, token: &Secret) -> String {
    let mut text = "[[runners]]\n".to_owned();
    add(&mut text, "name", &runner.name);
    add(&mut text, "url", &runner.url);
    add(&mut text, "token", token.reveal());
    add(&mut text, "executor", runner.executor.name());
    if let Executor::CleverDocker(clever) = &runner.executor {
        clever.write(&mut text);
    }
    text
}

impl Clever {
    fn write(&self, text: &mut String) {
        if let Some(url) = &self.api_url {
            add(text, "cc_api_url", url);
        }
        add(text, "cc_orga_id", &self.organization);
        add(text, "cc_token", self.token.reveal());
        add(text, "cc_default_flavor", &self.default_flavor);
        // Without a maximum no job is taken unless the biggest machine on offer has room in the
        // quota, and a quota of a few small machines has no room for it.
        *text += "# Raise it for jobs that ask for more (CI_CLEVER_CLOUD_FLAVOR), together with the quota:\n\
                  # a job is asked for only while there is room for a machine of this size.\n";
        add(text, "cc_max_flavor", &self.default_flavor);
        *text += "\n[runners.cc_extra_env]\nCC_ENABLE_HEPTAPOD_RUNNER = \"true\"\n\
                  \n[runners.docker]\n";
        add(text, "image", DEFAULT_IMAGE);
    }
}

fn add(text: &mut String, key: &str, value: &str) {
    let value = Value::String(value.to_owned());
    *text += &format!("{key} = {value}\n");
}
