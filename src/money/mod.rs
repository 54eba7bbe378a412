//! What jobs have cost: a line for each in a ledger beside the state file, and the sums of it.
//!
//! A price is Clever Cloud's own at the moment when the machine goes, times the seconds from the push until it
//! is seen to be gone: an application without a machine costs nothing. What is here is an account for people, not
//! the bill. A month's budget keeps new jobs from a machine; no machine that is there goes for money.

pub mod command;
mod entry;
mod ledger;
mod spending;

pub use self::entry::{Entry, SHAPE};
pub use self::ledger::Ledger;
pub use self::spending::{Budgets, Spending};

/// Seconds, for prices are by the hour.
pub const HOUR: f64 = 3600.0;
