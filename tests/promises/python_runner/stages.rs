//! Jobs and machines as far as a recorded state file tells that they have come.
//!
//! A recording is from another world: its jobs get the ids, tokens and definitions of jobs that
//! exist here. What keys it has, and lacks, stays as the Python runner wrote it.

use std::fs;
use std::path::PathBuf;

use sandbox::{AppPhase, Fault, Gate, JobId, JobSpec, JobStatus, MachineBehaviour, Rule};
use serde_json::{Value, json};

use crate::scene::{ORGANIZATION, PATIENCE, RUNNER_NAME, RUNNER_TOKEN, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The coordinator has given it out, and that is all.
    Granted,
    /// There is an application, which nobody pushed to.
    Created,
    /// The machine is up; nothing is in the job's log.
    Pushed,
    /// The job runs.
    Launched,
    /// The job has ended well; its application is still there.
    Over,
    /// As `Created`, and the job was failed with a message in its log.
    Failed,
}

/// A message of 49 bytes, as long as the one in the recording.
pub const MESSAGE: &str = "This job could not get a machine of that flavor.\n";

/// Jobs in their stages, and nobody who looks after them.
pub struct Jobs {
    /// The job's id in the recording, its id here, and its application.
    pub all: Vec<(u64, Stage, JobId)>,
    gate: Gate,
    flag: PathBuf,
}

impl Jobs {
    pub fn prepare(scene: &Scene, stages: &[(u64, Stage)]) -> Self {
        let mut jobs = Self {
            all: Vec::new(),
            gate: Gate::new(),
            flag: scene.folder.path().join("may-end"),
        };
        jobs.prepare_machines(scene, stages);
        for (recorded, stage) in stages {
            match stage {
                Stage::Granted => jobs.all.push((*recorded, *stage, grant(scene))),
                Stage::Created | Stage::Failed => {
                    let job = grant(scene);
                    plant(scene, ORGANIZATION, job);
                    if *stage == Stage::Failed {
                        write_log(scene, job, MESSAGE);
                        fail(scene, job);
                    }
                    jobs.all.push((*recorded, *stage, job));
                }
                Stage::Pushed | Stage::Launched | Stage::Over => {}
            }
        }
        jobs
    }

    /// Brings some jobs to their machines, and dies.
    fn prepare_machines(&mut self, scene: &Scene, stages: &[(u64, Stage)]) {
        let keep = Rule::on("DELETE", "*").always().with(Fault::status(500));
        scene.clever.faults().inject(keep);
        for (recorded, stage) in stages {
            let script = match stage {
                Stage::Pushed | Stage::Over => "true".to_owned(),
                Stage::Launched => self.waiting_script(),
                Stage::Granted | Stage::Created | Stage::Failed => continue,
            };
            let job = scene.submit(&format!("{stage:?}"), &script);
            if *stage == Stage::Pushed {
                scene.clever.set_machine_behaviour_of(
                    &format!("-{job}"),
                    MachineBehaviour::HeldBeforeJob(self.gate.clone()),
                );
            }
            self.all.push((*recorded, *stage, job));
        }
        if !self.all.is_empty() {
            let service = scene.start();
            for (_, stage, job) in &self.all {
                match stage {
                    Stage::Pushed => scene.await_phase(*job, AppPhase::Running),
                    Stage::Launched => await_log_of(scene, *job),
                    _ => {
                        scene.await_end(*job);
                        scene.await_phase(*job, AppPhase::Exited);
                    }
                }
            }
            service.kill();
        }
        scene.clever.faults().clear();
    }

    pub fn waiting_script(&self) -> String {
        format!(
            "echo begun; while test ! -e {}; do sleep 0.05; done",
            self.flag.display()
        )
    }

    /// Lets every job run, and end.
    pub fn release(&self) {
        self.gate.open();
        fs::write(&self.flag, "").unwrap();
    }

