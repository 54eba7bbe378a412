//! The main thread: it alone owns the tracked jobs and the state file.
//!
//! Pollers and workers send [`Event`]s; the loop applies them, writes the state file once for all
//! that came together, and only then lets the senders go on: a granted job is on disk before its
//! worker starts, a machine before anything is pushed to it. Everything else may reach the disk a
//! moment late, because each step of a job's life finds its own work already done.
//!
//! The loop is left for one reason only: the service stops. Then no new jobs are taken, every wait
//! in every thread ends at once, and what is under way and can't be cut is waited for. It may drain before:
//! then it stops when the last job is over.

mod event;
mod poll;
mod pollers;
mod quota_limit;
pub mod reload;
mod settings;
mod signals;
mod standing;
mod start;
mod tenants;
mod tracking;
mod turn;
mod worker;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use self::event::Event;
use self::poll::Pace;
use self::pollers::Pollers;
use self::quota_limit::Reference;
use self::reload::Reread;
use self::signals::Request;
pub use self::start::run;
use self::tenants::Tenants;
use self::worker::{Task, WorkerContext};
use crate::clock::Timestamp;
use crate::control::server::Asked;
use crate::counted::counted;
use crate::deploy::scratch::Scratch;
use crate::manager::Manager;
use crate::money::{Ledger, Spending};
use crate::names::JobKey;
use crate::quota::Quota;
use crate::runner::{Roster, Runner};
use crate::shutdown::Stopper;
use crate::state::file::StateFile;
use crate::state::{PythonStandby, Tracked};
use crate::status::{self, Ended, OrphanReport};
use crate::web;
use crate::weight::Weight;

/// What is under way is waited for at a stop; service managers wait two minutes. A request for a
/// job has less time, see [`turn::Turn`].
const STOP_PATIENCE: Duration = Duration::from_secs(110);
/// Without a change for so long, what was written as changes is written whole.
const QUIET: Duration = Duration::from_secs(60);
/// The same with so few jobs that it costs next to nothing.
const QUIET_WITH_FEW: Duration = Duration::from_secs(2);
const FEW: usize = 20;
/// A second signal is a wish of its own only so long after the first.
const COUNTS_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How soon a state file that could not be written, or a thread that could not be started, is tried
/// again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_secs(3600);

/// What the command line says beyond the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Stop after so many rounds of polling.
    pub poll_cycles: Option<u64>,
}

/// Why the service could not go on, for the operator.
#[derive(Debug)]
pub struct ServiceError(String);

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is not on disk yet.
#[derive(Default)]
struct Unsaved {
    /// As they are now, or gone.
    jobs: BTreeSet<JobKey>,
    /// What only the whole file has room for.
    rest: bool,
}

impl Unsaved {
    fn is_any(&self) -> bool {
        self.rest || !self.jobs.is_empty()
    }
}

/// A tracked job whose runner is in the configuration.
struct Served {
    tracked: Tracked,
    runner: Arc<Runner>,
}

struct Dispatcher<'a> {
    roster: Roster,
    served: BTreeMap<JobKey, Served>,
    of_unknown_runners: Vec<Tracked>,
    python_standby: PythonStandby,
    tenants: Tenants,
    system_id: String,
    file: StateFile,
    /// As it is written in the configuration.
    state_file: PathBuf,
    scratch: Scratch,
    quota: Arc<Quota>,
    /// What new threads get; none any more while the service stops.
    workers: Option<WorkerContext>,
    pace: Pace,
    options: Options,
    pollers: Pollers,
    is_draining: bool,
    /// When to tell statistics.
    cycle: Receiver<Instant>,
    look_for_orphans: Sender<()>,
    ledger: Ledger,
    spending: Arc<Spending>,
    /// Those that are left alone, as the last search found them, by the names of their runners.
    orphans: BTreeMap<String, Vec<OrphanReport>>,
    watch_expiries: Sender<Arc<Runner>>,
    /// What waits for the state file to be written.
    to_start: Vec<Task>,
    to_release: Vec<Sender<Infallible>>,
    unsaved: Unsaved,
    /// When anything was written.
    changed: Instant,
    /// Why the state file could not be written.
    unwritten: Option<String>,
    /// What the quota is to be computed of, and whether the one that counts is.
    reference: Reference,
    is_weighed: bool,
    /// Why the quota could not be computed yet.
    unweighed: Option<String>,
    /// It was told that jobs wait for threads.
    lacks_threads: bool,
    manager: Manager,
    /// Since the manager was told last how the service stands.
    has_news: bool,
    started: Timestamp,
    configured: Timestamp,
    reread: Reread<'a>,
    /// The last one first.
    ended: VecDeque<Ended>,
    /// Where metrics and the page are served, and who asks for them.
    web: Option<web::Server>,
    ask: Sender<Asked>,
}

