//! The Python runner as a process. It is installed once, into a folder that outlives the tests.
//!
//! Where there is no Python, no pip or no package registry, there is no peer to test with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::scene::Scene;
use crate::service::Service;

const PACKAGE: &str = "heptapod-paas-runner==1.1.1";
const FOLDER: &str = "python-runner-1.1.1";

/// The program; nothing, with a word about it, where it can't be had.
pub fn program() -> Option<PathBuf> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INSTALLED.get_or_init(install) {
        Ok(program) => Some(program.clone()),
        Err(why) => {
            eprintln!("skipped: no {PACKAGE} to test with: {why}");
            None
        }
    }
}

/// Starts it with the very configuration that ours gets.
pub fn start(scene: &Scene, program: &Path) -> Service {
    scene.write_configuration();
    let arguments = [scene.config_path().display().to_string()];
    // Servers on loopback are reached without a proxy, whatever the computer's settings are.
    let direct = ("NO_PROXY".to_owned(), "*".to_owned());
    Service::start_program(program, &arguments, &[direct])
}

fn install() -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(cache.join(format!("{FOLDER}.lock"))).map_err(|e| e.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let folder = cache.join(FOLDER);
    let program = folder.join("bin/heptapod-paas-runner");
    // Written last: an installation that was interrupted is made anew.
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(program);
    }
    let _ = fs::remove_dir_all(&folder);
    let python = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output();
    succeeded("python3 -m venv", python)?;
    let pip = Command::new(folder.join("bin/pip"))
        .args([
            "install",
            "--quiet",
            "--retries",
            "1",
            "--timeout",
            "20",
            PACKAGE,
        ])
        .stdin(Stdio::null())
        .output();
    succeeded("pip install", pip)?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(program)
}

fn succeeded(what: &str, ran: std::io::Result<std::process::Output>) -> Result<(), String> {
    let output = ran.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{what}: {}: {last}", output.status))
}
