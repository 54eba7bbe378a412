//! Where jobs run: one trait, and a room for each kind of place.
//!
//! An executor turns a granted job into a machine of its own and makes that machine go away again.
//! It knows nothing of coordinators' queues, of quotas or of the state file. Whatever it starts
//! bears the job's [`MachineName`], so that it can be found again after a crash.

pub mod clever;
mod expiry;
pub mod local_docker;
mod machine;
mod price;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use crossbeam_channel::Receiver;

pub use self::expiry::Expiry;
pub use self::machine::{History, Machine, Resource};
pub use self::price::Price;
use crate::clock::Timestamp;
use crate::config::ExecutorSettings;
use crate::fact::Fact;
use crate::names::{JobId, RunnerName};
use crate::payload::{FailureReason, Payload};
use crate::secret::Secret;
use crate::shutdown::Stopped;
use crate::weight::Weight;

/// A machine that is there, whether its job is tracked or not.
#[derive(Clone, Debug)]
pub struct Found {
    pub machine: Machine,
    pub job: JobId,
    /// Whether this very installation made it, or a copy of it.
    pub is_ours: bool,
    /// The job's own, where the machine has it.
    pub job_token: Option<Secret>,
    pub details: Details,
}

/// What a machine is at who has it, for the operator.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub id: String,
    pub organization: String,
    pub flavor: Option<String>,
    pub created: Option<Timestamp>,
}

/// Something went wrong for good; told twice, because two people need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it was, for `retry: when:` and the banner above the job's log.
    pub reason: FailureReason,
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

/// How an executor waits for something: its job may not be wanted any more meanwhile.
pub trait Patience {
    /// Sleeps for `duration`. With none at all it only asks whether the job is still wanted.
    ///
    /// # Errors
    /// [`Halt`], at once, when the service stops; within seconds, when the job is not wanted any
    /// more.
    fn wait(&self, duration: Duration) -> Result<(), Halt>;

    /// Waits until something arrives, however long that takes.
    ///
    /// # Errors
    /// As with [`Patience::wait`].
    fn wait_for(&self, arrival: &Receiver<()>) -> Result<(), Halt>;
}

/// What could be found of a runner's machines.
#[derive(Debug, Default)]
pub struct Inventory {
    pub machines: Vec<Found>,
    /// Where they could not be looked for, and why; for the operator.
    pub not_searched: Vec<String>,
    /// Where nobody looks, and who else may.
    pub left_out: Option<&'static str>,
    /// The top-level groups that have none.
    pub empty: BTreeSet<String>,
}

pub trait Executor: Send + Sync {
    /// What kind of machines it has, who pays, and which one a job gets that names none.
    fn describe(&self) -> String;

    /// Whether jobs can get machines now, by what can be asked without changing anything. With a
    /// fact that is bad every job would fail.
    fn probe(&self) -> Vec<Fact>;

    /// What matters beside that for some jobs only, or for the operator; `tenants` are the top-level
    /// groups that had a job of late.
    fn look_closer(&self, tenants: &BTreeSet<String>) -> Vec<Fact>;

    /// Whether something has happened since it was asked last that a probe may explain. Costs next
    /// to nothing.
    fn is_in_doubt(&self) -> bool;

    /// What the job's machine will weigh, by what is known already: no request is made. None when
    /// it is not known what is on offer, or the job's tags decide and are not known yet; zero for a
    /// job that asks for what is not on offer.
    fn weigh(&self, payload: &Payload, machine: &Machine) -> Option<Weight>;

    /// Whether the job's tags, which are not known yet, say what kind of machine it gets.
    fn goes_by_tags(&self, payload: &Payload, machine: &Machine) -> bool;

    /// Chooses the kind of the machine by the job's tags.
    fn choose(&self, machine: &mut Machine, tags: &[String]);

    /// The weight of `flavor`, for the quota.
    ///
    /// # Errors
    /// [`NoWeight`].
    fn weigh_flavor(&self, flavor: &str) -> Result<Weight, NoWeight>;

    /// From the lightest machine that a job may ask for to the heaviest. Fetches what is on offer
    /// when that is stale.
    ///
    /// # Errors
    /// A text when it could not be learnt; it may work later.
    fn weights(&self) -> Result<RangeInclusive<Weight>, String>;

    /// Finds or creates the place where the job will run, without starting anything in it. The
    /// machine may exist from the first request on, which it says by itself.
    ///
    /// # Errors
    /// [`Halt`].
    fn provision(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt>;

    /// Hands the job over; from then on the machine starts by itself. Harmless when repeated.
    ///
    /// # Errors
    /// [`Halt`].
    fn launch(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt>;

    /// Whether the job that was handed over to the machine can't come to a result any more, in
    /// words: the machine has ended by itself, or somebody has deleted it. Only a certain yes is
    /// one: a machine that is not there yet is not lost.
    ///
    /// # Errors
    /// A text for the operator when it can't be found out.
    fn is_lost(&self, machine: &Machine) -> Result<Option<Failure>, String>;

    /// Whether each top-level group has an account of its own, which pays for its machines.
    fn is_paid_by_groups(&self) -> bool {
        false
    }

    /// All machines of this runner's jobs that can be found. Where each top-level group has an
    /// account of its own, those of these `tenants` are searched.
    fn machines(&self, runner: &RunnerName, tenants: &BTreeSet<String>) -> Inventory;

    /// When what machines are made with ends, as far as that is told; `tenants` as above. Nothing is
    /// changed by it, and trouble is none.
    fn expiries(&self, _tenants: &BTreeSet<String>) -> Vec<Expiry> {
        Vec::new()
    }

    /// Makes the machine go away, or all machines of its name when there may be an unseen one. One
    /// try; success means that it is seen to be gone.
    ///
    /// # Errors
    /// A text for the operator; to be tried again.
    fn decommission(&self, machine: &Machine) -> Result<(), String>;

    /// What machines of this flavor cost, where that can be learnt. May take as long as a request.
    fn price(&self, _flavor: &str) -> Option<Price> {
        None
    }

    /// What the machines of a top-level group may cost in a month, where it has an account of its own and
    /// says so. May take as long as a request.
    fn group_budget(&self, _group: &str) -> Option<f64> {
        None
    }

    /// The section was read again, and this one goes on for the jobs that are here, as it was, but for
    /// secrets that may have been replaced.
    fn renew(&self, _section: &ExecutorSettings) {}

    /// How long after it was created a machine may be missing where machines are looked for.
    fn listed_within(&self) -> Duration;

    /// How long after its request a creation whose end was not seen may still come to its end, and
    /// be listed.
    fn created_within(&self) -> Duration;
}

/// Why a flavor has no weight.
#[derive(Debug, PartialEq, Eq)]
pub enum NoWeight {
    /// There is no such flavor; the text says what is on offer.
    NotOffered(String),
    /// It could not be learnt what is on offer; it may work later.
    Unknown(String),
}
