//! The demo's world: a coordinator and a Clever Cloud on loopback, one folder, a configuration,
//! and the real program with it.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::coordinator::{Coordinator, CoordinatorSettings, RunnerSpec};
use sandbox::{Access, AppView, Clever, CleverSettings, JobId, Journal, Latencies, Role};
use tempfile::TempDir;

use crate::program::Program;
use crate::tenants::{ATTRIBUTES_TOKEN, Tenant};

const RUNNER_TOKEN: &str = "glrt-DEMOdemoDEMOdemo0000";
const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";
/// Of a machine for which the job says nothing.
pub const DEFAULT_FLAVOR: &str = "M";
/// There is always room for so many jobs.
const ROOM: usize = 12;

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
    /// Who shares the runner; empty: it has one organization for all.
    pub tenants: &'static [Tenant],
    folder: TempDir,
}

impl World {
    /// `tags` are those that the runner takes.
    ///
    /// # Errors
    /// In words, when there is no folder, no port or no git.
    pub fn start(tags: Vec<String>, tenants: &'static [Tenant]) -> Result<Self, String> {
        find_git()?;
        let words = |error: io::Error| format!("cannot start the sandbox: {error}");
        let folder = tempfile::Builder::new().prefix("heptapod-demo-").tempdir();
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
        if tenants.is_empty() {
            clever.add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
        } else {
            coordinator.add_user(ATTRIBUTES_TOKEN, Access::Administrator);
        }
        for tenant in tenants {
            let (organization, token) = (tenant.organization, tenant.token);
            clever.add_organization(organization, token, Role::Manager);
            let attributes = [("cc_orga_id", organization), ("cc_orga_token", token)];
            coordinator.set_group(tenant.group, attributes);
        }
        Ok(Self {
            journal,
            coordinator,
            clever,
            tenants,
            folder,
        })
    }

    /// Writes the configuration, with room for `load` jobs more than usual. Returns where.
    ///
    /// # Errors
    /// In words, when it can't be written.
    pub fn configure(&self, load: usize) -> Result<PathBuf, String> {
        let path = self.path("paas-runner.toml");
        fs::write(&path, self.configuration(load))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    fn configuration(&self, load: usize) -> String {
        let (room, account) = (ROOM + load, self.account());
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
            state = self.path("state.json").display(),
            coordinator = self.coordinator.url(),
            clever = self.clever.api_url(),
        )
    }

    /// Who pays.
    fn account(&self) -> String {
        let [first, second] = if self.tenants.is_empty() {
            [("cc_orga_id", ORGANIZATION), ("cc_token", CLEVER_TOKEN)]
                .map(|(key, value)| format!("{key} = \"{value}\""))
        } else {
            let key = "cc_gitlab_namespace_attributes_token";
            let token = format!("{key} = \"{ATTRIBUTES_TOKEN}\"");
            ["cc_multi_tenant = true".to_owned(), token]
        };
        format!("{first}\n  {second}")
    }

    /// The applications that a job ever had: it may only have one.
    pub fn applications_of(&self, job: JobId) -> Vec<AppView> {
        let mut all = self.clever.ever_created();
        let end = name_end(job);
        all.retain(|application| application.name.ends_with(&end));
        all
    }

    /// # Errors
    /// In words, when it can't be started.
    pub fn start_program(&self, binary: &Path, configuration: &Path) -> Result<Program, String> {
        let search_path = self
            .count_git()
            .map_err(|error| format!("cannot put a counter before git: {error}"))?;
        Program::start(
            binary,
            configuration,
            &search_path,
            self.path("program.log"),
        )
    }

    /// Puts a `git` before the real one, which writes down who started it. The git processes that
    /// git itself starts are not the program's doing, and are told apart by that.
    fn count_git(&self) -> io::Result<OsString> {
        let git = find_git().map_err(io::Error::other)?;
        let folder = self.path("bin");
        fs::create_dir(&folder)?;
        let counter = folder.join("git");
        let (calls, git) = (self.path("git-calls"), git.display());
        let calls = calls.display();
        let text = format!("#!/bin/sh\necho \"$PPID\" >>'{calls}'\nexec '{git}' \"$@\"\n");
        fs::write(&counter, text)?;
        fs::set_permissions(&counter, Permissions::from_mode(0o755))?;
        let mut search_path = folder.into_os_string();
        if let Some(usual) = env::var_os("PATH") {
            search_path.push(":");
            search_path.push(usual);
        }
        Ok(search_path)
    }

    /// How many git processes this process started.
    pub fn git_calls(&self, process: u32) -> usize {
        let calls = fs::read_to_string(self.path("git-calls")).unwrap_or_default();
        let process = process.to_string();
        calls.lines().filter(|line| *line == process).count()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends it all, and removes the folder.
    ///
    /// # Errors
    /// In words, when something can't be removed.
    pub fn end(self) -> Result<(), String> {
        let left_by_pushes = self.path("state.json.pushes").exists();
        drop((self.coordinator, self.clever));
        let path = self.folder.path().to_owned();
        self.folder
            .close()
            .map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
        if left_by_pushes {
            return Err("the program left the folder of its pushes behind".to_owned());
        }
        Ok(())
    }
}

/// How the name of a job's application ends.
pub fn name_end(job: JobId) -> String {
    format!("-{job}")
}

fn find_git() -> Result<PathBuf, String> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&search_path).map(|folder| folder.join("git"));
    candidates
        .find(|path| path.is_file())
        .ok_or_else(|| "git is not installed, or not in PATH".to_owned())
}
