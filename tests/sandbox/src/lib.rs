//! A world for tests and the demo: coordinators, a Clever Cloud, its git remote and its machines.
//!
//! Everything is real HTTP on loopback and lives in this process; nothing is mocked inside the
//! program under test. The world is as strict as the services it stands for: what they refuse, it
//! refuses, and what a client should not have done is written down as a complaint in the
//! [`Journal`]. Trouble is planned with [`Faults`]. It may not know the program under test.

pub mod certificates;
pub mod clever;
#[cfg(test)]
mod client;
pub mod coordinator;
pub mod fault;
mod git;
mod git_remote;
pub mod http;
mod ids;
pub mod journal;
pub mod machine;
pub mod stop;
mod stranger;
mod times;

pub use clever::{
    AppView, BillLine, Clever, CleverSettings, DeploymentView, Hook, InstanceView, Key, Latencies,
    Quirks, Role, SshRemote, TokenEnd,
};
pub use coordinator::{
    Access, Action, Coordinator, CoordinatorSettings, Deadlines, Era, JobCall, JobId, JobRequest,
    JobSpec, JobStatus, JobView, Registration, RunnerSpec, Variable,
};
pub use fault::{Fault, Faults, Gate, Rule};
pub use http::{Passage, Request, Response, Server, Service};
pub use journal::{AppPhase, Entry, Journal, Kind, Source};
pub use machine::MachineBehaviour;
pub use stranger::Stranger;
