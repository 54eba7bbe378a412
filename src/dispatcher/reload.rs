//! The configuration, read again while the service runs: by SIGHUP, or `systemctl reload`.
//!
//! One that is wrong changes nothing. After a good one the pollers' next shift is made of the runners that it
//! has; a job goes on as one of the runner that it was granted to, by the rules of that time, but with secrets
//! that were renewed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Dispatcher, settings};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::counted::counted;
use crate::foreign::{Keep, one_line};
use crate::http::Http;
use crate::logger;
use crate::runner::{self, Installation, Runner};

/// Reads and checks the configuration as it is now; what is wrong, a line each.
pub type Reread<'a> = &'a dyn Fn() -> Result<Config, Vec<String>>;

impl Dispatcher<'_> {
    /// What is wrong with it, in a line each, which are in the log, too; then nothing was changed.
    pub(super) fn reload(&mut self) -> Vec<String> {
        self.manager.reloading();
        let read = if self.workers.is_none() || self.is_draining {
            let why = "no new jobs are taken any more: the configuration is not read again";
            log::warn!("{why}");
            Err(vec![why.to_owned()])
        } else {
            (self.reread)()
                .and_then(|config| self.apply(config))
                .inspect_err(|lines| {
                    for line in lines {
                        log::error!("the configuration can't be used: {line}");
                    }
                    log::error!("nothing was changed: going on with the configuration as it was");
                })
        };
        self.manager.ready();
        read.err().unwrap_or_default()
    }

    fn apply(&mut self, config: Config) -> Result<(), Vec<String>> {
        let Some(workers) = &mut self.workers else {
            return Ok(());
        };
        let http = Http::by_environment(config.connection_max_age, workers.stop.clone());
        let http = http.map_err(|why| vec![why])?;
        logger::set(config.log_level, config.log_format);
        if config.state_file != self.state_file {
            log::warn!(
                "`state_file` can't be changed while the service runs: it is still {}; restart to \
                 move it",
                self.state_file.display()
            );
        }
        self.quota.set_limits(settings::limits(&config));
        workers.policy = settings::policy(&config);
        workers.spacing.set(config.launch_spacing);
        self.pace = settings::pace(&config);
        self.cycle = settings::statistics(&config);
        self.spending.set_budgets(settings::budgets(&config));
        self.configured = Timestamp::now();
        let id = Some(self.system_id.as_str());
        let installation = Installation::of(&self.state_file, id, self.scratch.clone(), http);
        let mut before = self.roster.now().to_vec();
        // Of former readings, as long as they have jobs.
        for served in self.served.values() {
            if !before
                .iter()
                .any(|known| Arc::ptr_eq(known, &served.runner))
            {
                before.push(served.runner.clone());
            }
        }
        let allowed = config.quota.allowed_fraction_per_runner;
        let was = names(&self.roster.now());
        let runners = runner::all(config.runners, &self.quota, allowed, &installation, &before);
        let is = names(&runners);
        self.roster.replace(runners);
        log::info!(
            "the configuration was read again: {}",
            difference(&was, &is)
        );
        self.begin_shift(&config.quota);
        self.show(config.listen.as_ref());
        let of_unknown = std::mem::take(&mut self.of_unknown_runners);
        self.restore(of_unknown);
        // Woken once is enough.
        let _ = self.look_for_orphans.try_send(());
        Ok(())
    }
}

fn names(runners: &[Arc<Runner>]) -> BTreeSet<String> {
    runners.iter().map(|runner| runner.name.clone()).collect()
}

/// What became of the runners, by their names.
fn difference(was: &BTreeSet<String>, is: &BTreeSet<String>) -> String {
    let mut parts = vec![counted(is.len(), "runner")];
    for (what, names) in [("new", is - was), ("gone", was - is)] {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| one_line(name, Keep::All)).collect();
            parts.push(format!("{what}: {}", names.join(", ")));
        }
    }
    parts.join("; ")
}