/// What wakes the main loop.
struct Wakers {
    events: Receiver<Event>,
    requests: Receiver<Request>,
    /// From the control socket, and for the page.
    asked: Receiver<Asked>,
    /// Disconnects when the last thread is gone that must be waited for.
    all_gone: Receiver<Infallible>,
}

/// Whether the main loop goes on.
enum Next {
    GoOn,
    Stop,
    Leave,
}

impl Dispatcher<'_> {
    /// The main loop.
    fn serve(&mut self, stopper: Stopper, wakers: &Wakers) -> Result<(), ServiceError> {
        let mut stopper = Some(stopper);
        let mut deadline = None;
        let mut result = Ok(());
        loop {
            let next = self
                .await_something(wakers, deadline)
                .unwrap_or_else(|error| {
                    result = Err(error);
                    Next::Stop
                });
            self.unsaved.rest |= self.quiet_in() == Some(Duration::ZERO);
            self.save();
            match next {
                Next::GoOn if !self.is_drained() => {}
                Next::Leave => break,
                Next::GoOn | Next::Stop if stopper.is_none() => {}
                Next::GoOn | Next::Stop => {
                    log::info!("stopping: taking no new jobs, finishing what can't be interrupted");
                    self.manager.stopping();
                    deadline = Some(Instant::now() + STOP_PATIENCE);
                    self.workers = None;
                    self.pollers.end_shift();
                    stopper = None;
                }
            }
            self.tell_manager();
        }
        // As the Python runner reads it.
        self.unsaved.rest |= self.file.has_journal();
        self.save();
        let left = self.all_tracked().count();
        if left == 0 {
            log::info!("stopped; no job is left");
        } else {
            let left = counted(left, "job");
            log::info!("stopped; the next start goes on with {left} from the state file");
        }
        result
    }

    /// Waits for whatever comes first, and does what it asks for.
    fn await_something(
        &mut self,
        wakers: &Wakers,
        deadline: Option<Instant>,
    ) -> Result<Next, ServiceError> {
        let patience = self.patience(deadline);
        let cycle = self.cycle.clone();
        select! {
            recv(wakers.events) -> event => {
                self.handle_all(event.into_iter().chain(wakers.events.try_iter()))?;
                let all_polled = self.options.poll_cycles.is_some() && !self.pollers.are_at_work();
                let done = all_polled && self.quota.snapshot().limit > Weight::ZERO;
                Ok(if done { Next::Stop } else { Next::GoOn })
            }
            recv(wakers.all_gone) -> _ => {
                self.handle_all(wakers.events.try_iter())?;
                Ok(Next::Leave)
            }
            recv(wakers.requests) -> request => Ok(match request {
                Ok(Request::Log) => {
                    status::log_tracked(&self.report());
                    Next::GoOn
                }
                Ok(Request::Reload) => {
                    self.reload();
                    Next::GoOn
                }
                Ok(Request::Drain) => {
                    self.drain();
                    Next::GoOn
                }
                Ok(Request::Stop) | Err(_) => {
                    deadline.map_or(Next::Stop, |deadline| self.stop_again(deadline))
                }
            }),
            recv(wakers.asked) -> asked => {
                if let Ok(asked) = asked {
                    self.answer(asked);
                }
                Ok(Next::GoOn)
            }
            recv(cycle) -> _ => {
                if deadline.is_none() {
                    status::log_statistics(&self.quota.snapshot());
                }
                Ok(Next::GoOn)
            }
            default(patience) => Ok(if deadline.is_some_and(|at| at <= Instant::now()) {
                log::warn!("not everything came to an end in time; the next start goes on with it");
                Next::Leave
            } else {
                Next::GoOn
            }),
        }
    }

    /// How long nothing need be done unless something comes.
    fn patience(&mut self, deadline: Option<Instant>) -> Duration {
        let given_up = if deadline.is_some() || self.is_draining {
            self.pollers.give_up_or_when()
        } else {
            None
        };
        let rest = |at: Instant| at.saturating_duration_since(Instant::now());
        let own = if self.unsaved.is_any() || !self.to_start.is_empty() {
            TRY_AGAIN
        } else {
            self.quiet_in().unwrap_or(HOUR)
        };
        let others = [
            deadline.map(rest),
            given_up.map(rest),
            self.manager.lives(),
            self.manager.listens_in(self.has_news),
            self.ledger.due_in(),
        ];
        others.into_iter().flatten().fold(own, Duration::min)
    }

    /// When the changes that are in the journal shall be in the file itself, for then nothing has
    /// happened for a while.
    fn quiet_in(&self) -> Option<Duration> {
        let quiet = if self.served.len() <= FEW {
            QUIET_WITH_FEW
        } else {
            QUIET
        };
        let rest = quiet.saturating_sub(self.changed.elapsed());
        self.file.has_journal().then_some(rest)
    }

    /// Some send the same signal twice, to the service and to all of its processes.
    fn stop_again(&self, deadline: Instant) -> Next {
        let rest = deadline.saturating_duration_since(Instant::now());
        if STOP_PATIENCE.saturating_sub(rest) < COUNTS_AGAIN_AFTER {
            log::debug!("told to stop again at once, which is the same wish");
            return Next::GoOn;
        }
        let asking = self.pollers.asking();
        let cost = if asking == 0 {
            "nothing is lost by that"
        } else {
            "a job that is being granted just now is lost, until its coordinator fails it"
        };
        log::warn!("told to stop again: leaving at once; {cost}");
        Next::Leave
    }

    fn all_tracked(&self) -> impl Iterator<Item = &Tracked> + Clone {
        let served = self.served.values().map(|served| &served.tracked);
        served.chain(&self.of_unknown_runners)
    }

    fn handle_all(&mut self, events: impl Iterator<Item = Event>) -> Result<(), ServiceError> {
        for event in events {
            self.has_news = true;
            log::trace!("{event:?}");
            self.handle(event)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), ServiceError> {
        match event {
            Event::QuotaLimit(reference, quota) if reference == self.reference => {
                self.unweighed = None;
                self.is_weighed = true;
                self.quota.set_limit(quota);
                self.start_pollers().map_err(ServiceError)?;
            }
            Event::QuotaTrouble(reference, why) if reference == self.reference => {
                self.unweighed = Some(why);
            }
            Event::Granted {
                runner,
                job,
                reservation,
                worker,
            } => self.granted(&runner, *job, reservation, worker),
            Event::Job {
                key,
                job,
                weight,
                saved,
            } => self.job(&key, *job, weight, saved),
            Event::WorkerDone {
                key,
                is_finished,
                ended,
            } => {
                self.account(ended);
                self.worker_done(&key, is_finished);
            }
            Event::Found {
                runner,
                found,
                without_job,
            } => {
                let _ = without_job.send(self.without_job(&runner, found));
            }
            Event::Orphan { runner, found } => self.orphan(&runner, *found),
            Event::Empty { groups, began } => self.forget_tenants(&groups, began),
            // Of a configuration that does not count any more; or looked at after each event.
            Event::QuotaLimit(..) | Event::QuotaTrouble(..) | Event::PollerDone => {}
        }
        Ok(())
    }
}
