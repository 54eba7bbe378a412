//! The Python runner as a process. It is installed once, into a folder that outlives the tests.
//!
//! Where there is no Python, no pip or no package registry, there is no peer to test with.

use std::path::{Path, PathBuf};

use crate::foreign_programs::found;
use crate::scene::Scene;
use crate::service::Service;

const PACKAGE: &str = "heptapod-paas-runner==1.1.1";
const FOLDER: &str = "python-runner-1.1.1";

/// The program; nothing, with a word about it, where it can't be had.
pub fn program() -> Option<PathBuf> {
    let installed = found::python(FOLDER, &[PACKAGE]);
    let program = installed.map(|folder| folder.join("bin/heptapod-paas-runner"));
    found::or_skipped(PACKAGE, program)
}

/// Starts it with the very configuration that ours gets.
pub fn start(scene: &Scene, program: &Path) -> Service {
    scene.write_configuration();
    let arguments = [scene.config_path().display().to_string()];
    // Servers on loopback are reached without a proxy, whatever the computer's settings are.
    let direct = ("NO_PROXY".to_owned(), "*".to_owned());
    Service::start_program(program, &arguments, &[direct])
}