    /// The recording as it would be, had it been made here.
    pub fn adapt(&self, scene: &Scene, recording: &str) -> Value {
        let mut state: Value = serde_json::from_str(recording).unwrap();
        for list in ["launched", "to_decommission", "standby_resources"] {
            for handle in state
                .get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                self.adapt_handle(scene, handle);
            }
        }
        for pending in state["pending"].as_array_mut().unwrap() {
            if let Some(job) = self.adapt_handle(scene, &mut pending[0]) {
                let mut payload = scene.coordinator.job(job).payload.unwrap();
                for key in ["image", "services"] {
                    if let Some(rewritten) = pending[1].get(key) {
                        payload[key] = rewritten.clone();
                    }
                }
                pending[1] = payload;
            }
        }
        state
    }

    /// The job that the handle is for now, if it is one of these.
    fn adapt_handle(&self, scene: &Scene, handle: &mut Value) -> Option<JobId> {
        let recorded = handle["job_id"].as_u64().unwrap();
        let (_, _, job) = self.all.iter().find(|(known, _, _)| *known == recorded)?;
        handle["runner_name"] = json!(RUNNER_NAME);
        handle["job_id"] = json!(job);
        handle["token"] = json!(scene.coordinator.job(*job).token);
        if let Some(resource) = handle.get_mut("paas_resource") {
            let id = scene.machine(*job).unwrap().id;
            resource["deploy_url"] = json!(format!("{}/{id}.git", scene.clever.git_url()));
            resource["id"] = json!(id);
            if resource["gitlab_namespace"].is_string() {
                let project = scene.coordinator.job(*job).project;
                resource["gitlab_namespace"] = json!(project.split('/').next());
            }
        }
        Some(*job)
    }
}

pub fn await_log_of(scene: &Scene, job: JobId) {
    let begun = || !scene.coordinator.job(job).trace.is_empty();
    if !scene.journal.wait_until(PATIENCE, begun) {
        scene.give_up(&format!("job {job} never began"));
    }
}

/// Asks for a job as a runner does.
fn grant(scene: &Scene) -> JobId {
    let job = scene
        .coordinator
        .submit(JobSpec::new("granted", ["true"]).flavor("XS"));
    let features: serde_json::Map<String, Value> = [
        "upload_multiple_artifacts upload_raw_artifacts refspecs artifacts artifacts_exclude",
        "multi_build_steps return_exit_code raw_variables cache masking variables image services",
    ]
    .iter()
    .flat_map(|names| names.split(' '))
    .map(|name| (name.to_owned(), Value::Bool(true)))
    .collect();
    let granted = client()
        .post(format!("{}/api/v4/jobs/request", scene.coordinator.url()))
        .send_json(json!({"token": RUNNER_TOKEN, "system_id": "s_0123456789ab",
            "info": {"name": "python", "executor": "docker", "features": features}}))
        .unwrap();
    assert_eq!(granted.status().as_u16(), 201);
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Running);
    job
}

pub fn plant(scene: &Scene, organization: &str, job: JobId) {
    let name = scene.machine_name(job);
    let body = json!({"name": name, "description": name, "zone": "par", "deploy": "git",
        "instanceType": "docker", "instanceVersion": "20250211",
        "instanceVariant": "70d676a0-a775-4dc9-a43d-3121036e8515", "instanceLifetime": "TASK",
        "minInstances": 1, "maxInstances": 1, "minFlavor": "heptapod-runner-XS",
        "maxFlavor": "heptapod-runner-XS",
        "env": {"CC_MOUNT_DOCKER_SOCKET": "true", "CC_ENABLE_HEPTAPOD_RUNNER": "true"}});
    let _ = scene.clever.plant_application(organization, &body);
}

pub fn write_log(scene: &Scene, job: JobId, text: &str) {
    let url = format!("{}/api/v4/jobs/{job}/trace", scene.coordinator.url());
    let answer = client()
        .patch(url)
        .header("JOB-TOKEN", scene.coordinator.job(job).token)
        .header("Content-Type", "text/plain")
        .header("Content-Range", format!("0-{}", text.len() - 1))
        .send(text)
        .unwrap();
    assert_eq!(answer.status().as_u16(), 202);
}

fn fail(scene: &Scene, job: JobId) {
    let url = format!("{}/api/v4/jobs/{job}", scene.coordinator.url());
    let token = scene.coordinator.job(job).token;
    let failed = json!({"token": token, "state": "failed", "failure_reason": "script_failure",
        "exit_code": 103});
    client().put(url).send_json(failed).unwrap();
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Failed);
}

fn client() -> ureq::Agent {
    let config = ureq::Agent::config_builder().proxy(None).build();
    ureq::Agent::new_with_config(config)
}
