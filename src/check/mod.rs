//! `--check`: what can be found out before it matters, without changing anything.
//!
//! [`offline`] looks at the file and at this computer, [`online`] asks the services; both hand out
//! [`Fact`]s. The configuration, the executors and the service itself judge by the same pieces, so
//! that what is found here is what makes a runner stop asking for jobs later. How it is shown is in
//! [`table`] for people and in [`json`] for programs; nothing is decided there.

mod json;
mod offline;
mod online;
mod table;
mod unit;

use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;
use crate::fact::{Fact, Verdict};
use crate::output;

/// Something won't work, though the file is right.
const WONT_WORK: u8 = 1;
/// As at a start.
const WRONG_FILE: u8 = 2;

/// What shall be checked, and how it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub offline: bool,
    pub json: bool,
}

/// Facts that belong together.
pub struct Section {
    pub about: About,
    pub facts: Vec<Fact>,
}

pub enum About {
    File(String),
    Computer,
    /// By its name.
    Runner(String),
    Quota,
}

impl Section {
    fn is_bad(&self) -> bool {
        self.facts.iter().any(|fact| fact.verdict.is_bad())
    }
}

/// The configuration at `path`, if a service that runs can go on with it: what is wrong with it, or with
/// the files that it names, in a line each.
///
/// # Errors
/// These lines.
pub fn config_for_reload(path: &Path) -> Result<Config, Vec<String>> {
    let shown = path.display();
    let lines = |facts: &[Fact]| -> Vec<String> {
        let bad = facts.iter().filter(|fact| fact.verdict.is_bad());
        let line = |fact: &Fact| match fact.line {
            Some(_) => format!("{shown}:{fact}"),
            // It is not about a place in the file, and names what it is about.
            None => fact.to_string(),
        };
        bad.map(line).collect()
    };
    match offline::read(path) {
        (Some(mut config), facts) => {
            let bad = lines(&offline::on_this_computer(path, &config));
            if !bad.is_empty() {
                return Err(bad);
            }
            let doubts = facts
                .into_iter()
                .filter(|fact| fact.verdict != Verdict::Good);
            config.warnings = doubts.collect();
            Ok(config)
        }
        (None, facts) => Err(lines(&facts)),
    }
}

/// Checks the configuration at `path`, and prints what was found.
#[must_use]
pub fn run(path: &Path, wish: Wish) -> ExitCode {
    let (config, facts) = offline::read(path);
    let about = About::File(path.display().to_string());
    let mut sections = vec![Section { about, facts }];
    if let Some(config) = config {
        sections.push(Section {
            about: About::Computer,
            facts: offline::on_this_computer(path, &config),
        });
        if !wish.offline {
            sections.extend(online::ask(config));
        }
    }
    let code = match (sections[0].is_bad(), sections.iter().any(Section::is_bad)) {
        (true, _) => WRONG_FILE,
        (false, true) => WONT_WORK,
        (false, false) => 0,
    };
    let shown = if wish.json {
        json::render(&sections, code)
    } else {
        table::render(&sections, table::Marks::of_environment())
    };
    let printed = output::print(&shown);
    if code == 0 { printed } else { code.into() }
}
