//! From the configuration and the state file to a service that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, never, tick, unbounded};

use super::event::Event;
use super::poll::{Pace, Poller};
use super::tenants::Tenants;
use super::turn::Turn;
use super::worker::WorkerContext;
use super::{Dispatcher, Options, ServiceError, Unsaved, Wakers, quota_limit, signals};
use crate::config::{Config, QuotaSettings};
use crate::counted::counted;
use crate::deploy::scratch::Scratch;
use crate::executor::Found;
use crate::http::Http;
use crate::job::Phase;
use crate::job::context::Policy;
use crate::logger::{self, Subject};
use crate::names::JobKey;
use crate::orphans::search::{Search, Tracker};
use crate::quota::{Limits, Quota};
use crate::readiness;
use crate::runner::expiry::Watch;
use crate::runner::{self, Installation, Runner};
use crate::shutdown::{self, Stopped};
use crate::spacing::LaunchSpacing;
use crate::state::Tracked;
use crate::state::file::StateFile;
use crate::thread::{keep_at, spawn};
use crate::whole_file::beside;

/// Statistics that come faster than this are of no use.
const SHORTEST_CYCLE: Duration = Duration::from_millis(100);

/// Runs the service until it is told to stop.
///
/// # Errors
/// [`ServiceError`] when it can't start; never because of a job, a coordinator or Clever Cloud.
pub fn run(config: Config, options: Options) -> Result<(), ServiceError> {
    let start = ServiceError;
    let file = StateFile::open(&config.state_file).map_err(start)?;
    let state = file.load().map_err(start)?;
    let scratch = Scratch::open(beside(file.path(), ".pushes")).map_err(|error| {
        start(format!(
            "cannot prepare a folder beside the state file: {error}"
        ))
    })?;
    let requests =
        signals::listen().map_err(|error| start(format!("cannot listen to signals: {error}")))?;
    let (stopper, stop) = shutdown::channel();
    let system_id = state.system_id.as_deref();
    let http = Http::by_environment(config.connection_max_age, stop.clone()).map_err(start)?;
    let installation = Installation::of(&config.state_file, system_id, scratch.clone(), http);
    let quota = Quota::new(Limits {
        jobs: config.concurrent,
        launching: config.max_launching,
        holds: config.holds_jobs,
    });
    let allowed = config.quota.allowed_fraction_per_runner;
    let (events, incoming) = unbounded();
    let (at_work, all_gone) = bounded(0);
    let (look_for_orphans, wake) = bounded(1);
    let (watch_expiries, answered) = unbounded();
    let statistics = config.log_statistics.then_some(config.check_interval);
    let runners = runner::all(config.runners, &quota, allowed, &installation);
    let late = runner::created_within(&runners);
    let mut dispatcher = Dispatcher {
        runners,
        served: BTreeMap::new(),
        of_unknown_runners: Vec::new(),
        python_standby: state.python_standby,
        tenants: Tenants::of_last_process(state.tenants, late),
        system_id: installation.system_id,
        file,
        quota,
        workers: Some(WorkerContext {
            spacing: Arc::new(LaunchSpacing::new(config.launch_spacing)),
            policy: Policy {
                progress_interval: config.progress_interval,
                hold_at_most: config.hold_at_most,
                longest_job: config.longest_job,
                keep_finished: config.keep_finished,
                decommission_launch_failures: config.decommission_launch_failures,
            },
            stop: stop.clone(),
            events: events.clone(),
            at_work,
        }),
        pace: Pace {
            interval: config.check_interval,
            at_limit: config.limit_interval,
            repoll_immediately: config.repoll_immediately,
        },
        options,
        max_age: config.max_machine_age,
        polling: 0,
        turns: Vec::new(),
        look_for_orphans,
        watch_expiries,
        to_start: Vec::new(),
        to_release: Vec::new(),
        unsaved: Unsaved {
            rest: true,
            ..Unsaved::default()
        },
        lacks_threads: false,
    };
    dispatcher.restore(state.tracked);
    dispatcher.save();
    let watch = Watch {
        answered,
        tenants: dispatcher.tenants.names(),
        stop: stop.clone(),
    };
    let search = Search {
        runners: dispatcher.runners.clone(),
        tenants: dispatcher.tenants.names(),
        wake,
        stop,
    };
    search_orphans(search, events.clone())?;
    watch_for_expiries(watch)?;
    dispatcher.weigh_reference(config.quota, events)?;
    let wakers = Wakers {
        events: incoming,
        requests,
        cycle: statistics.map_or_else(never, |interval| tick(interval.max(SHORTEST_CYCLE))),
        all_gone,
    };
    readiness::tell();
    let result = dispatcher.serve(stopper, &wakers);
    scratch.close();
    result
}

fn search_orphans(search: Search, events: Sender<Event>) -> Result<(), ServiceError> {
    spawn("orphans", search, move |search| {
        keep_at(&search.stop, || {
            let _ = search.run(&MainLoop(&events));
        });
    })
    .map_err(ServiceError)
}

/// As the search for orphans sees it.
struct MainLoop<'a>(&'a Sender<Event>);

