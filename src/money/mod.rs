//! What jobs have cost: a line for each in a ledger beside the state file, and the sums of it.
//!
//! A price is Clever Cloud's own at the moment when the machine goes, times the seconds from the push until it
//! is seen to be gone: an application without a machine costs nothing. What is here is an account for people, not
//! the bill: nothing of a job's life depends on it.

pub mod command;
mod entry;
mod ledger;
mod spending;

pub use self::entry::{Entry, SHAPE};
pub use self::ledger::Ledger;
pub use self::spending::{Budgets, Spending};
