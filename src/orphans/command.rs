//! `--orphans`: lists the machines whose jobs are not tracked, and on request removes them.
//!
//! It works beside a running service: it only reads the state file, after the lists.

use std::fmt::Write;

use super::has_job;
use crate::config::Config;
use crate::deploy::scratch::Scratch;
use crate::executor::Found;
use crate::foreign::{Keep, one_line};
use crate::http::Http;
use crate::quota::{Limits, Quota};
use crate::runner::{self, Installation, Runner};
use crate::shutdown;
use crate::state::file::StateFile;

/// What is done with the machines that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    List,
    /// Those that this installation made, at least.
    Delete {
        of_others: bool,
    },
}

/// What was found, for a person, and what became of it.
///
/// # Errors
/// A text when the state file or a list can't be read, or a machine can't be deleted.
pub fn run(config: Config, action: Action) -> Result<String, String> {
    let before = StateFile::read(&config.state_file)?;
    let (_stopper, stop) = shutdown::channel();
    let system_id = before.system_id.as_deref();
    let http = Http::by_environment(config.connection_max_age, stop)?;
    let installation = Installation::of(&config.state_file, system_id, Scratch::none(), http);
    let no_jobs = Quota::new(Limits::NO_JOBS);
    let runners = runner::all(config.runners, &no_jobs, 1.0, &installation);
    let mut listed = Vec::new();
    let mut not_searched = Vec::new();
    for runner in &runners {
        let executor = &runner.executor;
        let inventory = executor.machines(&runner.unique_name, &before.tenants);
        listed.push((runner, inventory.machines));
        not_searched.extend(inventory.not_searched);
    }
    let state = StateFile::read(&config.state_file)?;
    let mut report = String::new();
    for (runner, found) in listed {
        for found in found {
            if has_job(&found, &runner.unique_name, state.tracked.iter()) {
                continue;
            }
            report += &describe(runner, &found);
            if let Action::Delete { of_others } = action {
                if !found.is_ours && !of_others {
                    report.push_str("  is left alone: --orphans --delete --of-others removes it\n");
                    continue;
                }
                let deleted = runner.executor.decommission(&found.machine);
                deleted.map_err(|why| format!("{}: {why}", found.machine.name))?;
                report.push_str("  is gone\n");
            }
        }
    }
    if report.is_empty() && !not_searched.is_empty() {
        return Err(not_searched.join("; "));
    }
    for why in not_searched {
        let _ = writeln!(report, "not searched: {why}");
    }
    if report.is_empty() {
        report.push_str("no machine without a job\n");
    } else if action == Action::List {
        report.push_str("--orphans --delete removes those that this installation made\n");
    }
    Ok(report)
}

fn describe(runner: &Runner, found: &Found) -> String {
    let maker = if found.is_ours {
        "this installation"
    } else {
        "somebody else, or an older program"
    };
    let tenant = found.machine.tenant.as_ref();
    let tenant = tenant.map_or_else(String::new, |tenant| {
        format!(" for {}", one_line(tenant, Keep::All))
    });
    let name = one_line(found.machine.name.as_str(), Keep::All);
    format!("{name}{tenant}, runner {}, made by {maker}\n", runner.name)
}
