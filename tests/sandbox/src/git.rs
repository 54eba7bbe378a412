//! The system's `git`, with an environment of its own.
//!
//! Neither the configuration of the person who runs the tests nor that of the machine may change
//! what this world does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command that sees nothing of our environment but where programs are.
pub(crate) fn isolated(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs git in `repository` and gives what it printed.
///
/// # Errors
/// In words, with what git said.
pub(crate) fn run<S: AsRef<OsStr>>(
    repository: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, String> {
    finish(
        isolated("git", repository)
            .env("GIT_DIR", repository)
            .args(arguments),
    )
}

/// # Errors
/// In words, with what the command said.
pub(crate) fn finish(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} ({})", said.trim(), output.status))
}

/// The CGI program that speaks git's smart HTTP. Some systems package it apart from git.
///
/// # Errors
/// In words, when it isn't there.
pub(crate) fn http_backend() -> Result<PathBuf, String> {
    let folder = finish(Command::new("git").arg("--exec-path"))?;
    let program = Path::new(folder.trim()).join("git-http-backend");
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!(
            "{} is missing; install the package of git that has it",
            program.display()
        ))
    }
}
