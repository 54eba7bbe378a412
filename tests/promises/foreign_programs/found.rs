//! Where the programs are. What is missing is made ready once, into a folder that outlives the tests.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Clever Cloud's command line.
const ARCHIVE: &str = "clever-tools-4.tgz";
/// Where its archive is, beside the project or elsewhere.
const CLIENTS: (&str, &str) = ("FOREIGN_CLIENTS", "../shared/clients");
const LIBRARIES: [&str; 5] = [
    // The last one with which the runner of the next line can be imported.
    "gitlab-emulator==1.3.6",
    "gitlab-python-runner==14.3.20",
    "gitlab-runner-api==1.0.4",
    "python-gitlab==8.6.0",
    "clevercloud-sdk==0.2.2",
];

/// Nothing where it isn't at hand; then that is told where everybody sees it.
pub fn or_skipped(what: &str, found: Result<PathBuf, String>) -> Option<PathBuf> {
    // Not `eprintln!`: what that prints of a test that passes is never seen.
    let skip = |why| {
        let _ = writeln!(io::stderr(), "skipped: no {what} to test with: {why}");
    };
    found.map_err(skip).ok()
}

/// The script that `node` runs.
pub fn clever_tools() -> Option<PathBuf> {
    let unpacked = ready("clever-tools", |folder| {
        let node = Command::new("node").arg("--version").output();
        succeeded("node --version", node)?;
        let clients = std::env::var_os(CLIENTS.0).map(PathBuf::from);
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIENTS.1);
        let archive = clients.unwrap_or(beside).join(ARCHIVE);
        if !archive.exists() {
            return Err(format!("there is no {}", archive.display()));
        }
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let tar = Command::new("tar")
            .arg("xzf")
            .arg(archive)
            .arg("-C")
            .arg(folder)
            .output();
        succeeded("tar", tar)
    });
    let script = unpacked.map(|folder| folder.join("node_modules/clever-tools/bin/clever.js"));
    or_skipped("clever-tools", script)
}

/// A Python that can import them.
pub fn libraries() -> Option<PathBuf> {
    let python = python("python-libraries", &LIBRARIES).map(|folder| folder.join("bin/python"));
    or_skipped("Python libraries", python)
}

/// A folder with a Python and these packages.
///
/// # Errors
/// In words, where there is no Python, no pip or no package registry.
pub fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    ready(name, |folder| {
        let venv = Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder)
            .output();
        succeeded("python3 -m venv", venv)?;
        let pip = Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--retries", "1", "--timeout", "20"])
            .args(packages)
            .stdin(Stdio::null())
            .output();
        succeeded("pip install", pip)
    })
}

/// A folder that is made once. One that was not made to its end is made anew.
fn ready(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let words = |error: io::Error| error.to_string();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(words)?;
    lock.lock().map_err(words)?;
    let folder = cache.join(name);
    let complete = folder.join("complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&folder);
        make(&folder)?;
        fs::write(complete, "").map_err(words)?;
    }
    Ok(folder)
}

fn succeeded(what: &str, ran: io::Result<Output>) -> Result<(), String> {
    let output = ran.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{what}: {}: {last}", output.status))
}
