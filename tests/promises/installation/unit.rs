//! The unit says only what systemd understands, and allows the service little more than it needs.
//!
//! That it allows enough is tried by `.ci/package`, with a real systemd.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::print;
use crate::service::program;

/// In tenths: what systemd counts of ways in which a broken service could harm its computer.
const EXPOSURE: &str = "--threshold=15";

#[test]
fn the_unit_is_without_fault_and_exposes_little() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: there is no systemd-analyze");
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("heptapod-paas-runner.service");
    // It must find the program that it starts.
    let installed = "/usr/local/bin/heptapod-paas-runner";
    let program = program().display().to_string();
    fs::write(&path, print(&["unit"]).replace(installed, &program)).unwrap();
    for options in [
        &["verify", "--man=no"][..],
        &["security", "--offline=true", EXPOSURE],
    ] {
        let mut command = Command::new("systemd-analyze");
        let output = command.args(options).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{options:?}: {output:?}\n{said}");
        assert!(output.stderr.is_empty(), "{options:?}: {output:?}");
    }
}
