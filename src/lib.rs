//! Gives every CI job of a GitLab or Heptapod instance a Clever Cloud virtual machine of its own,
//! and deletes it when the job is over.
//!
//! Start reading at [`job::life`]: it is the product. [`dispatcher`] is the main thread around it,
//! [`coordinator`] and [`clever`] are the two worlds that it speaks to, and [`config`] is what the
//! operator wrote. A room uses only the rooms below it:
//!
//! ```text
//! cli             arguments in, exit code out    install   what lies beside the program, put in place
//! check           what can be found out before it matters, and how it is shown
//! dispatcher      the main loop: polls, admits, spawns, applies events, saves
//! web             how everything stands, for browsers and for what watches servers
//! control         the service that runs, asked and steered from another process
//! orphans         machines without a job         status    how everything stands, to be shown
//! state           what is on disk                runner    one section of the configuration at work
//! job             one job's life                 register  a runner made known, and written down
//! money           what jobs have cost
//! executor        where jobs run: a Machine, and what makes one
//! coordinator     what we say to GitLab          clever    what we say to Clever Cloud
//! deploy          what is pushed, and the push   config    what the operator wrote
//! payload         what a coordinator sent        quota     who may take how much
//! names           what a runner, a job, a machine is called: the write-ahead log
//! ```
//!
//! The ground floor knows nothing above it: how we speak to others ([`http`] over [`agent`], with
//! [`trust`], [`proxy`], [`buffers`], [`gzip`]; [`process`]; [`json`], [`foreign`], [`stranger`]), how
//! long we wait ([`backoff`], [`deadline`], [`spacing`], [`semaphore`], [`shutdown`], [`thread`],
//! [`clock`]), that we are there ([`manager`]), what has happened ([`meters`]), what must not be mixed up ([`secret`], [`digest`], [`weight`]), and what a person reads
//! and the disk keeps ([`fact`], [`logger`], [`output`], [`options`], [`whole_file`], [`process_limits`]).

pub mod agent;
pub mod backoff;
pub mod buffers;
pub mod check;
pub mod clever;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod coordinator;
mod counted;
pub mod deadline;
pub mod deploy;
pub mod digest;
pub mod dispatcher;
pub mod executor;
pub mod fact;
pub mod foreign;
pub mod gzip;
pub mod http;
pub mod install;
pub mod job;
pub mod json;
pub mod logger;
pub mod manager;
pub mod meters;
pub mod money;
pub mod names;
pub mod options;
pub mod orphans;
pub mod output;
pub mod payload;
pub mod process;
pub mod process_limits;
pub mod proxy;
pub mod quota;
pub mod register;
pub mod runner;
pub mod secret;
pub mod semaphore;
pub mod shutdown;
pub mod spacing;
pub mod state;
pub mod status;
pub mod stranger;
pub mod thread;
pub mod trust;
pub mod web;
pub mod weight;
pub mod whole_file;
