//! What Clever Cloud remembers: organizations, applications, deployments, instances.
//!
//! Plain data and what follows from it. When things change is [`super::world`]'s business, how
//! they are shown to clients [`super::render`]'s.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::keys::{Holder, Key};
use super::settings::Role;
use crate::stop::StopOwner;

pub(super) struct Organization {
    pub id: String,
    pub keys: Vec<Holder>,
}

impl Organization {
    /// What the holder of a key may do, of one of which this is true.
    pub fn role_of(&self, is_it: impl Fn(&Key) -> bool) -> Option<Role> {
        let mut keys = self.keys.iter();
        keys.find(|(key, _)| is_it(key)).map(|&(_, role)| role)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppState {
    ShouldBeDown,
    WantsToBeUp,
    ShouldBeUp,
    ToDelete,
    /// Answered with 404 from now on.
    Gone,
}

impl AppState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShouldBeDown => "SHOULD_BE_DOWN",
            Self::WantsToBeUp => "WANTS_TO_BE_UP",
            Self::ShouldBeUp => "SHOULD_BE_UP",
            Self::ToDelete | Self::Gone => "TO_DELETE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RepositoryState {
    Creating,
    Created,
    Deleted,
}

impl RepositoryState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Created => "CREATED",
            Self::Deleted => "DELETED",
        }
    }
}

/// What the client asked for, checked.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub name: String,
    pub description: String,
    pub zone: String,
    pub instance_version: String,
    pub instance_variant: String,
    pub lifetime: String,
    /// Whole flavor objects.
    pub min_flavor: Value,
    pub max_flavor: Value,
    pub min_instances: u64,
    pub max_instances: u64,
    pub env: BTreeMap<String, String>,
}

impl Spec {
    pub fn is_task(&self) -> bool {
        self.lifetime == "TASK" || self.env.get("CC_TASK").is_some_and(|value| value == "true")
    }
}

pub(super) struct Application {
    pub id: String,
    pub organization: String,
    pub spec: Spec,
    pub state: AppState,
    pub repository: RepositoryState,
    pub created: Instant,
    pub created_ms: u64,
    pub commit: Option<String>,
    pub deployments: Vec<Deployment>,
    /// Every VM it ever had: the bill needs them all.
    pub instances: Vec<Instance>,
    /// Deployments (as indices) that wait for the machine.
    pub queue: VecDeque<usize>,
    /// One, or two while a new one takes over from the old.
    pub machines: Vec<Machine>,
    pub shown: Shown,
    /// Held during a push, so that it is known what the push changed.
    pub pushing: Arc<Mutex<()>>,
    /// What the machine checked out.
    pub files: BTreeMap<String, Vec<u8>>,
    pub log: Vec<LogLine>,
}

/// What a machine said, or the platform of it.
pub(super) struct LogLine {
    pub at_ms: u64,
    pub deployment: usize,
    /// What the program itself prints comes from one of its own.
    pub service: &'static str,
    pub message: String,
}

impl Application {
    pub const fn is_alive(&self) -> bool {
        !matches!(self.state, AppState::ToDelete | AppState::Gone)
    }

    /// The VM that works on a deployment now.
    pub fn living_instance(&mut self, deployment: usize) -> Option<&mut Instance> {
        self.instances
            .iter_mut()
            .find(|instance| instance.ended.is_none() && instance.deployment == deployment)
    }
}

/// A machine that is on: dropping this turns it off.
pub(super) struct Machine {
    pub id: String,
    pub _switch: StopOwner,
    /// Disconnected when it has ended, whyever.
    pub over: Receiver<Infallible>,
}

/// What the organization's lists have told of an application: whether a client may believe that
/// it doesn't exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    NoListYet,
    Hidden,
    Listed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeploymentState {
    /// Also while a task runs: the API's own description has a `TASK_RUNNING` for that, but its official
    /// client doesn't know it.
    Wip,
    Ok,
    Fail,
    Cancelled,
}

impl DeploymentState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wip => "WIP",
            Self::Ok => "OK",
            Self::Fail => "FAIL",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ok | Self::Fail | Self::Cancelled)
    }
}

pub(super) struct Deployment {
    pub uuid: String,
    pub date_ms: u64,
    pub state: DeploymentState,
    pub commit: String,
    pub cause: &'static str,
    /// A deployment is listed some time after the push.
    pub visible: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Booting,
    Starting,
    Deploying,
    TaskInProgress,
    /// A REGULAR application serves.
    Up,
    Deleted,
}

impl InstanceState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "BOOTING",
            Self::Starting => "STARTING",
            Self::Deploying => "DEPLOYING",
            Self::TaskInProgress => "TASK_IN_PROGRESS",
            Self::Up => "UP",
            Self::Deleted => "DELETED",
        }
    }
}

pub(super) struct Instance {
    pub id: String,
    pub deployment: usize,
    pub state: InstanceState,
    pub flavor: Value,
    pub created: Instant,
    pub created_ms: u64,
    pub ended: Option<Instant>,
}

impl Instance {
    pub fn lifetime(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now) - self.created
    }
}
