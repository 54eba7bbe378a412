//! From the configuration and the state file to a service that runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::event::Event;
use super::poll::Poller;
use super::pollers::Pollers;
use super::quota_limit::Reference;
use super::reload::Reread;
use super::tenants::Tenants;
use super::turn::Turn;
use super::worker::WorkerContext;
use super::{Dispatcher, Options, ServiceError, Unsaved, Wakers, quota_limit, settings, signals};
use crate::clock::Timestamp;
use crate::config::{Config, QuotaSettings};
use crate::control;
use crate::counted::counted;
use crate::deploy::scratch::Scratch;
use crate::executor::Found;
use crate::http::Http;
use crate::job::Phase;
use crate::logger::{self, Subject};
use crate::manager::Manager;
use crate::money::{Budgets, Ledger, Spending};
use crate::names::JobKey;
use crate::orphans::search::{Search, Tracker};
use crate::quota::Quota;
use crate::runner::expiry::Watch;
use crate::runner::{self, Installation, Roster, Runner};
use crate::shutdown::{self, Stop, Stopped};
use crate::spacing::LaunchSpacing;
use crate::state::file::StateFile;
use crate::state::{State, Tracked};
use crate::thread::{keep_at, spawn};
use crate::whole_file::beside;

/// Runs the service until it is told to stop. What `reread` reads is the configuration as it is by then.
///
/// # Errors
/// [`ServiceError`] when it can't start; never because of a job, a coordinator or Clever Cloud.
pub fn run(config: Config, options: Options, reread: Reread<'_>) -> Result<(), ServiceError> {
    let file = StateFile::open(&config.state_file).map_err(ServiceError)?;
    let (ask, asked) = unbounded();
    // Before there are other threads.
    let socket = control::server::listen(&beside(file.path(), control::SOCKET), ask.clone());
    let _socket = socket.inspect_err(|why| log::warn!("{why}; --status and --drain will not work"));
    let requests = signals::listen()
        .map_err(|error| ServiceError(format!("cannot listen to signals: {error}")))?;
    let (stopper, stop) = shutdown::channel();
    let Ground {
        state,
        scratch,
        installation,
    } = ground(&config, &file, &stop)?;
    let quota = Quota::new(settings::limits(&config));
    let (policy, pace) = (settings::policy(&config), settings::pace(&config));
    let budgets = settings::budgets(&config);
    let cycle = settings::statistics(&config);
    let allowed = config.quota.allowed_fraction_per_runner;
    let (events, incoming) = unbounded();
    let (at_work, all_gone) = bounded(0);
    let (look_for_orphans, wake) = bounded(1);
    let (watch_expiries, answered) = unbounded();
    let runners = runner::all(config.runners, &quota, allowed, &installation, &[]);
    let late = runner::created_within(&runners);
    let ledger = Ledger::beside(file.path());
    let spending = spending_so_far(file.path(), budgets);
    let mut dispatcher = Dispatcher {
        roster: Roster::new(runners),
        served: BTreeMap::new(),
        of_unknown_runners: Vec::new(),
        python_standby: state.python_standby,
        tenants: Tenants::of_last_process(state.tenants, late),
        system_id: installation.system_id,
        file,
        state_file: config.state_file,
        scratch: scratch.clone(),
        quota,
        workers: Some(WorkerContext {
            spacing: Arc::new(LaunchSpacing::new(config.launch_spacing)),
            policy,
            spending: spending.clone(),
            stop: stop.clone(),
            events: events.clone(),
            at_work,
        }),
        pace,
        options,
        pollers: Pollers::default(),
        is_draining: false,
        cycle,
        look_for_orphans,
        orphans: BTreeMap::new(),
        ledger,
        spending,
        watch_expiries,
        to_start: Vec::new(),
        to_release: Vec::new(),
        unsaved: Unsaved {
            rest: true,
            ..Unsaved::default()
        },
        changed: Instant::now(),
        unwritten: None,
        reference: Reference::default(),
        is_weighed: false,
        unweighed: None,
        lacks_threads: false,
        manager: Manager::of_environment(),
        has_news: true,
        started: Timestamp::now(),
        configured: Timestamp::now(),
        reread,
        ended: VecDeque::new(),
        web: None,
        ask,
    };
    dispatcher.restore(state.tracked);
    dispatcher.save();
    dispatcher.watch(Watched {
        answered,
        wake,
        events,
        stop,
    })?;
    dispatcher.begin_shift(&config.quota);
    dispatcher.show(config.listen.as_ref());
    let wakers = Wakers {
        events: incoming,
        requests,
        asked,
        all_gone,
    };
    dispatcher.manager.ready();
    let result = dispatcher.serve(stopper, &wakers);
    scratch.close();
    result
}

/// What a service stands on.
struct Ground {
    state: State,
    scratch: Scratch,
    installation: Installation,
}

