//! The main thread: it alone owns the tracked jobs and the state file.
//!
//! Pollers and workers send [`Event`]s; the loop applies them, writes the state file once for all
//! that came together, and only then lets the senders go on: a granted job is on disk before its
//! worker starts, a machine before anything is pushed to it. Everything else may reach the disk a
//! moment late, because each step of a job's life finds its own work already done.
//!
//! The loop is left for one reason only: the service stops. Then no new jobs are taken, every wait
//! in every thread ends at once, and what is under way and can't be cut is waited for.

mod litter;
mod orphans;
mod poll;
mod quota;
mod reference;
mod runner;
mod signals;
mod state;
mod status;
mod system_id;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select, tick, unbounded};
use serde_json::value::RawValue;

pub use self::litter::orphans;
use self::poll::{Pace, Poller};
use self::quota::{Limits, Quota, Seat};
use self::runner::{Installation, Runner};
use self::signals::Request;
use self::state::{StateFile, Tracked, beside};
use self::worker::{Shop, work};
use crate::config::{Config, QuotaSettings, RunnerName};
use crate::deploy::git::Workshop;
use crate::executor::{FoundMachine, Resource};
use crate::http::Http;
use crate::job::life::Policy;
use crate::job::{Job, Phase};
use crate::launches::Launches;
use crate::logger::{self, Subject};
use crate::payload::{JobId, Payload};
use crate::shutdown::{self, Stopper};
use crate::trust;
use crate::weight::Weight;

/// Requests and pushes under way are waited for at a stop; service managers wait two minutes.
const STOP_PATIENCE: Duration = Duration::from_secs(110);
/// How soon a state file that could not be written is tried again.
const SAVE_AGAIN: Duration = Duration::from_secs(2);
/// Deep enough for a TLS handshake; most of it is never touched.
const STACK: usize = 256 << 10;

/// What the command line says beyond the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Stop after so many rounds of polling.
    pub poll_cycles: Option<u64>,
    /// Answer SIGUSR1 with what is tracked.
    pub debug_signal: bool,
}

/// Why the service could not go on.
#[derive(Debug)]
pub enum ServiceError {
    /// The configuration asks for what does not exist.
    Configuration(String),
    /// Something else that the operator must look at.
    Start(String),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text) | Self::Start(text) => f.write_str(text),
        }
    }
}

/// A job, among all of this program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct JobKey {
    runner: RunnerName,
    id: JobId,
}

enum Event {
    /// The quota's reference was weighed; an error is one of the configuration.
    Reference(Result<Weight, String>),
    Granted {
        runner: Arc<Runner>,
        payload: Box<Payload>,
        seat: Seat,
    },
    Progress {
        key: JobKey,
        progress: Progress,
    },
    /// Machines of a runner's jobs, tracked or not.
    Found {
        runner: Arc<Runner>,
        found: Vec<FoundMachine>,
    },
    /// A poller has done its last cycle.
    PollerDone,
}

enum Progress {
    /// `saved` is dropped when that is on disk.
    Provisioned {
        resource: Resource,
        saved: Sender<()>,
    },
    Pushed(Resource),
    Running,
    /// What is left to be settled; `saved` as above.
    Ended {
        left: Box<Job>,
        saved: Sender<()>,
    },
    Finished,
    /// The service stops; the state file has what the next start needs.
    HandedOver,
}

