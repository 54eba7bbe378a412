//! What a test plays in: a coordinator, a Clever Cloud, a folder, and the real program as a process.
//!
//! A [`Scene`] writes the configuration, starts the program, kills it and starts it again. What it
//! waits for is in `waiting`, what must be true at the end in `assertions`. It may not know what a
//! test is about.

mod assertions;
mod configuration;
mod waiting;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

use sandbox::clever::Role;
use sandbox::{
    AppView, Clever, CleverSettings, Coordinator, CoordinatorSettings, Fault, Gate, JobId, JobSpec,
    Journal, Rule, RunnerSpec,
};
use serde_json::Value;
use tempfile::TempDir;

pub use self::waiting::{PATIENCE, eventually};
use crate::service::{Log, Service};

pub const RUNNER_TOKEN: &str = "kvzWdEMoTESTtoken000";
pub const RUNNER_NAME: &str = "kvzWdEMo";
pub const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
pub const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";

pub struct Scene {
    pub journal: Journal,
    pub coordinator: Coordinator,
    pub clever: Clever,
    pub folder: TempDir,
    /// Lines of the configuration before the first section, after the usual ones.
    pub global: String,
    /// Lines of the runner's section, after the usual ones.
    pub runner: String,
    /// Whole sections behind it.
    pub more: String,
    pub quota_jobs: u32,
    /// What the program sees of its environment besides the usual.
    pub environment: Vec<(String, String)>,
    /// What all of its programs said, for whoever wants to know why a test failed.
    logs: Mutex<Vec<Log>>,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(|_| {}, |_| {})
    }

    pub fn with(
        coordinator: impl FnOnce(&mut CoordinatorSettings),
        clever: impl FnOnce(&mut CleverSettings),
    ) -> Self {
        let journal = Journal::new();
        let mut coordinator_settings = CoordinatorSettings::new("heptapod", journal.clone());
        coordinator(&mut coordinator_settings);
        let mut clever_settings = CleverSettings::new(journal.clone());
        clever(&mut clever_settings);
        let scene = Self {
            coordinator: Coordinator::start(coordinator_settings).unwrap(),
            clever: Clever::start(clever_settings),
            journal,
            folder: tempfile::tempdir().unwrap(),
            global: String::new(),
            runner: String::new(),
            more: String::new(),
            quota_jobs: 8,
            environment: Vec::new(),
            logs: Mutex::default(),
        };
        scene.coordinator.add_runner(RunnerSpec::new(RUNNER_TOKEN));
        scene
            .clever
            .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
        scene
    }

    pub fn state_path(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("paas-runner.toml")
    }

    pub fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.state_path()).unwrap()).unwrap()
    }

    pub fn start(&self) -> Service {
        self.start_with(&[])
    }

    pub fn start_with(&self, options: &[&str]) -> Service {
        self.write_configuration();
        self.start_as_it_is(options)
    }

    /// With other words in its configuration than the usual ones: pairs of what is and what shall be.
    pub fn start_changed(&self, changes: &[(&str, &str)]) -> Service {
        fs::write(self.config_path(), self.configuration_but(changes)).unwrap();
        self.start_as_it_is(&[])
    }

    /// With the configuration that is in the folder.
    fn start_as_it_is(&self, options: &[&str]) -> Service {
        let mut arguments: Vec<_> = options.iter().copied().map(str::to_owned).collect();
        arguments.push(self.config_path().display().to_string());
        let service = Service::start(&arguments, &self.environment);
        self.logs.lock().unwrap().push(service.log());
        service
    }

    pub fn submit(&self, name: &str, script: &str) -> JobId {
        self.submit_for(name, script, "XS")
    }

    /// A job that asks for a machine of this size.
    pub fn submit_for(&self, name: &str, script: &str, flavor: &str) -> JobId {
        let spec = JobSpec::new(name, [script]).flavor(flavor);
        self.coordinator.submit(spec)
    }

    /// A job that asks for a machine that nobody offers: it ends without one.
    pub fn submit_cheap(&self, name: &str) -> JobId {
        self.submit_for(name, "true", "XXXL")
    }

    /// A script that goes on until [`Scene::let_end`].
    pub fn lasting_script(&self) -> String {
        let end = self.folder.path().join("end");
        format!("until test -e {}; do sleep 0.1; done", end.display())
    }

    pub fn submit_lasting(&self, name: &str) -> JobId {
        self.submit(name, &self.lasting_script())
    }

    pub fn let_end(&self) {
        fs::write(self.folder.path().join("end"), "").unwrap();
    }

    /// Puts a shell script named `git` before the real one, which it can call as `real_git`. It can
    /// use the folder that is returned, as `$folder`.
    pub fn wrap_git(&mut self, script: &str) -> PathBuf {
        self.wrap("git", script)
    }

    /// The same for another program.
    pub fn wrap(&mut self, program: &str, script: &str) -> PathBuf {
        let folder = self.folder.path().join("programs");
        fs::create_dir_all(&folder).unwrap();
        let path = std::env::var("PATH").unwrap();
        let place = folder.display();
        let real = format!("real_{program}() {{ PATH='{path}' {program} \"$@\"; }}");
        let text = format!("#!/bin/sh\nfolder='{place}'\n{real}\n{script}\n");
        fs::write(folder.join(program), text).unwrap();
        let executable = Permissions::from_mode(0o755);
        fs::set_permissions(folder.join(program), executable).unwrap();
        let path = format!("{place}:{path}");
        self.environment.push(("PATH".to_owned(), path));
        folder
    }

    /// Holds the next push before it has an effect.
    pub fn hold_push(&self) -> Gate {
        let gate = Gate::new();
        let hold = Rule::on("POST", "*git-receive-pack").with(Fault::HoldBefore(gate.clone()));
        self.clever.git_faults().inject(hold);
        gate
    }

    /// Holds the next request for a job, before or after the coordinator hears of it.
    pub fn hold_job_request(&self, hold: fn(Gate) -> Fault) -> Gate {
        let gate = Gate::new();
        let rule = Rule::on("POST", "*/jobs/request").with(hold(gate.clone()));
        self.coordinator.faults().inject(rule);
        gate
    }

    /// How often the coordinator was asked for a job.
    pub fn count_job_requests(&self) -> usize {
        let is_request = |path: &str| path.ends_with("/jobs/request");
        self.journal.count_requests("POST", is_request)
    }

    #[expect(clippy::unused_self, reason = "reads as what it is")]
    pub fn machine_name(&self, job: JobId) -> String {
        format!("hpd-job-{RUNNER_NAME}-{job}")
    }

    pub fn machine(&self, job: JobId) -> Option<AppView> {
        self.clever.application(&self.machine_name(job))
    }
}