fn ground(config: &Config, file: &StateFile, stop: &Stop) -> Result<Ground, ServiceError> {
    let state = file.load().map_err(ServiceError)?;
    let scratch = Scratch::open(beside(file.path(), ".pushes")).map_err(|error| {
        ServiceError(format!(
            "cannot prepare a folder beside the state file: {error}"
        ))
    })?;
    let http = Http::by_environment(config.connection_max_age, stop.clone());
    let http = http.map_err(ServiceError)?;
    let id = state.system_id.as_deref();
    Ok(Ground {
        installation: Installation::of(&config.state_file, id, scratch.clone(), http),
        state,
        scratch,
    })
}

/// What this month has cost before.
fn spending_so_far(state_file: &Path, budgets: Budgets) -> Arc<Spending> {
    let spending = Spending::default();
    match Ledger::read(state_file, &Timestamp::now().month()) {
        Ok(entries) => spending.add(&entries),
        Err(why) => log::warn!("{why}; this month's costs are counted from now on"),
    }
    spending.set_budgets(budgets);
    Arc::new(spending)
}

/// What the threads get that look at everything now and then.
struct Watched {
    answered: Receiver<Arc<Runner>>,
    wake: Receiver<()>,
    events: Sender<Event>,
    stop: Stop,
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

impl Dispatcher<'_> {
    fn watch(&self, watched: Watched) -> Result<(), ServiceError> {
        watch_for_expiries(Watch {
            runners: self.roster.clone(),
            answered: watched.answered,
            tenants: self.tenants.names(),
            stop: watched.stop.clone(),
        })?;
        let search = Search {
            runners: self.roster.clone(),
            tenants: self.tenants.names(),
            wake: watched.wake,
            stop: watched.stop,
        };
        search_orphans(search, watched.events)
    }

    /// Goes on with the jobs of the last process.
    pub(super) fn restore(&mut self, mut jobs: Vec<Tracked>) {
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
        let mut total = 0;
        for mut tracked in jobs {
            if let Some(runner) = self.runner_of(&tracked) {
                total += 1;
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
    fn runner_of(&self, tracked: &Tracked) -> Option<Arc<Runner>> {
        let (name, id) = (&tracked.runner, tracked.job.credentials.id);
        let runners = self.roster.now();
        let find = |is_it: &dyn Fn(&Runner) -> bool| {
            let mut all = runners.iter();
            all.find(|runner| is_it(runner)).cloned()
        };
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

    /// Begins a new shift of pollers, who ask as soon as the quota is known. What it is depends on
    /// what Clever Cloud offers, which may take a while to learn: by a quota that was changed meanwhile
    /// too many jobs might be taken.
    pub(super) fn begin_shift(&mut self, settings: &QuotaSettings) {
        let Some(workers) = &self.workers else {
            return;
        };
        let (events, stop) = (workers.events.clone(), self.pollers.new_shift());
        let runners = self.roster.now();
        let named = |runner: &&Arc<Runner>| runner.name == settings.reference_runner;
        let runner = runners.iter().find(named);
        let reference = Reference::new(settings.clone(), runner.map(Arc::as_ref));
        let is_known = self.is_weighed && self.reference == reference;
        self.is_weighed = is_known;
        self.reference = reference.clone();
        self.unweighed = None;
        let weighed = runner.map_or(Ok(()), |runner| {
            spawn("quota", runner.clone(), move |runner| {
                logger::about(Subject::runner(&runner.name));
                keep_at(&stop, || {
                    let of = || reference.clone();
                    let trouble = |why| drop(events.send(Event::QuotaTrouble(of(), why)));
                    let executor = runner.executor.as_ref();
                    let limit = quota_limit::weigh(&reference, is_known, executor, &stop, trouble);
                    let _ = limit.map(|limit| events.send(Event::QuotaLimit(of(), limit)));
                });
            })
        });
        let begun = weighed.and_then(|()| {
            if is_known {
                self.start_pollers()
            } else {
                Ok(())
            }
        });
        if let Err(why) = begun {
            log::error!("{why}; no jobs are taken until the configuration is read again");
        }
    }

    /// Sends the pollers of this shift to work, if they aren't there.
    ///
    /// # Errors
    /// A text for the operator, when there is no room for a thread.
    pub(super) fn start_pollers(&mut self) -> Result<(), String> {
        let Some((workers, stop)) = self.workers.as_ref().zip(self.pollers.begins_with()) else {
            return Ok(());
        };
        let poller = |runner: &Arc<Runner>| Poller {
            runner: runner.clone(),
            events: workers.events.clone(),
            answered: self.watch_expiries.clone(),
            turn: Turn::new(&runner.name, workers.at_work.clone()),
            stop: stop.clone(),
            pace: self.pace,
            spending: self.spending.clone(),
            cycles: self.options.poll_cycles,
        };
        let pollers = self.roster.now().iter().map(poller).collect();
        self.pollers.send(pollers)
    }
}
