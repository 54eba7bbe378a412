//! A coordinator and a Clever Cloud on loopback, one folder, and a configuration for the program.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::coordinator::{Coordinator, CoordinatorSettings, JobId, RunnerSpec};
use sandbox::{AppView, Clever, CleverSettings, Journal, Latencies, Role};
use tempfile::TempDir;

const RUNNER_TOKEN: &str = "glrt-DEMOdemoDEMOdemo0000";
const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";
/// Of a machine for which the job says nothing.
pub const DEFAULT_FLAVOR: &str = "M";

/// Slow enough to watch, ten to twenty times faster than life.
pub const LATENCIES: Latencies = Latencies {
    create: Duration::from_millis(300),
    repository: Duration::from_millis(250),
    deployment_visible: Duration::from_millis(300),
    boot: Duration::from_secs(1),
    build: Duration::from_millis(400),
    deletion: Duration::from_millis(300),
    list_lag: Duration::from_millis(200),
};

pub struct World {
    pub journal: Journal,
    pub coordinator: Coordinator,
    pub clever: Clever,
    folder: TempDir,
    keeps: bool,
}

impl World {
    /// `tags` are those that the runner takes.
    ///
    /// # Errors
    /// In words, when there is no folder, no port or no git.
    pub fn start(tags: Vec<String>) -> Result<Self, String> {
        find_git()?;
        let words = |error: io::Error| format!("cannot start the sandbox: {error}");
        let folder = tempfile::Builder::new().prefix("heptapod-rig-").tempdir();
        let folder = folder.map_err(words)?;
        let journal = Journal::new();
        let settings = CoordinatorSettings {
            first_job_id: 4711,
            ..CoordinatorSettings::new("demo", journal.clone())
        };
        let coordinator = Coordinator::start(settings).map_err(words)?;
        coordinator.add_runner(RunnerSpec::new(RUNNER_TOKEN).tags(tags));
        let clever = Clever::start(CleverSettings {
            latencies: LATENCIES,
            work_dir: Some(folder.path().join("clever")),
            ..CleverSettings::new(journal.clone())
        });
        Ok(Self {
            journal,
            coordinator,
            clever,
            folder,
            keeps: false,
        })
    }

    /// One organization that pays for all: the runner section's lines about it.
    #[must_use]
    pub fn open_account(&self) -> String {
        self.clever
            .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
        format!("cc_orga_id = \"{ORGANIZATION}\"\n  cc_token = \"{CLEVER_TOKEN}\"")
    }

    /// The program's configuration, with room for so many jobs; `account` are the lines that say
    /// who pays.
    #[must_use]
    pub fn configuration(&self, room: usize, account: &str) -> String {
        format!(
            r#"state_file = "{state}"
concurrent = {room}
check_interval = 0.3
job_progress_poll_interval = 0.3
paas_max_concurrent_provisioning = {room}
paas_repoll_same_runner_immediately = true

[quota_computation]
  reference_runner = "demo"
  reference_flavor = "3XL"
  reference_jobs_count = {room}

[[runners]]
  name = "demo"
  url = "{coordinator}"
  token = "{RUNNER_TOKEN}"
  executor = "clever-docker"
  cc_api_url = "{clever}"
  {account}
  cc_default_flavor = "{DEFAULT_FLAVOR}"
  cc_deployment_repo_wait_step = 0.02

  [runners.paas_job_trace_watch]
    poll_step = 0.2

  [runners.cc_extra_env]
    CC_ENABLE_HEPTAPOD_RUNNER = "true"

  [runners.docker]
    image = "debian:stable-slim"
"#,
            state = self.folder().join("state.json").display(),
            coordinator = self.coordinator.url(),
            clever = self.clever.api_url(),
        )
    }

    /// The applications that a job ever had: it may only have one.
    #[must_use]
    pub fn applications_of(&self, job: JobId) -> Vec<AppView> {
        let mut all = self.clever.ever_created();
        let end = format!("-{job}");
        all.retain(|application| application.name.ends_with(&end));
        all
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder stays, with the program's log and configuration, however this ends.
    pub fn keep(&mut self) -> &Path {
        self.keeps = true;
        self.folder.disable_cleanup(true);
        self.folder()
    }

    /// Ends it all, and removes the folder, unless it is kept.
    ///
    /// # Errors
    /// In words, when something can't be removed, or the program left something.
    pub fn end(self) -> Result<(), String> {
        let left_by_pushes = self.folder().join("state.json.pushes").exists();
        drop((self.coordinator, self.clever));
        let path = self.folder.path().to_owned();
        if self.keeps {
            // What the machines had is of no use without them.
            let _ = fs::remove_dir_all(path.join("clever"));
        } else {
            self.folder
                .close()
                .map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
        }
        if left_by_pushes {
            return Err("the program left the folder of its pushes behind".to_owned());
        }
        Ok(())
    }
}

/// The git that a program with this environment would start.
///
/// # Errors
/// When there is none.
pub fn find_git() -> Result<PathBuf, String> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&search_path).map(|folder| folder.join("git"));
    candidates
        .find(|path| path.is_file())
        .ok_or_else(|| "git is not installed, or not in PATH".to_owned())
}