struct Dispatcher {
    runners: Vec<Arc<Runner>>,
    tracked: BTreeMap<JobKey, Tracked>,
    standby: Vec<Box<RawValue>>,
    system_id: String,
    file: StateFile,
    quota: Arc<Quota>,
    shop: Shop,
    pace: Pace,
    options: Options,
    max_age: Duration,
    /// Threads that may still send events.
    pollers: usize,
    workers: usize,
    /// What waits for the state file to be written.
    to_start: Vec<(JobKey, Job, Arc<Runner>, Seat)>,
    to_release: Vec<Sender<()>>,
    unsaved: bool,
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// [`ServiceError`] when it can't start; never because of a job, a coordinator or Clever Cloud.
pub fn run(config: Config, options: Options) -> Result<(), ServiceError> {
    let start = |error: String| ServiceError::Start(error);
    let file = StateFile::open(&config.state_file).map_err(start)?;
    let state = file.load().map_err(start)?;
    let system_id = system_id::of_this_installation(state.system_id.as_deref());
    let mark = system_id::mark(&system_id, &config.state_file);
    let (tracked, standby) = state.into_parts();
    let workshop = Workshop::open(beside(&config.state_file, ".pushes")).map_err(|error| {
        start(format!(
            "cannot prepare a folder beside the state file: {error}"
        ))
    })?;
    let requests = signals::listen(options.debug_signal)
        .map_err(|error| start(format!("cannot listen to signals: {error}")))?;
    let (stopper, stop) = shutdown::channel();
    let (events, incoming) = unbounded();
    let reference = config.quota;
    let statistics = config.log_statistics.then_some(config.check_interval);
    let installation = Installation {
        http: Http::new(trust::roots(None)),
        workshop: workshop.clone(),
        system_id: system_id.clone(),
        mark,
    };
    let runners: Vec<_> = config
        .runners
        .into_iter()
        .enumerate()
        .map(|(index, settings)| Arc::new(Runner::new(index, settings, &installation)))
        .collect();
    let allowed = reference.allowed_fraction_per_runner;
    let mut dispatcher = Dispatcher {
        quota: Quota::new(Limits {
            jobs: config.concurrent,
            launching: config.max_launching,
            fractions: runners
                .iter()
                .map(|runner| runner.max_fraction.min(allowed))
                .collect(),
        }),
        runners,
        tracked: BTreeMap::new(),
        standby,
        system_id,
        file,
        shop: Shop {
            launches: Arc::new(Launches::new(config.launch_spacing)),
            policy: Policy {
                progress_interval: config.progress_interval,
                keep_finished: config.keep_finished,
                decommission_launch_failures: config.decommission_launch_failures,
            },
            stop,
            events,
        },
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
    };
    dispatcher.restore(tracked);
    dispatcher.save();
    dispatcher.search_orphans();
    dispatcher.weigh_reference(reference);
    let result = dispatcher.serve(stopper, &incoming, &requests, statistics);
    workshop.close();
    result
}

impl Dispatcher {
    /// Goes on with the jobs of the last process.
    fn restore(&mut self, jobs: Vec<Tracked>) {
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

    /// The main loop.
    fn serve(
        &mut self,
        stopper: Stopper,
        incoming: &Receiver<Event>,
        requests: &Receiver<Request>,
        statistics: Option<Duration>,
    ) -> Result<(), ServiceError> {
        let mut stopper = Some(stopper);
        let mut deadline: Option<Instant> = None;
        let mut result = Ok(());
        let cycle = statistics.map_or_else(never, |interval| {
            tick(interval.max(Duration::from_millis(100)))
        });
        loop {
            if deadline.is_some() && self.pollers == 0 && self.workers == 0 {
                break;
            }
            let patience = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None if self.unsaved => SAVE_AGAIN,
                None => Duration::from_secs(3600),
            };
            let mut stopping = false;
            select! {
                recv(incoming) -> event => {
                    for event in event.into_iter().chain(incoming.try_iter()) {
                        if let Err(error) = self.handle(event) {
                            result = Err(error);
                            stopping = true;
                        }
                    }
                    let all_polled = self.options.poll_cycles.is_some() && self.pollers == 0;
                    stopping |= all_polled && self.quota.limit() > Weight::ZERO;
                }
                recv(requests) -> request => match request {
                    Ok(Request::Status) => status::log_tracked(self.tracked.values(), &self.quota),
                    Ok(Request::Stop) if deadline.is_some() => {
                        log::warn!("told to stop again: leaving at once");
                        break;
                    }
                    Ok(Request::Stop) | Err(_) => stopping = true,
                },
                recv(cycle) -> _ => if deadline.is_none() {
                    status::log_statistics(&self.quota, &self.runners);
                },
                default(patience) => if deadline.is_some() {
                    log::warn!("not everything came to an end in time; the next start goes on with it");
                    break;
                },
            }
            self.save();
            if stopping && stopper.take().is_some() {
                log::info!("stopping: taking no new jobs, finishing what can't be interrupted");
                deadline = Some(Instant::now() + STOP_PATIENCE);
            }
        }
        log::info!("stopped; {} jobs are in the state file", self.tracked.len());
        result
    }

    fn handle(&mut self, event: Event) -> Result<(), ServiceError> {
        match event {
            Event::Reference(Ok(quota)) => {
                log::info!("the quota is {quota}");
                self.quota.set_limit(quota);
                self.start_pollers();
            }
            Event::Reference(Err(problem)) => return Err(ServiceError::Configuration(problem)),
            Event::Granted {
                runner,
                payload,
                seat,
            } => self.granted(runner, *payload, seat),
            Event::Progress { key, progress } => self.progress(&key, progress),
            Event::Found { runner, found } => {
                for machine in found {
                    self.found(&runner, machine);
                }
            }
            Event::PollerDone => self.pollers -= 1,
        }
        Ok(())
    }

