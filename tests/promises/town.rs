//! A world for one test: a coordinator, a Clever Cloud, a folder, and the real program as a process.
//!
//! A [`Town`] writes the configuration, starts the program, kills it, starts it again, and knows
//! what must be true at the end of every test: nothing is left, and nobody complained. Waiting is
//! for events, with a generous end.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use sandbox::clever::{Clever, CleverSettings, Latencies, Role};
use sandbox::coordinator::{Coordinator, CoordinatorSettings, JobId, JobSpec, JobView};
use sandbox::journal::Journal;
use tempfile::TempDir;

use crate::service::Service;

/// Far longer than anything here takes, even on a busy computer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const RUNNER_TOKEN: &str = "kvzWdEMoTESTtoken000";
pub const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
pub const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";

pub struct Town {
    pub journal: Journal,
    pub coordinator: Coordinator,
    pub clever: Clever,
    pub service: Option<Service>,
    pub folder: TempDir,
    global: String,
    runner: String,
}
