//! Everything we say to Clever Cloud: its applications, and what it has on offer. Written from the
//! Clever protocol page; each call names its section.
//!
//! One call, one answer: a call is never repeated here and nothing follows from its answer. What an
//! answer means for a job's machine is for the executor to say. Jobs and coordinators are unknown.

mod api;
mod catalogue;
mod credential;
mod error;
mod expiry;
mod kept;
mod prices;
mod public;

pub(crate) use api::{
    Account, Api, Application, Deletion, DeploymentEnd, Wanted, is_application_id, is_plain,
};
pub use catalogue::{Catalogue, Flavor, MachineType};
pub use credential::{Credential, Pair};
pub(crate) use error::ApiError;
pub(crate) use expiry::TokenEnd;
pub use prices::Prices;
