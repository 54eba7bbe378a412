//! What happens to applications between a push and the end of their machines: deployments are
//! queued, machines are ordered one at a time, VMs come and go and are counted for the bill.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};

use super::model::{
    AppState, Deployment, DeploymentState, Instance, InstanceState, LogLine, Machine,
};
use super::render::HEPTAPOD_VARIANT;
use super::world::World;
use crate::ids::uuid;
use crate::journal::{AppPhase, Source};
use crate::machine::{self, MachineBehaviour};
use crate::stop::StopOwner;
use crate::times::now_ms;

/// A deployment, as the machine that shall carry it out sees it.
pub(crate) struct Order {
    pub application: String,
    pub name: String,
    pub commit: String,
    pub repository: PathBuf,
    /// The machine's disk: empty, and gone with the machine.
    pub disk: PathBuf,
    /// The application's environment at this moment: later changes don't reach the machine.
    pub env: BTreeMap<String, String>,
    pub is_task: bool,
    /// The machine type that is made for runners, and for nothing else.
    pub is_for_runners: bool,
    pub behaviour: MachineBehaviour,
    machine: String,
    deployment: usize,
}

/// What a container prints is told under this name.
const CONTAINER: &str = "bas-deploy.service";
/// What the platform itself tells.
const PLATFORM: &str = "deployment.service";

/// How a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The container has run, however that went.
    Ran,
    /// There was nothing that could have run.
    Failed,
    /// The machine was stopped from outside.
    Stopped,
}

impl World {
    /// A push has arrived on `master`.
    pub(crate) fn pushed(self: &Arc<Self>, id: &str, commit: &str, deploys: bool) {
        let name = {
            let mut state = self.state();
            let Some(application) = state.application(id) else {
                return;
            };
            application.commit = Some(commit.to_owned());
            application.spec.name.clone()
        };
        self.phase(Source::Git, &name, AppPhase::Pushed);
        if deploys {
            self.deploy(id, "git push");
        }
    }

    /// Queues a deployment of the last commit. Returns its id; `None` when nothing was ever
    /// pushed, or the application is being deleted.
    pub(super) fn deploy(self: &Arc<Self>, id: &str, cause: &'static str) -> Option<String> {
        let mut state = self.state();
        // Nothing new begins in a world that has ended.
        state.owner.as_ref()?;
        let application = state.application(id).filter(|it| it.is_alive())?;
        let uuid = format!("deployment_{}", uuid());
        application.deployments.push(Deployment {
            uuid: uuid.clone(),
            date_ms: now_ms(),
            state: DeploymentState::Wip,
            commit: application.commit.clone()?,
            cause,
            visible: false,
        });
        application
            .queue
            .push_back(application.deployments.len() - 1);
        application.state = AppState::WantsToBeUp;
        if !application.machines.is_empty() && application.spec.is_task() {
            // A second push during a task waits for the first machine's end.
            return Some(uuid);
        }
        let switch = StopOwner::new();
        let stop = switch.stop();
        let (running, over) = bounded(0);
        let machine = self::uuid();
        application.machines.push(Machine {
            id: machine.clone(),
            _switch: switch,
            over,
        });
        drop(state);
        let id = id.to_owned();
        self.send("machine", move |world| {
            let _running: Sender<Infallible> = running;
            machine::live(world, &id, &machine, &stop);
        });
        Some(uuid)
    }

    /// The next deployment of this application; `None` when this machine of its can go.
    pub(crate) fn next_order(&self, id: &str, machine: &str) -> Option<Order> {
        let mut state = self.state();
        let default = state.behaviour.clone();
        let behaviours = state.behaviours.clone();
        let application = state.application(id)?;
        let Some(deployment) = application.queue.pop_front() else {
            application.machines.retain(|it| it.id != machine);
            return None;
        };
        let name = application.spec.name.clone();
        let special = behaviours.iter().rev().find(|(end, _)| name.ends_with(end));
        let disk = self.folder.join("machines").join(uuid());
        fs::create_dir_all(&disk).expect("cannot create a machine's disk");
        Some(Order {
            application: id.to_owned(),
            commit: application.deployments[deployment].commit.clone(),
            repository: self.repository(id),
            disk,
            env: application.spec.env.clone(),
            is_task: application.spec.is_task(),
            is_for_runners: application.spec.instance_variant == HEPTAPOD_VARIANT,
            machine: machine.to_owned(),
            behaviour: special.map_or(default, |(_, behaviour)| behaviour.clone()),
            name,
            deployment,
        })
    }

    pub(crate) fn show_deployment(&self, order: &Order) {
        if let Some(application) = self.state().application(&order.application) {
            application.deployments[order.deployment].visible = true;
        }
    }

    /// What the program in the container says.
    pub(crate) fn says(&self, order: &Order, message: &str) {
        self.log(order, CONTAINER, message);
        let source = Source::Machine(order.name.clone());
        self.journal.note(source, message);
    }

