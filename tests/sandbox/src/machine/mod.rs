//! A virtual machine: what happens on it between its boot and its end.
//!
//! It gets a commit from its application's repository, builds the container that the commit
//! describes, and plays the `gitlab-runner exec-fetched-job` in it: `handover` reads the three
//! pushed files, `inner_runner` does the job, through a `line` to the coordinator, a `log` and a
//! `shell`. It may not know the coordinator's insides, nor the program that pushed: all it knows is
//! in the commit and in the application's environment.

mod dockerfile;
mod handover;
mod inner_runner;
mod line;
mod log;
mod payload;
mod script;
mod session;
mod shell;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::line::USER_AGENT;

use crate::clever::{InstanceState, Order, Outcome, World};
use crate::fault::Gate;
use crate::git;
use crate::journal::Source;
use crate::stop::{Stop, Stopped};

/// How a machine departs from the usual.
#[derive(Clone, Debug, Default)]
pub enum MachineBehaviour {
    #[default]
    Normal,
    /// The push is accepted, and nothing comes of it.
    DeploymentNeverAppears,
    /// The VM exists, and costs, and stays `BOOTING`.
    NeverBoots,
    /// The container's image can't be built: the deployment fails.
    BuildFails,
    /// The container ends at once; the coordinator hears nothing.
    CrashesAtStart,
    /// The container runs for ever; the coordinator hears nothing.
    HangsSilently,
    /// The job begins, its log too, and then nothing happens any more.
    HangsInJob,
    /// The job's script runs and is in the log, its result is never reported.
    ExitsWithoutReporting,
    /// The VM dies when the gate opens, in the middle of the job's script (which stands at the
    /// gate): nobody hears another word.
    DiesInJob(Gate),
    /// Older than 18.5: no early `PUT state=running`, crashes when the log is longer than its own.
    OldInnerRunner,
    /// The container runs; the inner runner begins when the gate opens.
    HeldBeforeJob(Gate),
}

/// Carries out the application's deployments, one after the other, until there are no more.
pub(crate) fn live(world: &Arc<World>, application: &str, machine: &str, stop: &Stop) {
    while let Some(order) = world.next_order(application, machine) {
        let machine = Machine {
            world,
            order: &order,
            stop,
        };
        let outcome = machine.deploy().unwrap_or(Outcome::Stopped);
        world.machine_over(&order, outcome);
        if outcome == Outcome::Stopped {
            // What is queued after a stop belongs to another machine.
            return;
        }
    }
}

#[derive(Clone, Copy)]
struct Machine<'a> {
    world: &'a World,
    order: &'a Order,
    stop: &'a Stop,
}

