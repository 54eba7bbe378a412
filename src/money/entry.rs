//! One job in the ledger: a JSON object on a line of its own. The manual tells of its keys, to which later versions
//! may add.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// `version` in a line.
pub const SHAPE: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub version: u32,
    pub job: u64,
    /// The name of its section.
    pub runner: String,
    pub project: Option<String>,
    /// The top-level group of the project.
    pub group: Option<String>,
    pub user: Option<String>,
    pub flavor: Option<String>,
    /// When its machine began to cost something; none: it never had one.
    pub begun: Option<Timestamp>,
    pub ended: Timestamp,
    pub seconds: u64,
    /// Of an hour, and what that comes to; none, where the price is not known.
    pub hourly: Option<f64>,
    pub cost: Option<f64>,
    pub currency: Option<String>,
    pub result: Option<String>,
}

impl Entry {
    /// What it has cost, for people.
    #[must_use]
    pub fn price(&self) -> Option<String> {
        let (cost, currency) = (self.cost?, self.currency.as_ref()?);
        Some(format!("{cost:.4} {currency}"))
    }

    /// The same job's, told twice: a process ended between the ledger and the state file.
    #[must_use]
    pub fn is_again(&self, other: &Self) -> bool {
        (self.job, &self.runner, self.begun) == (other.job, &other.runner, other.begun)
    }
}