    /// One more line of the application's log. Something is recorded behind it, and wakes who follows.
    fn log(&self, order: &Order, service: &'static str, message: &str) {
        if let Some(application) = self.state().application(&order.application) {
            application.log.push(LogLine {
                at_ms: now_ms(),
                deployment: order.deployment,
                service,
                message: message.to_owned(),
            });
        }
    }

    /// The platform's last word on a deployment, as the official client knows it.
    fn log_end(&self, order: &Order, is_good: bool) {
        let begun = self
            .state()
            .application(&order.application)
            .map(|application| application.deployments[order.deployment].date_ms);
        let seconds = now_ms().saturating_sub(begun.unwrap_or_default()) / 1000;
        let how = if is_good {
            "Successfully deployed"
        } else {
            "Deploy failed"
        };
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        self.log(
            order,
            PLATFORM,
            &format!("{how} in {minutes} minutes and {seconds} seconds"),
        );
    }

    /// The VM exists, and costs, from now on.
    pub(crate) fn boot(&self, order: &Order) {
        if let Some(application) = self.state().application(&order.application) {
            application.instances.push(Instance {
                id: uuid(),
                deployment: order.deployment,
                state: InstanceState::Booting,
                flavor: application.spec.max_flavor.clone(),
                created: Instant::now(),
                created_ms: now_ms(),
                ended: None,
            });
        }
        self.log(order, PLATFORM, "Booting");
        let source = Source::Machine(order.name.clone());
        self.phase(source, &order.name, AppPhase::Booting);
    }

    pub(crate) fn set_instance(&self, order: &Order, instance_state: InstanceState) {
        if let Some(application) = self.state().application(&order.application)
            && let Some(instance) = application.living_instance(order.deployment)
        {
            instance.state = instance_state;
        }
    }

    pub(crate) fn keep_files(&self, order: &Order, files: &BTreeMap<String, Vec<u8>>) {
        if let Some(application) = self.state().application(&order.application) {
            application.files.clone_from(files);
        }
    }

    /// Whether a secret that could order machines is in there.
    pub(crate) fn holds_a_token(&self, content: &[u8]) -> bool {
        let state = self.state();
        let keys = state.organizations.iter().flat_map(|it| &it.keys);
        let mut secrets = keys.flat_map(|(key, _)| key.secrets());
        secrets.any(|secret| {
            let token = secret.as_bytes();
            content
                .windows(token.len().max(1))
                .any(|window| window == token)
        })
    }

    /// The container runs.
    pub(crate) fn container_started(&self, order: &Order) {
        let mut state = self.state();
        if let Some(application) = state.application(&order.application) {
            if !order.is_task {
                application.deployments[order.deployment].state = DeploymentState::Ok;
                // The new one takes over, and the old one goes.
                application.machines.retain(|it| it.id == order.machine);
            }
            if application.is_alive() {
                application.state = AppState::ShouldBeUp;
            }
            if let Some(instance) = application.living_instance(order.deployment) {
                instance.state = if order.is_task {
                    InstanceState::TaskInProgress
                } else {
                    InstanceState::Up
                };
            }
        }
        drop(state);
        self.log(order, PLATFORM, "Application start successful");
        if !order.is_task {
            self.log_end(order, true);
        }
        let source = Source::Machine(order.name.clone());
        self.phase(source, &order.name, AppPhase::Running);
    }

    /// The VM is gone, and its disk with it.
    pub(crate) fn machine_over(&self, order: &Order, outcome: Outcome) {
        let _ = fs::remove_dir_all(&order.disk);
        if outcome == Outcome::Failed || order.is_task && outcome == Outcome::Ran {
            self.log_end(order, outcome == Outcome::Ran);
        }
        let mut existed = false;
        // Also that of an application which is gone: its machine may have been spared.
        let mut state = self.state();
        let mut applications = state.applications.iter_mut();
        if let Some(application) = applications.find(|it| it.id == order.application) {
            if let Some(instance) = application.living_instance(order.deployment) {
                instance.ended = Some(Instant::now());
                instance.state = InstanceState::Deleted;
                existed = true;
            }
            let deployment = &mut application.deployments[order.deployment];
            if !deployment.state.is_over() {
                deployment.state = match outcome {
                    Outcome::Ran => DeploymentState::Ok,
                    Outcome::Failed => DeploymentState::Fail,
                    Outcome::Stopped => DeploymentState::Cancelled,
                };
            }
            let serves = |it: &Instance| it.ended.is_none() && it.state == InstanceState::Up;
            if application.is_alive() {
                application.state = if application.instances.iter().any(serves) {
                    AppState::ShouldBeUp
                } else if application.queue.is_empty() {
                    AppState::ShouldBeDown
                } else {
                    AppState::WantsToBeUp
                };
            }
        }
        drop(state);
        if existed {
            let source = Source::Machine(order.name.clone());
            self.phase(source, &order.name, AppPhase::Exited);
        }
    }
}