impl Machine<'_> {
    /// One deployment, from the queue to the container's end.
    fn deploy(self) -> Result<Outcome, Stopped> {
        let Self { world, order, stop } = self;
        let latencies = world.latencies;
        stop.wait(latencies.deployment_visible)?;
        if matches!(order.behaviour, MachineBehaviour::DeploymentNeverAppears) {
            return Err(for_ever(stop));
        }
        world.show_deployment(order);
        world.boot(order);
        if matches!(order.behaviour, MachineBehaviour::NeverBoots) {
            return Err(for_ever(stop));
        }
        stop.wait(latencies.boot / 2)?;
        world.set_instance(order, InstanceState::Starting);
        stop.wait(latencies.boot / 2)?;
        world.set_instance(order, InstanceState::Deploying);
        let files = self.check_out()?;
        stop.wait(latencies.build)?;
        if let Err(why) = self.build(&files) {
            self.note(format!("the image was not built: {why}"));
            return Ok(Outcome::Failed);
        }
        world.container_started(order);
        self.run_container(&files)?;
        if !order.is_task {
            // Monitoring restarts it for ever, at somebody's cost.
            return Err(for_ever(stop));
        }
        Ok(match order.behaviour {
            MachineBehaviour::DiesInJob(_) => Outcome::Failed,
            _ => Outcome::Ran,
        })
    }

    fn check_out(self) -> Result<BTreeMap<String, Vec<u8>>, Stopped> {
        let Self { world, order, stop } = self;
        let folder = order.disk.join("checkout");
        let checked_out = git::run(
            &order.repository,
            ["rev-list", "--count", order.commit.as_str()],
        )
        .and_then(|commits| {
            if commits.trim() != "1" {
                self.complain(format!("{} commits were pushed, not one", commits.trim()));
            }
            check_out(order, &folder)
        });
        match checked_out {
            Ok(files) => {
                world.keep_files(order, &files);
                Ok(files)
            }
            // The repository goes with its application, perhaps a moment before the machine.
            Err(_) if stop.is_stopped() => Err(Stopped),
            Err(why) => {
                self.note(format!("nothing was checked out: {why}"));
                Ok(BTreeMap::new())
            }
        }
    }

    fn build(self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        if matches!(self.order.behaviour, MachineBehaviour::BuildFails) {
            return Err("manifest unknown".to_owned());
        }
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let is_runner = dockerfile::FILES.iter().all(|name| names.contains(name));
        if (self.order.is_for_runners || is_runner) && names.len() != dockerfile::FILES.len() + 1 {
            self.complain(format!("these files were pushed: {}", names.join(" ")));
        }
        for (name, content) in files {
            if self.world.holds_a_token(content) {
                self.complain(format!("{name} holds a token that provisions machines"));
            }
        }
        for (name, value) in &self.order.env {
            if self.world.holds_a_token(value.as_bytes()) {
                self.complain(format!(
                    "variable {name} holds a token that provisions machines"
                ));
            }
        }
        let text = files.get("Dockerfile").ok_or("there is no Dockerfile")?;
        let text = String::from_utf8_lossy(text);
        if !self.order.is_for_runners {
            return dockerfile::check_any(&text);
        }
        dockerfile::check(&text).inspect_err(|why| {
            self.complain(format!("Dockerfile: {why}"));
        })
    }

    fn run_container(self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Stopped> {
        match &self.order.behaviour {
            MachineBehaviour::CrashesAtStart => return Ok(()),
            MachineBehaviour::HangsSilently => return Err(for_ever(self.stop)),
            MachineBehaviour::HeldBeforeJob(gate) => gate.pass(self.stop)?,
            _ => {}
        }
        if !dockerfile::FILES
            .iter()
            .all(|name| files.contains_key(*name))
        {
            self.world.says(self.order, "whatever it is, it runs");
            return Ok(());
        }
        match handover::read(files) {
            Ok(handover) => {
                for what in &handover.oddities {
                    self.complain(what.clone());
                }
                inner_runner::exec_fetched_job(self, &handover)
            }
            Err(why) => {
                self.complain(format!("the inner runner could not begin: {why}"));
                Ok(())
            }
        }
    }

    fn complain(self, what: String) {
        self.world.complain(self.source(), what);
    }

    fn note(self, what: String) {
        self.world.journal.note(self.source(), what);
    }

    fn source(self) -> Source {
        Source::Machine(self.order.name.clone())
    }
}

fn for_ever(stop: &Stop) -> Stopped {
    stop.wait_for_it();
    Stopped
}

/// The commit's files, as the machine finds them in `folder`.
fn check_out(order: &Order, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut command = git::isolated("git", &order.disk);
    command
        .env("GIT_DIR", &order.repository)
        .env("GIT_WORK_TREE", folder)
        .env("GIT_INDEX_FILE", order.disk.join("index"))
        .args(["checkout", "--quiet", "--force", &order.commit, "--", "."]);
    git::finish(&mut command)?;
    read_files(folder).map_err(|error| error.to_string())
}

fn read_files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let content = if entry.file_type()?.is_file() {
            fs::read(entry.path())?
        } else {
            Vec::new()
        };
        files.insert(name, content);
    }
    Ok(files)
}
