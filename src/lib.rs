//! Gives every CI job of a GitLab or Heptapod instance a Clever Cloud virtual machine of its own,
//! and deletes it when the job is over.
//!
//! Start reading at [`job::life`]: it is the product. [`dispatcher`] is the main thread around it,
//! [`coordinator`] and [`executor`] are the two worlds that it speaks to, and [`config`] is what
//! the operator wrote. A room uses only the rooms below it:
//!
//! ```text
//! cli
//! dispatcher      polls, admits, spawns, applies events, keeps the state file
//! job             one job's life
//! executor        where jobs run
//! deploy          the push                coordinator   what we say to GitLab
//! payload         what a coordinator sent
//! config          what the operator wrote
//! http, json, digest, foreign, trust, process, process_limits, secret, weight, semaphore, shutdown, spacing, backoff, logger, whole_file
//! ```

pub mod backoff;
pub mod cli;
pub mod config;
pub mod coordinator;
pub mod deploy;
pub mod digest;
pub mod dispatcher;
pub mod executor;
pub mod foreign;
pub mod http;
pub mod job;
pub mod json;
pub mod logger;
pub mod payload;
pub mod process;
pub mod process_limits;
pub mod register;
pub mod secret;
pub mod semaphore;
pub mod shutdown;
pub mod spacing;
pub mod trust;
pub mod weight;
pub mod whole_file;
