//! What was done by a registration, and what is left to do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::answers::{Answers, USUAL_STATE_FILE};
use super::file::Configuration;
use super::questions::{Given, STATE_FILE};
use crate::config::{Config, Secrets};
use crate::coordinator::TokenKind;
use crate::output::complain;

/// Tells it. `before` is the file as it was.
pub fn report(given: &Given, before: &Configuration, answers: &Answers) {
    let (name, runner) = (before.path.display(), &answers.runner);
    log::info!(
        "{name} has the runner {:?} of {} now",
        runner.name,
        runner.url
    );
    if answers.token.kind == TokenKind::Registration {
        log::info!(
            "it is paused: resume it at {} (CI/CD, Runners), so that it gets jobs",
            runner.url
        );
    }
    log::info!("no administrator's token is needed: jobs are watched with their own tokens");
    if let Some(mode) = before.open_mode() {
        log::warn!(
            "{name} has tokens in it: only its owner can read it now (its mode was {mode:o})"
        );
    }
    warn_of_what_the_service_can_not_read(&before.path, answers);
    if !(before.has_state_file() || before.takes_globals()) {
        let path = given.answer(&STATE_FILE).unwrap_or(USUAL_STATE_FILE);
        let path = toml::Value::String(path.to_owned());
        log::warn!(
            "{name} has no `state_file`, and it can't be appended behind a section. Add this line \
             at the top of the file:\nstate_file = {path}"
        );
    } else if let Err(error) = Config::load(&before.path) {
        log::warn!("heptapod-paas-runner can't start with this configuration yet:\n{error}");
    }
    complain(next_commands(before));
}

/// The service's user is the one to whom the file belongs, and may read less than who registers.
fn warn_of_what_the_service_can_not_read(config: &Path, answers: &Answers) {
    let Ok(user) = fs::metadata(config).map(|file| (file.uid(), file.gid())) else {
        return;
    };
    let token = Secrets::file_of(answers.token.secret.written.reveal());
    let files = token.into_iter().chain(answers.runner.executor.files());
    for path in files.filter(|path| path.is_absolute() && !may_read(user, path)) {
        let (path, config) = (path.display(), config.display());
        log::warn!(
            "the user to whom {config} belongs, as whom the service runs, can't read {path}: put it beside \
             {config}, and chown --reference={config} it"
        );
    }
}

fn may_read((user, group): (u32, u32), path: &Path) -> bool {
    const READ: u32 = 4;
    const ENTER: u32 = 1;
    let may = |path: &Path, what: u32| {
        let Ok(file) = fs::metadata(path) else {
            return false;
        };
        let shift = match file.uid() == user {
            true => 6,
            false if file.gid() == group => 3,
            false => 0,
        };
        file.mode() >> shift & what != 0
    };
    user == 0 || may(path, READ) && path.ancestors().skip(1).all(|folder| may(folder, ENTER))
}

/// A service that is at work already reads its configuration when it is started.
fn next_commands(before: &Configuration) -> String {
    let path = before.path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let path = if path.chars().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    };
    let start = if before.runners().next().is_none() {
        "enable --now"
    } else {
        "restart"
    };
    format!(
        "What comes next:\n  heptapod-paas-runner --check {path}\n  systemctl {start} \
         heptapod-paas-runner\n  journalctl -fu heptapod-paas-runner"
    )
}
