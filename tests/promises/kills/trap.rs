//! Waiting for the moment of a kill, and keeping the world still until it has come.

use std::fs;
use std::path::PathBuf;

use sandbox::{Fault, Gate, JobId, Rule};
use serde_json::Value;

use super::{Moment, Server, Side, Written};
use crate::scene::{PATIENCE, Scene, eventually};
use crate::service::Service;

pub enum Trap {
    Gate(Gate),
    /// A folder in which `reached` appears, and which waits for `released`.
    Git(PathBuf),
    Unneeded,
}

impl Trap {
    pub fn set(scene: &mut Scene, moment: Moment) -> Self {
        match moment {
            Moment::Request {
                server,
                method,
                path,
                skipped,
                side,
            } => {
                let gate = Gate::new();
                let fault = match side {
                    Side::Before => Fault::HoldBefore(gate.clone()),
                    Side::After => Fault::HoldAfter(gate.clone()),
                };
                let rule = Rule::on(method, path).after(skipped).with(fault);
                match server {
                    Server::Coordinator => scene.coordinator.faults().inject(rule),
                    Server::Api => scene.clever.faults().inject(rule),
                    Server::Git => scene.clever.git_faults().inject(rule),
                }
                Self::Gate(gate)
            }
            Moment::Git(step, side) => Self::Git(wrap_git(scene, step, side)),
            Moment::Line(_) | Moment::File(_) | Moment::Machine(_) => Self::Unneeded,
        }
    }

    /// Waits until the moment has come. False when it never does.
    pub fn wait(&self, moment: Moment, scene: &Scene, service: &Service, job: JobId) -> bool {
        match (self, moment) {
            (Self::Gate(gate), _) => gate.wait_reached(PATIENCE),
            (Self::Git(folder), _) => eventually(|| folder.join("reached").exists()),
            (Self::Unneeded, Moment::Line(text)) => service.find_log(text, PATIENCE).is_some(),
            (Self::Unneeded, Moment::File(wanted)) => {
                eventually(|| written(scene, job).is_some_and(|shown| shown >= wanted))
            }
            (Self::Unneeded, Moment::Machine(phase)) => {
                scene.await_phase(job, phase);
                true
            }
            (Self::Unneeded, Moment::Request { .. } | Moment::Git(..)) => false,
        }
    }

    /// What was held goes on, though nobody waits for it any more.
    pub fn release(&self) {
        match self {
            Self::Gate(gate) => gate.open(),
            Self::Git(folder) => fs::write(folder.join("released"), "").unwrap(),
            Self::Unneeded => {}
        }
    }
}

/// A git that stops once, before or after `step`.
fn wrap_git(scene: &mut Scene, step: &str, side: Side) -> PathBuf {
    let (before, after) = match side {
        Side::Before => ("hold", ":"),
        Side::After => (":", "hold"),
    };
    scene.wrap_git(&format!(
        r#"hold() {{
    mkdir "$folder/reached" 2>/dev/null || return
    while [ -d "$folder" ] && [ ! -e "$folder/released" ]; do sleep 0.01; done
}}
[ "$1" = '{step}' ] || {{ real_git "$@"; exit; }}
{before}
real_git "$@"
code=$?
{after}
exit $code"#
    ))
}

/// How far the job is, as far as the state file knows.
fn written(scene: &Scene, job: JobId) -> Option<Written> {
    let text = fs::read(scene.state_path()).ok()?;
    let state: Value = serde_json::from_slice(&text).unwrap();
    let pending = state["pending"].as_array().unwrap();
    if let Some(pair) = pending.iter().find(|pair| pair[0]["job_id"] == job) {
        let resource = &pair[0]["paas_resource"];
        return Some(match resource["launched"].as_bool() {
            None => Written::Granted,
            Some(false) => Written::Provisioned,
            Some(true) => Written::Pushed,
        });
    }
    let holds = |list: &Value| {
        let list = list.as_array().unwrap();
        list.iter().any(|handle| handle["job_id"] == job)
    };
    if holds(&state["launched"]) {
        return Some(Written::Running);
    }
    if holds(&state["heptapod_paas_runner"]["jobs"]) {
        return Some(Written::Ended);
    }
    let was_there = scene.coordinator.job(job).status.is_over();
    was_there.then_some(Written::Finished)
}