    fn granted(&mut self, runner: Arc<Runner>, payload: Payload, seat: Seat) {
        let id = payload.credentials.id;
        let key = JobKey {
            runner: runner.unique_name.clone(),
            id,
        };
        if self.tracked.contains_key(&key) {
            logger::about_job(id.0, &runner.name, || {
                log::error!("granted again while we have it; ignored");
            });
            return;
        }
        logger::about_job(id.0, &runner.name, || {
            log::info!("granted, with a weight of {}", seat.weight());
        });
        let job = Job::granted(payload, self.max_age);
        let tracked = Tracked {
            runner: key.runner.clone(),
            weight: seat.weight(),
            job: job.clone(),
        };
        self.tracked.insert(key.clone(), tracked);
        self.to_start.push((key, job, runner, seat));
        self.unsaved = true;
    }

    /// A machine of which nobody tracks the job goes, if we made it.
    fn found(&mut self, runner: &Arc<Runner>, machine: FoundMachine) {
        let key = JobKey {
            runner: runner.unique_name.clone(),
            id: machine.job,
        };
        if self.tracked.contains_key(&key) || self.shop.stop.check().is_err() {
            return;
        }
        let name = &machine.name;
        logger::about_job(machine.job.0, &runner.name, || {
            if machine.is_ours {
                log::warn!("machine {name} has no job any more; it goes");
            } else {
                log::warn!(
                    "machine {name} is nobody's, as far as we know, and was not made by this \
                     installation; `--orphans` tells more"
                );
            }
        });
        if machine.is_ours {
            let job = orphans::adopt(machine);
            let seat = self.quota.seat(runner.index, Weight::ZERO, false);
            let tracked = Tracked {
                runner: key.runner.clone(),
                weight: Weight::ZERO,
                job: job.clone(),
            };
            self.tracked.insert(key.clone(), tracked);
            self.to_start.push((key, job, runner.clone(), seat));
            self.unsaved = true;
        }
    }

    fn search_orphans(&self) {
        let (runners, events) = (self.runners.clone(), self.shop.events.clone());
        let stop = self.shop.stop.clone();
        spawn("orphans", move || {
            let _ = orphans::search(&runners, &events, &stop);
        });
    }

    fn progress(&mut self, key: &JobKey, progress: Progress) {
        self.unsaved = true;
        let known = self.tracked.get_mut(key).map(|tracked| &mut tracked.job);
        match (progress, known) {
            (Progress::Provisioned { resource, saved }, Some(job)) => {
                job.resource = Some(resource);
                self.to_release.push(saved);
            }
            (Progress::Pushed(resource), Some(job)) => job.resource = Some(resource),
            (Progress::Running, Some(job)) => job.phase = Phase::Launched,
            (Progress::Ended { left, saved }, Some(job)) => {
                *job = *left;
                self.to_release.push(saved);
            }
            (Progress::Finished, _) => {
                self.tracked.remove(key);
                self.workers -= 1;
            }
            (Progress::HandedOver, _) => self.workers -= 1,
            (_, None) => {}
        }
    }

    /// Writes the state file if something changed, then lets go on who waited for that.
    fn save(&mut self) {
        if self.unsaved {
            match self
                .file
                .save(self.tracked.values(), &self.standby, &self.system_id)
            {
                Ok(()) => {
                    self.unsaved = false;
                    self.quota.set_open(true);
                }
                Err(why) => {
                    log::error!("{why}; taking no new jobs until it can be written");
                    self.quota.set_open(false);
                }
            }
        }
        // Even if it could not be written: a job that we have is better served than kept waiting.
        self.to_release.clear();
        for (key, job, runner, seat) in std::mem::take(&mut self.to_start) {
            let shop = self.shop.clone();
            let name = format!("job-{}", key.id);
            self.workers += 1;
            spawn(&name, move || work(&key, job, &runner, seat, &shop));
        }
    }

    fn start_pollers(&mut self) {
        for runner in &self.runners {
            let poller = Poller {
                runner: runner.clone(),
                quota: self.quota.clone(),
                events: self.shop.events.clone(),
                stop: self.shop.stop.clone(),
                pace: self.pace,
                cycles: self.options.poll_cycles,
            };
            self.pollers += 1;
            spawn(&format!("poll-{}", runner.index), move || {
                logger::about(Subject {
                    job: None,
                    runner: Some(poller.runner.name.clone()),
                });
                poller.run();
                let _ = poller.events.send(Event::PollerDone);
            });
        }
    }
}

/// Starts a thread. There is always room for one, or this machine is beyond help.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    let builder = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK);
    if let Err(error) = builder.spawn(work) {
        log::error!("cannot start thread {name}: {error}");
    }
}
