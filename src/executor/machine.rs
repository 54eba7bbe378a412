//! The machine of a job: what this program is about.
//!
//! A [`Machine`] is known by its name before it exists and until it is seen to be gone. Its executor
//! fills in what it needs to find it again; the state file keeps it as it is. The rule: as long as
//! one [may exist](Machine::may_exist), it may cost money, and somebody must delete it.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::json::Fields;
use crate::names::MachineName;

#[derive(Clone, Debug)]
pub struct Machine {
    pub name: MachineName,
    /// The top-level group whose account pays for it, where each has its own.
    pub tenant: Option<String>,
    /// Its size, as its executor calls it, as soon as that was chosen.
    pub flavor: Option<String>,
    /// What its executor remembers, as soon as there is a place for the job.
    pub resource: Option<Resource>,
    /// A machine of this name that `resource` doesn't tell of may exist: a creation's answer was
    /// lost, or an earlier process may have sent one, at this moment or before. A list that is
    /// younger by the executor's lag shows it, if there is one.
    pub maybe_unseen_since: Option<Instant>,
    /// The Python runner may have begun it, which doesn't mark what it makes.
    pub may_lack_mark: bool,
    pub history: History,
}

/// When what happened to a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    pub created: Option<Timestamp>,
    pub handed_over: Option<Timestamp>,
    pub seen_running: Option<Timestamp>,
    pub gone: Option<Timestamp>,
}

impl Machine {
    #[must_use]
    pub fn new(name: MachineName, tenant: Option<String>) -> Self {
        Self {
            name,
            tenant,
            flavor: None,
            resource: None,
            maybe_unseen_since: None,
            may_lack_mark: false,
            history: History::default(),
        }
    }

    /// Whether there may be something that costs money.
    #[must_use]
    pub const fn may_exist(&self) -> bool {
        self.resource.is_some() || self.maybe_unseen_since.is_some()
    }

    /// There may be one from now on, or one more than the one that is known.
    pub fn may_be_unseen(&mut self) {
        self.maybe_unseen_since = Some(Instant::now());
    }

    /// There is a place for the job.
    pub fn created(&mut self, resource: Resource, flavor: Option<String>) {
        self.resource = Some(resource);
        self.flavor = flavor;
        self.history.created.get_or_insert_with(Timestamp::now);
    }

    /// The job is in the machine's own hands.
    pub fn handed_over(&mut self, resource: Resource) {
        self.resource = Some(resource);
        self.history.handed_over.get_or_insert_with(Timestamp::now);
    }

    pub fn seen_running(&mut self) {
        self.history.seen_running.get_or_insert_with(Timestamp::now);
    }

    /// Nothing of it is left.
    pub fn gone(&mut self) {
        self.forget();
        self.history.gone = Some(Timestamp::now());
    }

    /// It is left alone from now on: somebody else deletes it.
    pub fn forget(&mut self) {
        self.resource = None;
        self.maybe_unseen_since = None;
    }
}

/// What an executor remembers of a machine, in the shape of the state file's `paas_resource`.
#[derive(Clone)]
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

    /// The top-level group that the Python runner keeps here, and nowhere else.
    #[must_use]
    pub fn tenant(&self) -> Option<String> {
        Fields::of(&self.0).ok()?.text("gitlab_namespace")
    }
}

/// The Python runner keeps a token in some.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resource(…)")
    }
}
