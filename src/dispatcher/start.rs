//! From the configuration and the state file to a service that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::poll::{Pace, Poller};
use super::quota::{Limits, Quota};
use super::runner::{Installation, Runner};
use super::state::{State, Tracked};
use super::state_file::StateFile;
use super::worker::{Shop, Task};
use super::{
    Dispatcher, Event, JobKey, Options, ServiceError, keep_at, orphans, reference, signals, spawn,
    system_id,
};
use crate::config::{Config, QuotaSettings};
use crate::deploy::git::Workshop;
use crate::http::Http;
use crate::job::Phase;
use crate::job::life::Policy;
use crate::logger::{self, Subject};
use crate::shutdown;
use crate::spacing::LaunchSpacing;
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
    let (doubt, doubts) = bounded(1);
    let shop = Shop {
        spacing: Arc::new(LaunchSpacing::new(config.launch_spacing)),
        policy: Policy {
            progress_interval: config.progress_interval,
            keep_finished: config.keep_finished,
            decommission_launch_failures: config.decommission_launch_failures,
        },
        stop,
        events,
    };
    let statistics = config.log_statistics.then_some(config.check_interval);
    let mut dispatcher = Dispatcher::new(&config, options, runners, shop, file, doubt);
    dispatcher.system_id = installation.system_id;
    dispatcher.restore(state);
    dispatcher.save();
    dispatcher.search_orphans(doubts)?;
    dispatcher.weigh_reference(config.quota)?;
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
        doubt: Sender<()>,
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
            kept: Vec::new(),
            doubt,
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
            if let Some(runner) = self.runner_of(&tracked).cloned() {
                tracked.section = Some(runner.name.clone());
                if tracked.runner.unique.is_empty() {
                    tracked.runner = runner.unique_name.clone();
                }
                let key = tracked.key();
                let pending = matches!(tracked.job.phase, Phase::Pending(_));
                let seat = self.quota.seat(runner.index, tracked.weight, pending);
                self.to_start.push(Task {
                    key: key.clone(),
                    job: tracked.job.clone(),
                    runner,
                    seat,
                });
                self.tracked.insert(key, tracked);
            } else {
                let id = tracked.job.credentials.id;
                logger::about_job(id.0, &tracked.runner.former, || {
                    log::error!(
                        "this runner is not in the configuration any more; the job is kept in the \
                         state file, and its machine is left as it is"
                    );
                });
                self.kept.push(tracked);
            }
        }
        if total > 0 {
            log::info!("going on with {total} jobs from the state file");
        }
    }

    /// The runner that a job of the state file belongs to. Its token may have been changed, or its
    /// address: then the section of the same name. The Python runner's file gives only the first
    /// characters of its token, which several runners may share: then the first of them that has no
    /// job of that number already.
    fn runner_of(&self, tracked: &Tracked) -> Option<&Arc<Runner>> {
        let (name, id) = (&tracked.runner, tracked.job.credentials.id);
        let has_such_a_job = |runner: &Runner| {
            let runner = runner.unique_name.clone();
            self.tracked.contains_key(&JobKey { runner, id })
        };
        let find =
            |is_it: &dyn Fn(&Runner) -> bool| self.runners.iter().find(|runner| is_it(runner));
        find(&|runner| runner.unique_name == *name)
            .or_else(|| find(&|runner| tracked.section.as_ref() == Some(&runner.name)))
            .or_else(|| {
                find(&|runner| {
                    let may_be = name.unique.is_empty() && runner.unique_name.former == name.former;
                    may_be && !has_such_a_job(runner)
                })
            })
    }

    /// The quota depends on what Clever Cloud offers, which may take a while to learn.
    fn weigh_reference(&self, reference: QuotaSettings) -> Result<(), ServiceError> {
        let events = self.shop.events.clone();
        let stop = self.shop.stop.clone();
        let named = |runner: &&Arc<Runner>| runner.name == reference.reference_runner;
        let Some(runner) = self.runners.iter().find(named).cloned() else {
            return Ok(());
        };
        spawn("reference", runner, move |runner| {
            keep_at(&stop, || {
                let tell = |weight| {
                    let _ = events.send(Event::Reference(weight));
                };
                let _ = reference::weigh(&reference, runner.executor.as_ref(), &stop, tell);
            });
        })
        .map_err(no_thread)
    }

    fn search_orphans(&self, doubts: Receiver<()>) -> Result<(), ServiceError> {
        let (runners, tenants) = (self.runners.clone(), self.tenants.clone());
        let (events, stop) = (self.shop.events.clone(), self.shop.stop.clone());
        spawn("orphans", tenants, move |tenants| {
            keep_at(&stop, || {
                let _ = orphans::search(&runners, &tenants, &events, &doubts, &stop);
            });
        })
        .map_err(no_thread)
    }

    pub(super) fn start_pollers(&mut self) -> Result<(), ServiceError> {
        for runner in &self.runners {
            let poller = Poller {
                runner: runner.clone(),
                quota: self.quota.clone(),
                events: self.shop.events.clone(),
                stop: self.shop.stop.clone(),
                pace: self.pace,
                cycles: self.options.poll_cycles,
            };
            let name = format!("poll-{}", runner.index);
            spawn(&name, poller, |poller| {
                logger::about(Subject {
                    job: None,
                    runner: Some(poller.runner.name.clone()),
                });
                keep_at(&poller.stop, || poller.run());
                let _ = poller.events.send(Event::PollerDone);
            })
            .map_err(no_thread)?;
            self.pollers += 1;
        }
        Ok(())
    }
}

fn no_thread<T>(_: T) -> ServiceError {
    ServiceError::Start(
        "cannot go on without that thread; is a limit on threads or memory too low?".to_owned(),
    )
}
