//! From the configuration and the state file to a service that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossbeam_channel::unbounded;

use super::poll::{Pace, Poller};
use super::quota::{Limits, Quota};
use super::runner::{Installation, Runner};
use super::state::{State, StateFile, Tracked};
use super::worker::Shop;
use super::{
    Dispatcher, Event, JobKey, Options, ServiceError, orphans, reference, signals, spawn, system_id,
};
use crate::config::{Config, QuotaSettings};
use crate::deploy::git::Workshop;
use crate::http::Http;
use crate::job::Phase;
use crate::job::life::Policy;
use crate::launches::Launches;
use crate::logger::{self, Subject};
use crate::shutdown;
use crate::trust;
use crate::whole_file::beside;

/// Runs the service until it is told to stop.
///
/// # Errors
/// [`ServiceError`] when it can't start; never because of a job, a coordinator or Clever Cloud.
pub fn run(mut config: Config, options: Options) -> Result<(), ServiceError> {
    let start = |error: String| ServiceError::Start(error);
    let file = StateFile::open(&config.state_file).map_err(start)?;
    let state = file.load().map_err(start)?;
    let workshop = Workshop::open(beside(&config.state_file, ".pushes")).map_err(|error| {
        start(format!(
            "cannot prepare a folder beside the state file: {error}"
        ))
    })?;
    let requests = signals::listen(options.debug_signal)
        .map_err(|error| start(format!("cannot listen to signals: {error}")))?;
    let system_id = system_id::of_this_installation(state.system_id.as_deref());
    let (stopper, stop) = shutdown::channel();
    let installation = Installation {
        http: Http::new(trust::roots(None), stop.clone()),
        stop: stop.clone(),
        workshop: workshop.clone(),
        mark: system_id::mark(&system_id, &config.state_file),
        system_id,
    };
    let settings = std::mem::take(&mut config.runners).into_iter().enumerate();
    let runners = settings
        .map(|(index, settings)| Arc::new(Runner::new(index, settings, &installation)))
        .collect();
    let (events, incoming) = unbounded();
    let shop = Shop {
        launches: Arc::new(Launches::new(config.launch_spacing)),
        policy: Policy {
            progress_interval: config.progress_interval,
            keep_finished: config.keep_finished,
            decommission_launch_failures: config.decommission_launch_failures,
        },
        stop,
        events,
    };
    let statistics = config.log_statistics.then_some(config.check_interval);
    let mut dispatcher = Dispatcher::new(&config, options, runners, shop, file);
    dispatcher.system_id = installation.system_id;
    dispatcher.restore(state);
    dispatcher.save();
    dispatcher.search_orphans();
    dispatcher.weigh_reference(config.quota);
    let result = dispatcher.serve(stopper, &incoming, &requests, statistics);
    workshop.close();
    result
}

impl Dispatcher {
    fn new(
        config: &Config,
        options: Options,
        runners: Vec<Arc<Runner>>,
        shop: Shop,
        file: StateFile,
    ) -> Self {
        let allowed = config.quota.allowed_fraction_per_runner;
        let fractions = runners
            .iter()
            .map(|runner| runner.max_fraction.min(allowed));
        Self {
            quota: Quota::new(Limits {
                jobs: config.concurrent,
                launching: config.max_launching,
                fractions: fractions.collect(),
            }),
            runners,
            tracked: BTreeMap::new(),
            standby: Vec::new(),
            tenants: BTreeSet::new(),
            system_id: String::new(),
            file,
            shop,
            pace: Pace {
                interval: config.check_interval,
                at_limit: config.limit_interval,
                repoll_immediately: config.repoll_immediately,
            },
            options,
            max_age: config.max_machine_age,
            pollers: 0,
            workers: 0,
            to_start: Vec::new(),
            to_release: Vec::new(),
            unsaved: true,
        }
    }

    /// Goes on with the jobs of the last process.
    fn restore(&mut self, state: State) {
        self.standby = state.standby;
        self.tenants = state.tenants;
        let jobs = state.tracked;
        let total = jobs.len();
        for mut tracked in jobs {
            let id = tracked.job.credentials.id;
            let runner = self.runner_of(&tracked).cloned();
            if let Some(runner) = &runner {
                tracked.runner = runner.unique_name.clone();
            }
            let key = JobKey {
                runner: tracked.runner.clone(),
                id,
            };
            if let Some(runner) = runner {
                let pending = matches!(tracked.job.phase, Phase::Pending(_));
                let seat = self.quota.seat(runner.index, tracked.weight, pending);
                self.to_start
                    .push((key.clone(), tracked.job.clone(), runner, seat));
            } else {
                logger::about_job(id.0, &key.runner.former, || {
                    log::error!(
                        "this runner is not in the configuration any more; the job is kept in the \
                         state file, and its machine is left as it is"
                    );
                });
            }
            self.tracked.insert(key, tracked);
        }
        if total > 0 {
            log::info!("going on with {total} jobs from the state file");
        }
    }

    /// The runner that a job of the state file belongs to. The Python runner's file gives only the
    /// first characters of its token, which several runners may share: then the first of them.
    fn runner_of(&self, tracked: &Tracked) -> Option<&Arc<Runner>> {
        let name = &tracked.runner;
        let unique = self
            .runners
            .iter()
            .find(|runner| runner.unique_name == *name);
        let mut alike = self
            .runners
            .iter()
            .filter(|runner| name.unique.is_empty() && runner.unique_name.former == name.former);
        unique.or_else(|| alike.next())
    }

    /// The quota depends on what Clever Cloud offers, which may take a while to learn.
    fn weigh_reference(&self, reference: QuotaSettings) {
        let events = self.shop.events.clone();
        let stop = self.shop.stop.clone();
        let named = |runner: &&Arc<Runner>| runner.name == reference.reference_runner;
        let Some(runner) = self.runners.iter().find(named).cloned() else {
            return;
        };
        spawn("reference", move || {
            if let Ok(weight) = reference::weigh(&reference, runner.executor.as_ref(), &stop) {
                let _ = events.send(Event::Reference(weight));
            }
        });
    }

    fn search_orphans(&self) {
        let (runners, tenants) = (self.runners.clone(), self.tenants.clone());
        let (events, stop) = (self.shop.events.clone(), self.shop.stop.clone());
        spawn("orphans", move || {
            let _ = orphans::search(&runners, &tenants, &events, &stop);
        });
    }

    pub(super) fn start_pollers(&mut self) {
        for runner in &self.runners {
            let poller = Poller {
                runner: runner.clone(),
                quota: self.quota.clone(),
                events: self.shop.events.clone(),
                stop: self.shop.stop.clone(),
                pace: self.pace,
                cycles: self.options.poll_cycles,
            };
            let started = spawn(&format!("poll-{}", runner.index), move || {
                logger::about(Subject {
                    job: None,
                    runner: Some(poller.runner.name.clone()),
                });
                poller.run();
                let _ = poller.events.send(Event::PollerDone);
            });
            self.pollers += usize::from(started);
        }
    }
}
