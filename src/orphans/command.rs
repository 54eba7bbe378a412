//! `--orphans`: lists the machines whose jobs are not tracked, and on request removes them.
//!
//! It works beside a running service: it only reads the state file, after the lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::has_job;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::coordinator::{Ask, Standing};
use crate::deploy::scratch::Scratch;
use crate::executor::{Details, Found};
use crate::foreign::{Keep, one_line};
use crate::http::Http;
use crate::payload::JobCredentials;
use crate::quota::{Limits, Quota};
use crate::runner::{self, Installation, Runner};
use crate::shutdown;
use crate::state::file::StateFile;
use crate::state::{State, Tracked};

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
    let runners = runner::all(config.runners, &no_jobs, 1.0, &installation, &[]);
    let mut listed = Vec::new();
    let (mut not_searched, mut left_out) = (Vec::new(), Vec::new());
    for runner in &runners {
        let inventory = runner
            .executor
            .machines(&runner.unique_name, &before.tenants);
        let name = one_line(&runner.name, Keep::All);
        let told = |why: String| format!("not searched for runner {name}: {why}\n");
        left_out.extend(inventory.left_out.map(|why| told(why.to_owned())));
        not_searched.extend(inventory.not_searched.into_iter().map(told));
        listed.push((runner, inventory.machines));
    }
    let state = StateFile::read(&config.state_file)?;
    left_out.extend(of_unknown_runners(&state, &runners));
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
                deleted.map_err(|why| {
                    format!("runner {}: {}: {why}", runner.name, found.machine.name)
                })?;
                report.push_str("  is gone\n");
            }
        }
    }
    if report.is_empty() && !not_searched.is_empty() {
        return Err(not_searched.concat().trim_end().to_owned());
    }
    let has_machines = !report.is_empty();
    report.extend(not_searched.iter().chain(&left_out).map(String::as_str));
    if report.is_empty() {
        report.push_str("no machine without a job\n");
    } else if !has_machines {
        report.push_str("no machine without a job elsewhere\n");
    } else if action == Action::List {
        report.push_str("--orphans --delete removes those that this installation made\n");
    }
    Ok(report)
}

/// Jobs may have machines where no section says how to look.
fn of_unknown_runners(state: &State, runners: &[Arc<Runner>]) -> BTreeSet<String> {
    let is_known = |tracked: &&Tracked| {
        runners.iter().any(|runner| {
            runner.unique_name.python == tracked.runner.python
                || tracked.section.as_ref() == Some(&runner.name)
        })
    };
    let unknown = state.tracked.iter().filter(|tracked| !is_known(tracked));
    let name = |tracked: &Tracked| {
        let section = tracked.section.as_ref().unwrap_or(&tracked.runner.python);
        format!(
            "not searched for runner {}: it is not in the configuration any more\n",
            one_line(section, Keep::All)
        )
    };
    unknown.map(name).collect()
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
    let Details {
        id,
        organization,
        flavor,
        created,
    } = &found.details;
    let flavor = flavor
        .as_deref()
        .map(|flavor| one_line(flavor, Keep::Start(40)));
    let age = created.map(|created| Timestamp::now().since(created));
    let age = age.map(|age| format!("made {} ago", humantime::format_duration(age)));
    let seen: Vec<_> = flavor.into_iter().chain(age).collect();
    format!(
        "{name}{tenant}, runner {}, made by {maker}\n  {}\n  of {}\n  {}; {}\n",
        one_line(&runner.name, Keep::All),
        one_line(id, Keep::All),
        one_line(organization, Keep::All),
        seen.join(", "),
        job_of(runner, found),
    )
}

/// By the word of its coordinator.
fn job_of(runner: &Runner, found: &Found) -> String {
    let Some(token) = found.job_token.clone() else {
        return "whether its job runs is not known".to_owned();
    };
    let job = JobCredentials {
        id: found.job,
        token,
    };
    match runner.coordinator.standing(&job, Ask::Look).standing {
        Standing::Active | Standing::Canceling => "its job runs".to_owned(),
        Standing::Over(why) => format!("its job is over: {}", one_line(&why, Keep::Start(100))),
        Standing::Refused(why) | Standing::RefusedTwice(why) | Standing::Unknown(why) => {
            let why = one_line(&why, Keep::Start(100));
            format!("whether its job runs is not known: {why}")
        }
    }
}
