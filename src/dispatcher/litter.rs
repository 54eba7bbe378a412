//! `--orphans`: lists the machines that nobody tracks, and on request removes them.
//!
//! It works beside a running service: it only reads the state file, after the lists. A job is in
//! the file before its machine is created, so a machine that was listed and has no job there has
//! none.

use std::fmt::Write;

use super::runner::{Installation, Runner};
use super::state_file::StateFile;
use super::{ServiceError, system_id};
use crate::config::Config;
use crate::deploy::git::Workshop;
use crate::executor::{Doubt, FoundMachine};
use crate::http::Http;
use crate::names::MachineName;
use crate::shutdown;
use crate::trust;

/// What was found, for a person; with `delete`, what became of it.
///
/// # Errors
/// [`ServiceError`] when the state file or a list can't be read, or a machine can't be deleted.
pub fn orphans(config: Config, delete: bool) -> Result<String, ServiceError> {
    let start = |why: String| ServiceError::Start(why);
    let before = StateFile::read(&config.state_file).map_err(start)?;
    let id = system_id::of_this_installation(before.system_id.as_deref());
    let (_stopper, stop) = shutdown::channel();
    let installation = Installation {
        http: Http::new(trust::roots(None), stop.clone()),
        stop,
        workshop: Workshop::none(),
        mark: system_id::mark(&id, &config.state_file),
        system_id: id,
    };
    let runners = config.runners.into_iter().enumerate();
    let runners = runners.map(|(index, settings)| Runner::new(index, settings, &installation));
    let mut listed = Vec::new();
    let mut not_searched = Vec::new();
    for runner in runners {
        let inventory = runner
            .executor
            .machines(&runner.unique_name, &before.tenants);
        listed.push((runner, inventory.machines));
        not_searched.extend(inventory.not_searched);
    }
    let state = StateFile::read(&config.state_file).map_err(start)?;
    let has_job = |runner: &Runner, machine: &FoundMachine| {
        let python = &runner.unique_name.python;
        let mut tracked = state.tracked.iter();
        tracked
            .any(|known| known.job.credentials.id == machine.job && known.runner.python == *python)
    };
    let mut report = String::new();
    for (runner, found) in listed {
        for machine in found
            .into_iter()
            .filter(|machine| !has_job(&runner, machine))
        {
            report += &describe(&runner, &machine);
            if delete {
                remove(&runner, &machine).map_err(start)?;
                let _ = writeln!(report, "  is gone");
            }
        }
    }
    if report.is_empty() && !not_searched.is_empty() {
        return Err(start(not_searched.join("; ")));
    }
    for why in not_searched {
        let _ = writeln!(report, "not searched: {why}");
    }
    if report.is_empty() {
        report.push_str("no machine without a job\n");
    } else if !delete {
        report.push_str("--orphans --delete removes them\n");
    }
    Ok(report)
}

fn describe(runner: &Runner, machine: &FoundMachine) -> String {
    let maker = if machine.is_ours {
        "this installation"
    } else {
        "somebody else, or an older program"
    };
    let tenant = machine
        .tenant
        .as_ref()
        .map(|tenant| format!(" for {tenant}"));
    let (name, tenant) = (&machine.name, tenant.unwrap_or_default());
    format!("{name}{tenant}, runner {}, made by {maker}\n", runner.name)
}

fn remove(runner: &Runner, machine: &FoundMachine) -> Result<(), String> {
    let name = MachineName::of(&runner.unique_name, machine.job);
    let (tenant, resource) = (machine.tenant.as_deref(), Some(&machine.resource));
    runner
        .executor
        .decommission(&name, tenant, resource, Doubt::None)
        .map_err(|why| format!("{}: {why}", machine.name))
}
