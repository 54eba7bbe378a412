//! A world for one test: a coordinator, a Clever Cloud, a folder, and the real program as a process.
//!
//! A [`Town`] writes the configuration, starts the program, kills it and starts it again, and
//! knows what must be true at the end of every test. It waits for events, with a generous end.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::clever::Role;
use sandbox::clever::{AppView, Clever, CleverSettings};
use sandbox::{
    AppPhase, Coordinator, CoordinatorSettings, Fault, Gate, JobId, JobSpec, JobStatus, JobView,
    Journal, Kind, Rule, RunnerSpec,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::service::Service;

/// Far longer than anything here takes, even on a busy computer.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const RUNNER_TOKEN: &str = "kvzWdEMoTESTtoken000";
pub const RUNNER_NAME: &str = "kvzWdEMo";
pub const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
pub const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";

pub struct Town {
    pub journal: Journal,
    pub coordinator: Coordinator,
    pub clever: Clever,
    pub folder: TempDir,
    /// Lines before the first section, after the usual ones.
    pub global: String,
    /// Lines of the runner's section, after the usual ones.
    pub runner: String,
    /// Whole sections behind it.
    pub more: String,
    pub quota_jobs: u32,
    /// What the program sees of its environment besides the usual.
    pub environment: Vec<(String, String)>,
}

impl Town {
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
        let town = Self {
            coordinator: Coordinator::start(coordinator_settings).unwrap(),
            clever: Clever::start(clever_settings),
            journal,
            folder: tempfile::tempdir().unwrap(),
            global: String::new(),
            runner: String::new(),
            more: String::new(),
            quota_jobs: 8,
            environment: Vec::new(),
        };
        town.coordinator.add_runner(RunnerSpec::new(RUNNER_TOKEN));
        town.clever
            .add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
        town
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

    /// The configuration as it is written before every start. All is quick, so that tests are.
    pub fn configuration(&self) -> String {
        format!(
            r#"state_file = "{state}"
check_interval = 0.1
job_progress_poll_interval = 0.2
paas_log_statistics = false
{global}
[quota_computation]
reference_runner = "ci"
reference_flavor = "3XL"
reference_jobs_count = {quota}
[[runners]]
name = "ci"
url = "{coordinator}"
token = "{RUNNER_TOKEN}"
executor = "clever-docker"
cc_api_url = "{clever}"
cc_orga_id = "{ORGANIZATION}"
cc_token = "{CLEVER_TOKEN}"
{runner}
[runners.paas_job_trace_watch]
poll_step = 0.1
timeout_seconds = 30
[runners.cc_extra_env]
CC_ENABLE_HEPTAPOD_RUNNER = "true"
[runners.docker]
image = "debian:stable-slim"
{more}
"#,
            state = self.state_path().display(),
            global = self.global,
            quota = self.quota_jobs,
            coordinator = self.coordinator.url(),
            clever = self.clever.api_url(),
            runner = self.runner,
            more = self.more,
        )
    }

    /// A section for this town's runner, in the configuration of another one.
    pub fn runner_elsewhere(&self, name: &str) -> String {
        format!(
            r#"
[[runners]]
name = "{name}"
url = "{}/"
token = "{RUNNER_TOKEN}"
executor = "clever-docker"
cc_api_url = "{}"
cc_orga_id = "{ORGANIZATION}"
cc_token = "{CLEVER_TOKEN}"
[runners.paas_job_trace_watch]
poll_step = 0.1
"#,
            self.coordinator.url(),
            self.clever.api_url(),
        )
    }

    /// Holds the next push before it has an effect.
    pub fn hold_push(&self) -> Gate {
        let gate = Gate::new();
        let hold = Rule::on("POST", "*git-receive-pack").with(Fault::HoldBefore(gate.clone()));
        self.clever.git_faults().inject(hold);
        gate
    }

    pub fn start(&self) -> Service {
        self.start_with(&[])
    }

    pub fn start_with(&self, options: &[&str]) -> Service {
        fs::write(self.config_path(), self.configuration()).unwrap();
        let mut arguments: Vec<String> =
            options.iter().map(|option| (*option).to_owned()).collect();
        arguments.push(self.config_path().display().to_string());
        Service::start(&arguments, &self.environment)
    }

    /// With another configuration than the usual one.
    pub fn start_as(&self, configuration: &str) -> Service {
        fs::write(self.config_path(), configuration).unwrap();
        let arguments = [self.config_path().display().to_string()];
        Service::start(&arguments, &self.environment)
    }

    pub fn submit(&self, name: &str, script: &str) -> JobId {
        self.coordinator
            .submit(JobSpec::new(name, [script]).flavor("XS"))
    }

    /// A script that goes on until [`Town::let_end`].
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

    pub fn await_end(&self, job: JobId) -> JobView {
        self.await_status(job, JobStatus::is_over)
    }

    pub fn await_status(&self, job: JobId, wanted: impl Fn(JobStatus) -> bool) -> JobView {
        self.coordinator
            .wait_for_status(job, PATIENCE, wanted)
            .unwrap_or_else(|| {
                self.give_up(&format!(
                    "job {job} is {}",
                    self.coordinator.job(job).status
                ))
            })
    }

    pub fn await_phase(&self, job: JobId, phase: AppPhase) {
        let wanted = self.machine_name(job);
        let reached = self.journal.wait_for(PATIENCE, |entries| {
            entries.iter().find_map(|entry| match &entry.kind {
                Kind::Application { name, state } => {
                    (*name == wanted && *state == phase).then_some(())
                }
                _ => None,
            })
        });
        reached.unwrap_or_else(|| self.give_up(&format!("{wanted} never was {phase:?}")));
    }

    #[expect(clippy::unused_self, reason = "reads as what it is")]
    pub fn machine_name(&self, job: JobId) -> String {
        format!("hpd-job-{RUNNER_NAME}-{job}")
    }

    pub fn machine(&self, job: JobId) -> Option<AppView> {
        self.clever.application(&self.machine_name(job))
    }

    /// Nothing is left that costs or clutters.
    pub fn await_no_machines(&self) {
        let none = || self.clever.applications().iter().all(AppView::is_deleted);
        if !self
            .journal
            .wait_until(PATIENCE, || none() && self.clever.running_machines() == 0)
        {
            self.give_up(&format!("left: {:?}", self.clever.applications()));
        }
    }

    /// What must be true at the end of every test in which nothing was broken on purpose.
    pub fn check_manners(&self) {
        let complaints = self.journal.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// As above, where the program was killed: to a coordinator, one that dies while it asks for a
    /// job looks like one that lost its patience.
    pub fn check_manners_of_the_killed(&self) {
        let mut complaints = self.journal.complaints();
        complaints.retain(|complaint| !complaint.contains("asked for a job again"));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    pub fn give_up(&self, why: &str) -> ! {
        for entry in self.journal.entries() {
            eprintln!("{:?}: {}", entry.source, entry.what);
        }
        panic!("{why}");
    }
}

/// One `POST` of an application, one push: nothing was started twice.
pub fn assert_started_once(town: &Town, job: JobId) {
    let name = town.machine_name(job);
    let created = town.clever.ever_created();
    let machines: usize = created
        .iter()
        .filter(|app| app.name == name)
        .map(|app| app.instances.len())
        .sum();
    assert_eq!(machines, 1, "machines of {name}");
}
