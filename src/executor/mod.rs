//! Where jobs run: one trait, and a room for each kind of place.
//!
//! An executor turns a granted job into a machine of its own and makes that machine go away again.
//! It knows nothing of coordinators' queues, of quotas or of the state file. Whatever it starts
//! bears the job's [`MachineName`], so that it can be found again by whoever comes after a crash.

pub mod clever;
pub mod local_docker;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::names::{JobId, MachineName, RunnerName};
use crate::payload::Payload;
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// What an executor remembers of a machine, in the shape of the state file's `paas_resource`.
#[derive(Clone, Debug)]
pub struct Resource(Box<RawValue>);

impl Resource {
    #[must_use]
    pub const fn new(raw: Box<RawValue>) -> Self {
        Self(raw)
    }

    #[must_use]
    pub const fn raw(&self) -> &RawValue {
        &self.0
    }
}

/// A machine that is there, whether anybody tracks its job or not.
#[derive(Clone, Debug)]
pub struct FoundMachine {
    pub name: String,
    pub job: JobId,
    /// The top-level group whose account pays for it, where each has its own.
    pub tenant: Option<String>,
    pub resource: Resource,
    /// Whether this very installation made it.
    pub is_ours: bool,
}

/// Something went wrong for good; told twice, because two people need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the job's log: short, kind, no internal names, what the user can change.
    pub user: String,
    /// For our log: what was tried, on what, what came back, what to do next.
    pub admin: String,
}

/// Why a job does not go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Halt {
    /// The service is stopping; the next start goes on from here.
    Stopped,
    /// The coordinator expects nothing more, for this reason.
    Over(String),
    Failed(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// Whether a machine of this name may exist without our knowing it: then look before creating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    None,
    /// A creation's answer was lost, or an earlier process may have sent one, at this time or
    /// before it. A list that is younger by some seconds shows the machine, if there is one.
    MayExist {
        since: Instant,
    },
}

impl Doubt {
    #[must_use]
    pub fn now() -> Self {
        Self::MayExist {
            since: Instant::now(),
        }
    }

    #[must_use]
    pub const fn is_some(self) -> bool {
        matches!(self, Self::MayExist { .. })
    }
}

/// How an executor waits for something: a job may lose its interest in it meanwhile.
pub trait Patience {
    /// Sleeps for `duration`. Nothing at all is a good moment, too, to hear of an end.
    ///
    /// # Errors
    /// [`Halt`], at once, when the service stops; within seconds, when the job is not wanted any
    /// more.
    fn wait(&self, duration: Duration) -> Result<(), Halt>;

    fn stop(&self) -> &Stop;
}

/// What could be found of a runner's machines.
#[derive(Debug, Default)]
pub struct Inventory {
    pub machines: Vec<FoundMachine>,
    /// Where they could not be looked for, and why; for the operator.
    pub not_searched: Vec<String>,
}

pub trait Executor: Send + Sync {
    /// What the job's machine will weigh, as far as that is known: nobody is asked. Nothing, for
    /// a job that asks for what is not on offer.
    fn weigh(&self, payload: &Payload) -> Option<Weight>;

    /// The weight of `flavor`, for the quota; outer errors may pass by themselves, inner ones won't.
    ///
    /// # Errors
    /// Outer: what is on offer could not be learnt. Inner: there is no such flavor.
    fn weigh_flavor(&self, flavor: &str) -> Result<Result<Weight, String>, String>;

    /// The heaviest machine that a job may ask for. Fetches what is on offer when that is stale.
    ///
    /// # Errors
    /// A text when it could not be learnt; it may work later.
    fn heaviest(&self) -> Result<Weight, String>;

    /// Finds or creates the place where the job will run, without starting anything in it.
    /// `doubt` is set as soon as a machine may exist that isn't known.
    ///
    /// # Errors
    /// [`Halt`].
    fn provision(
        &self,
        name: &MachineName,
        payload: &Payload,
        known: Option<&Resource>,
        doubt: &mut Doubt,
        patience: &dyn Patience,
    ) -> Result<Resource, Halt>;

    /// Hands the job over; from then on the machine starts by itself. Harmless when repeated.
    /// Gives back what is to be remembered from now on.
    ///
    /// # Errors
    /// [`Halt`].
    fn launch(
        &self,
        name: &MachineName,
        resource: &Resource,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<Resource, Halt>;

    /// Whether the machine that the job was handed over to has ended by itself. Only a certain yes
    /// is one: a machine that is not there yet has not ended.
    ///
    /// # Errors
    /// A text for the operator when it can't be found out.
    fn has_ended(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        resource: &Resource,
    ) -> Result<bool, String>;

    /// All machines of this runner's jobs that can be found. Where each top-level group has an
    /// account of its own, these `tenants` are searched, and those that were met since the start.
    fn machines(&self, runner: &RunnerName, tenants: &BTreeSet<String>) -> Inventory;

    /// Makes the machine, or all machines of this name when there is doubt, go away. One try;
    /// success means that it is seen to be gone. `tenant` is the job's top-level group.
    ///
    /// # Errors
    /// A text for the operator; to be tried again.
    fn decommission(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        known: Option<&Resource>,
        doubt: Doubt,
    ) -> Result<(), String>;
}
