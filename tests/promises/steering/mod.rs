//! An operator sees and steers the service from one terminal, without a restart: status, reload, drain, and
//! what the service manager is told.

mod drain;
mod manager;
mod reload;
mod status;

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::scene::{Scene, eventually};
use crate::service::program;

impl Scene {
    /// Another process of the program, beside the service.
    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(options).arg(self.config_path());
        command
    }

    pub fn ask(&self, options: &[&str]) -> (Option<i32>, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(options).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    pub fn status(&self) -> Value {
        let (_, told, complaint) = self.ask(&["--status", "--json"]);
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{complaint}"))
    }

    /// Waits until the status is as it shall be.
    pub fn await_status_that(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        if !eventually(|| is_so(&self.status())) {
            self.give_up(&format!("{what}: {}", self.status()));
        }
        self.status()
    }

    /// Another configuration, as an editor leaves it.
    pub fn rewrite(&self, changes: &[(&str, &str)]) {
        fs::write(self.config_path(), self.configuration_but(changes)).unwrap();
    }
}
