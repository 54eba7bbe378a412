//! A coordinator and a Clever Cloud on loopback, and one folder.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::coordinator::{Coordinator, CoordinatorSettings, JobId, RunnerSpec};
use sandbox::{AppView, Clever, CleverSettings, Journal, Latencies, Role};
use tempfile::TempDir;

pub(crate) const RUNNER_TOKEN: &str = "glrt-DEMOdemoDEMOdemo0000";
const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";
/// What the world imposes: slow enough to watch, ten to twenty times faster than life.
pub const LATENCIES: Latencies = Latencies {
    create: Duration::from_millis(300),
    repository: Duration::from_millis(250),
    deployment_visible: Duration::from_millis(300),
    boot: Duration::from_secs(1),
    build: Duration::from_millis(400),
    deletion: Duration::from_millis(300),
    list_lag: Duration::from_millis(200),
};

/// How a world differs from another.
#[derive(Clone)]
pub struct Setting {
    pub runners: Vec<RunnerSpec>,
    /// How long a request for a job is held that knows nothing new; none: it isn't.
    pub long_poll: Option<Duration>,
    /// With a certificate of an authority of its own, see [`crate::belief`].
    pub git_over_https: bool,
}

impl Setting {
    /// With one runner, which takes jobs with these tags.
    #[must_use]
    pub fn with_tags(tags: impl IntoIterator<Item = String>) -> Self {
        Self {
            runners: vec![RunnerSpec::new(RUNNER_TOKEN).tags(tags)],
            long_poll: None,
            git_over_https: false,
        }
    }
}

pub struct World {
    pub journal: Journal,
    pub coordinator: Coordinator,
    pub clever: Clever,
    folder: TempDir,
    keeps: bool,
}

impl World {
    /// # Errors
    /// In words, when there is no folder, no port or no git.
    pub fn start(setting: Setting) -> Result<Self, String> {
        find_git()?;
        let words = |error: io::Error| format!("cannot start the sandbox: {error}");
        let folder = tempfile::Builder::new().prefix("heptapod-rig-").tempdir();
        let folder = folder.map_err(words)?;
        let journal = Journal::new();
        let settings = CoordinatorSettings {
            first_job_id: 4711,
            long_poll: setting.long_poll,
            ..CoordinatorSettings::new("demo", journal.clone())
        };
        let coordinator = Coordinator::start(settings).map_err(words)?;
        for runner in setting.runners {
            coordinator.add_runner(runner);
        }
        let clever = Clever::start(CleverSettings {
            latencies: LATENCIES,
            work_dir: Some(folder.path().join("clever")),
            git_over_https: setting.git_over_https,
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

    /// One organization that pays for all: the runner section's lines about it are [`account`].
    pub fn open_account(&self) {
        self.clever
            .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
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

/// Who pays, as a runner section says it.
#[must_use]
pub fn account() -> String {
    format!("  cc_orga_id = \"{ORGANIZATION}\"\n  cc_token = \"{CLEVER_TOKEN}\"\n")
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