impl Tracker for MainLoop<'_> {
    fn without_job(&self, runner: &Arc<Runner>, found: Vec<Found>) -> Result<Vec<Found>, Stopped> {
        let (without_job, answer) = bounded(1);
        let _ = self.0.send(Event::Found {
            runner: runner.clone(),
            found,
            without_job,
        });
        answer.recv().map_err(|_| Stopped)
    }

    fn are_empty(&self, groups: BTreeSet<String>, began: Instant) {
        let _ = self.0.send(Event::Empty { groups, began });
    }

    fn is_orphan(&self, runner: &Arc<Runner>, found: Found) {
        let (runner, found) = (runner.clone(), Box::new(found));
        let _ = self.0.send(Event::Orphan { runner, found });
    }
}

/// After a panic it is over: beginning again would be one more look.
fn watch_for_expiries(watch: Watch) -> Result<(), ServiceError> {
    spawn("expiries", watch, |watch| {
        let _ = watch.run();
    })
    .map_err(ServiceError)
}

impl Dispatcher {
    /// Goes on with the jobs of the last process.
    fn restore(&mut self, mut jobs: Vec<Tracked>) {
        // Of two with one number the later one waits: it must not find the other one's machine. And
        // those that wait for room keep their order.
        jobs.sort_by_key(|known| {
            let phase = match known.job.phase {
                Phase::Ended { .. } => 0,
                Phase::Launched => 1,
                Phase::Pending(_) => 2,
                Phase::Held(_) => 3,
            };
            (phase, known.job.summary.granted)
        });
        let total = jobs.len();
        for mut tracked in jobs {
            if let Some(runner) = self.runner_of(&tracked).cloned() {
                tracked.belongs_to(&runner.name, &runner.unique_name);
                self.go_on_with(&runner, tracked, Duration::ZERO);
            } else {
                let id = tracked.job.credentials.id;
                logger::about_job(id.0, &tracked.runner.python, || {
                    log::error!(
                        "this runner is not in the configuration any more; the job is kept in the \
                         state file, and its machine is left as it is"
                    );
                });
                self.of_unknown_runners.push(tracked);
            }
        }
        if total > 0 {
            let total = counted(total, "job");
            log::info!("going on with {total} from the state file");
        }
    }

    /// The runner that a job of the state file belongs to. Its token may have been changed, or its
    /// address: then the section of the same name. The Python runner's file gives only the first
    /// characters of its token, which several runners may share: then the first of them that has no
    /// job of that number already.
    fn runner_of(&self, tracked: &Tracked) -> Option<&Arc<Runner>> {
        let (name, id) = (&tracked.runner, tracked.job.credentials.id);
        let find =
            |is_it: &dyn Fn(&Runner) -> bool| self.runners.iter().find(|runner| is_it(runner));
        find(&|runner| runner.unique_name == *name)
            .or_else(|| find(&|runner| tracked.section.as_ref() == Some(&runner.name)))
            .or_else(|| {
                find(&|runner| {
                    let may_be = name.unique.is_empty() && runner.unique_name.python == name.python;
                    let has_one = |key: &JobKey| key.id == id && key.runner == runner.unique_name;
                    may_be && !self.served.keys().any(has_one)
                })
            })
    }

    /// The quota depends on what Clever Cloud offers, which may take a while to learn.
    fn weigh_reference(
        &self,
        reference: QuotaSettings,
        events: Sender<Event>,
    ) -> Result<(), ServiceError> {
        let Some(workers) = &self.workers else {
            return Ok(());
        };
        let stop = workers.stop.clone();
        let named = |runner: &&Arc<Runner>| runner.name == reference.reference_runner;
        let Some(runner) = self.runners.iter().find(named).cloned() else {
            return Ok(());
        };
        spawn("quota", runner, move |runner| {
            logger::about(Subject {
                job: None,
                runner: Some(runner.name.clone()),
            });
            keep_at(&stop, || {
                let limit = quota_limit::weigh(&reference, runner.executor.as_ref(), &stop);
                let _ = limit.map(|limit| events.send(Event::QuotaLimit(limit)));
            });
        })
        .map_err(ServiceError)
    }

    pub(super) fn start_pollers(&mut self) -> Result<(), ServiceError> {
        let Some(workers) = &self.workers else {
            return Ok(());
        };
        for runner in &self.runners {
            let turn = Turn::new(&runner.name, workers.at_work.clone());
            self.turns.push(turn.clone());
            let poller = Poller {
                runner: runner.clone(),
                events: workers.events.clone(),
                answered: self.watch_expiries.clone(),
                turn,
                stop: workers.stop.clone(),
                pace: self.pace,
                max_age: self.max_age,
                cycles: self.options.poll_cycles,
            };
            let name = format!("poll-{}", self.polling);
            spawn(&name, poller, |poller| {
                logger::about(Subject {
                    job: None,
                    runner: Some(poller.runner.name.clone()),
                });
                keep_at(&poller.stop, || poller.run());
                let _ = poller.events.send(Event::PollerDone);
            })
            .map_err(ServiceError)?;
            self.polling += 1;
        }
        Ok(())
    }
}
