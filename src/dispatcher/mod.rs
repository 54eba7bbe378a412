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
mod start;
mod state;
mod state_file;
mod status;
mod system_id;
mod tracking;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, tick};
use serde_json::value::RawValue;

pub use self::litter::orphans;
use self::poll::Pace;
use self::quota::{Quota, Seat};
use self::runner::Runner;
use self::signals::Request;
pub use self::start::run;
use self::state::Tracked;
use self::state_file::StateFile;
use self::worker::{Shop, Task};
use crate::executor::{Doubt, FoundMachine, Resource};
use crate::job::Job;
use crate::names::JobKey;
use crate::payload::Payload;
use crate::shutdown::{Stop, Stopper};
use crate::weight::Weight;

/// Requests and pushes under way are waited for at a stop; service managers wait two minutes.
const STOP_PATIENCE: Duration = Duration::from_secs(110);
/// How soon a state file that could not be written, or a thread that could not be started, is tried
/// again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Statistics that come faster than this are for nobody.
const SHORTEST_CYCLE: Duration = Duration::from_millis(100);
const AFTER_PANIC: Duration = Duration::from_secs(10);
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
        doubt: Doubt,
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
    /// Jobs of runners that are not in the configuration.
    kept: Vec<Tracked>,
    /// Wakes the search for orphans.
    doubt: Sender<()>,
    standby: Vec<Box<RawValue>>,
    /// Top-level groups that ever had a job here.
    tenants: BTreeSet<String>,
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
    to_start: Vec<Task>,
    to_release: Vec<Sender<()>>,
    unsaved: bool,
}

/// What wakes the main loop.
struct Wakers<'a> {
    events: &'a Receiver<Event>,
    requests: &'a Receiver<Request>,
    /// When to tell statistics.
    cycle: Receiver<Instant>,
}

/// Whether the main loop goes on.
enum Next {
    GoOn,
    Stop,
    Leave,
}

impl Dispatcher {
    /// The main loop.
    fn serve(
        &mut self,
        stopper: Stopper,
        events: &Receiver<Event>,
        requests: &Receiver<Request>,
        statistics: Option<Duration>,
    ) -> Result<(), ServiceError> {
        let cycle = statistics.map_or_else(never, |interval| tick(interval.max(SHORTEST_CYCLE)));
        let wakers = Wakers {
            events,
            requests,
            cycle,
        };
        let mut stopper = Some(stopper);
        let mut deadline = None;
        let mut result = Ok(());
        while deadline.is_none() || self.pollers > 0 || self.workers > 0 {
            let next = self
                .await_something(&wakers, deadline)
                .unwrap_or_else(|error| {
                    result = Err(error);
                    Next::Stop
                });
            self.save();
            match next {
                Next::GoOn => {}
                Next::Leave => break,
                Next::Stop => {
                    if stopper.take().is_some() {
                        log::info!(
                            "stopping: taking no new jobs, finishing what can't be interrupted"
                        );
                        deadline = Some(Instant::now() + STOP_PATIENCE);
                    }
                }
            }
        }
        let left = self.tracked.len() + self.kept.len();
        log::info!("stopped; {left} jobs are in the state file");
        result
    }

    /// Waits for whatever comes first, and does what it asks for.
    fn await_something(
        &mut self,
        wakers: &Wakers<'_>,
        deadline: Option<Instant>,
    ) -> Result<Next, ServiceError> {
        let patience = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None if self.unsaved || !self.to_start.is_empty() => TRY_AGAIN,
            None => Duration::from_secs(3600),
        };
        select! {
            recv(wakers.events) -> event => {
                for event in event.into_iter().chain(wakers.events.try_iter()) {
                    self.handle(event)?;
                }
                let all_polled = self.options.poll_cycles.is_some() && self.pollers == 0;
                let done = all_polled && self.quota.limit() > Weight::ZERO;
                Ok(if done { Next::Stop } else { Next::GoOn })
            }
            recv(wakers.requests) -> request => Ok(match request {
                Ok(Request::Status) => {
                    status::log_tracked(self.all_tracked(), &self.quota);
                    Next::GoOn
                }
                Ok(Request::Stop) if deadline.is_some() => {
                    log::warn!("told to stop again: leaving at once");
                    Next::Leave
                }
                Ok(Request::Stop) | Err(_) => Next::Stop,
            }),
            recv(wakers.cycle) -> _ => {
                if deadline.is_none() {
                    status::log_statistics(&self.quota);
                }
                Ok(Next::GoOn)
            }
            default(patience) => Ok(if deadline.is_some() {
                log::warn!("not everything came to an end in time; the next start goes on with it");
                Next::Leave
            } else {
                Next::GoOn
            }),
        }
    }

    fn all_tracked(&self) -> impl Iterator<Item = &Tracked> + Clone {
        self.tracked.values().chain(&self.kept)
    }

    fn handle(&mut self, event: Event) -> Result<(), ServiceError> {
        match event {
            Event::Reference(Ok(quota)) => {
                log::info!("the quota is {quota}");
                self.quota.set_limit(quota);
                self.start_pollers()?;
            }
            Event::Reference(Err(problem)) if self.tracked.is_empty() => {
                return Err(ServiceError::Configuration(problem));
            }
            // Whatever Clever Cloud takes off its list, those that are here are served.
            Event::Reference(Err(problem)) => {
                log::error!("{problem}; going on with the jobs that are here, taking no new ones");
            }
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
}

/// Starts a thread that does `work` with `task`, or gives the task back when there is no room for a
/// thread.
fn spawn<T: Send + 'static>(
    name: &str,
    task: T,
    work: impl FnOnce(T) + Send + 'static,
) -> Result<(), T> {
    let builder = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK);
    let (hand_over, given) = bounded(1);
    let spawned = builder.spawn(move || {
        if let Ok(task) = given.recv() {
            work(task);
        }
    });
    match spawned {
        // It waits for that.
        Ok(_) => hand_over.send(task).map_err(|refused| refused.0),
        Err(error) => {
            log::error!("cannot start thread {name}: {error}");
            Err(task)
        }
    }
}

/// Does `work`, and begins again after a panic: that is a bug, which must not end what the service
/// lives of.
fn keep_at(stop: &Stop, work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {
        log::error!(
            "a panic, which is a bug: please report the message above; going on in \
             {AFTER_PANIC:.0?}"
        );
        if stop.wait(AFTER_PANIC).is_err() {
            break;
        }
    }
}
