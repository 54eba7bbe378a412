//! Asking a runner's coordinator for jobs: one thread for each runner, one function to ask.
//!
//! The design card has the main thread poll. A thread for each runner runs the same function
//! instead, for one runner as for ten, because a request for a job may be held for minutes and may
//! not be cut: meanwhile the main thread writes the state file, answers signals, and a coordinator
//! that is slow or down holds up no other. At a stop its answer is waited for as long as there can
//! be one; a [`Turn`] tells the main thread how long.

use std::collections::VecDeque;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::event::Event;
use super::turn::Turn;
use super::worker;
use crate::backoff::Backoff;
use crate::coordinator::{Grant, Queue};
use crate::counted::counted;
use crate::job::Job;
use crate::money::Spending;
use crate::payload::JobCredentials;
use crate::quota::{Full, Reservation};
use crate::runner::Runner;
use crate::runner::standing::Doing;
use crate::shutdown::{Stop, Stopped};
use crate::thread::Idle;
use crate::weight::Weight;

/// A coordinator in trouble is left alone for longer and longer, up to this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

const REMEMBERED_GRANTS: usize = 32;

pub struct Poller {
    pub runner: Arc<Runner>,
    pub events: Sender<Event>,
    /// Hears of the runner when its coordinator answers for the first time.
    pub answered: Sender<Arc<Runner>>,
    pub turn: Turn,
    pub stop: Stop,
    pub pace: Pace,
    pub spending: Arc<Spending>,
    /// How often to ask in all; none: until the service stops.
    pub cycles: Option<u64>,
}

#[derive(Clone, Copy)]
pub struct Pace {
    /// Between two requests.
    pub interval: Duration,
    /// While a limit is reached, unless there is room before.
    pub at_limit: Duration,
    pub repoll_immediately: bool,
    /// Of jobs without a timeout of their own, how old they become.
    pub max_age: Duration,
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.turn.is_over();
    }
}

/// What is remembered from one request to the next.
struct Memory {
    queue: Queue,
    has_answered: bool,
    /// The jobs that came last: a coordinator that grants one again is in trouble.
    granted: VecDeque<JobCredentials>,
    backoff: Backoff,
    full: Option<Full>,
    /// For the next job.
    worker: Option<Idle>,
    /// The trouble that was told last, as long as it lasts.
    told: Option<String>,
    /// Whether it was said what this runner does.
    has_begun: bool,
}

impl Memory {
    fn remember(&mut self, job: JobCredentials) {
        self.granted.truncate(REMEMBERED_GRANTS - 1);
        self.granted.push_front(job);
    }

    fn answered(&mut self) {
        if self.backoff.failures() > 0 {
            log::info!("the coordinator is back");
        }
        self.backoff.succeeded();
        self.told = None;
    }
}

impl Poller {
    /// Returns when the service stops, or after the last cycle.
    pub fn run(&self) {
        let mut memory = Memory {
            queue: Queue::default(),
            has_answered: false,
            granted: VecDeque::with_capacity(REMEMBERED_GRANTS),
            backoff: Backoff::new(self.pace.interval.min(LONGEST_BACKOFF), LONGEST_BACKOFF),
            full: None,
            worker: None,
            told: None,
            has_begun: false,
        };
        let mut cycle = 0;
        while self.cycles.is_none_or(|cycles| cycle < cycles) {
            cycle += 1;
            if self.stop.check().is_err() || self.poll(&mut memory).is_err() {
                break;
            }
        }
        self.runner.share.waits_no_more();
    }

    /// Asks for one job if there is room for it, and waits until it is time to ask again.
    fn poll(&self, memory: &mut Memory) -> Result<(), Stopped> {
        let share = &self.runner.share;
        if let Err(pause) = self.runner.check_health() {
            share.waits_no_more();
            return self.stop.wait(pause);
        }
        if let Some(why) = self.spending.forbids(&self.runner.name) {
            return self.await_month(memory, why);
        }
        let weights = match self.runner.executor.weights() {
            Ok(weights) => weights,
            Err(why) => return self.trouble(memory, Doing::CanNot(why), None),
        };
        if memory.worker.is_none() {
            match worker::ready() {
                Ok(worker) => memory.worker = Some(worker),
                Err(why) => return self.trouble(memory, Doing::CanNot(why), None),
            }
        }
        let reservation = match share.ask(&weights) {
            Ok(reservation) => reservation,
            Err(full) => return self.await_room(memory, full, &weights),
        };
        if memory.full.take().is_some_and(|full| full != Full::Held) {
            log::info!("there is room again: polling");
        }
        if memory.backoff.failures() == 0 {
            self.runner.standing.is(Doing::Asks);
        }
        let may_be_held = share.leaves_room_for_others();
        if !std::mem::replace(&mut memory.has_begun, true) {
            self.tell_begin();
        }
        let (runner, queue) = (&self.runner, &mut memory.queue);
        let coordinator = &runner.coordinator;
        let grant = self
            .turn
            .ask(|| coordinator.request_job(&runner.identity, queue, may_be_held));
        self.hear(memory, grant, *weights.end(), reservation)
    }

    /// Of a job that was granted nothing is known to be heavier than `heaviest`.
    fn hear(
        &self,
        memory: &mut Memory,
        grant: Grant,
        heaviest: Weight,
        reservation: Reservation,
    ) -> Result<(), Stopped> {
        let name = &self.runner.unique_name;
        match grant {
            Grant::Job(payload) => {
                let job = Job::granted(name, *payload, self.pace.max_age);
                self.take(memory, job, heaviest, reservation)
            }
            Grant::Unusable { job, why } => {
                // One damaged answer passes. Its author reads of it, too.
                log::warn!("job {} was granted, but {why}; it will be failed", job.id);
                let job = Job::unusable(name, job, &why);
                self.take(memory, job, Weight::ZERO, reservation)
            }
            Grant::Nothing { ask_on } => {
                drop(reservation);
                self.answered(memory);
                let pause = if ask_on {
                    Duration::ZERO
                } else {
                    self.pace.interval
                };
                self.stop.wait(pause)
            }
            Grant::Trouble { why, retry_after } => {
                drop(reservation);
                self.trouble(memory, Doing::Fails(why), retry_after)
            }
        }
    }

    /// It works as far as could be found out: what it does from now on.
    fn tell_begin(&self) {
        let (coordinator, machines) = (
            self.runner.coordinator.url(),
            self.runner.executor.describe(),
        );
        let (quota, most) = (self.runner.share.snapshot().limit, self.runner.share.most());
        log::info!(
            "asking {coordinator} for jobs: {machines}; up to a weight of {most} at once, of the \
             quota of {quota}"
        );
    }

    fn answered(&self, memory: &mut Memory) {
        memory.answered();
        self.runner.standing.is(Doing::Asks);
        if !mem::replace(&mut memory.has_answered, true) {
            // It is watched for as long as this thread runs.
            let _ = self.answered.send(self.runner.clone());
        }
    }

    /// Hands a granted job to the main thread. As long as it is not known what the job weighs it is
    /// the `heaviest`.
    fn take(
        &self,
        memory: &mut Memory,
        mut job: Job,
        heaviest: Weight,
        mut reservation: Reservation,
    ) -> Result<(), Stopped> {
        if memory.granted.contains(&job.credentials) {
            drop(reservation);
            let why = format!("it grants job {} again", job.credentials.id);
            return self.trouble(memory, Doing::Fails(why), None);
        }
        self.answered(memory);
        self.runner.standing.has_job();
        memory.remember(job.credentials.clone());
        let weight = job.payload().map_or(Some(Weight::ZERO), |payload| {
            self.runner.executor.weigh(payload, &job.machine)
        });
        let (weight, group) = (weight.unwrap_or(heaviest), job.machine.tenant.as_deref());
        if !reservation.granted(weight, group) {
            job = job.held();
        }
        // The dispatcher outlives us.
        let _ = self.events.send(Event::Granted {
            runner: self.runner.clone(),
            job: Box::new(job),
            reservation,
            worker: memory.worker.take(),
        });
        let pause = if self.pace.repoll_immediately {
            Duration::ZERO
        } else {
            self.pace.interval
        };
        self.stop.wait(pause)
    }

    fn trouble(
        &self,
        memory: &mut Memory,
        trouble: Doing,
        retry_after: Option<Duration>,
    ) -> Result<(), Stopped> {
        self.runner.share.waits_no_more();
        let why = trouble.reason().to_owned();
        self.runner.standing.is(trouble);
        let pause = memory.backoff.pause();
        let pause = retry_after.map_or(pause, |asked| asked.max(pause));
        // A night of it is one line.
        let is_new = memory.told.as_deref() != Some(&why);
        let level = if is_new {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        log::log!(
            level,
            "asking for a job: {why}; asking again in {pause:.0?}"
        );
        memory.told = Some(why);
        self.stop.wait(pause)
    }

    /// More money is there in the next month, or when the configuration is read again.
    fn await_month(&self, memory: &mut Memory, why: String) -> Result<(), Stopped> {
        self.runner.share.waits_no_more();
        if memory.told.as_ref() != Some(&why) {
            log::info!("not polling: {why}");
        }
        memory.told = Some(why.clone());
        self.runner.standing.is(Doing::Waits(why));
        self.stop.wait(self.pace.at_limit)
    }

    fn await_room(
        &self,
        memory: &mut Memory,
        full: Full,
        weights: &RangeInclusive<Weight>,
    ) -> Result<(), Stopped> {
        let needed = self.runner.share.snapshot().limits.needed(weights);
        let why = self.explain(full, needed);
        if memory.full.replace(full) != Some(full) && full != Full::Held {
            log::info!("not polling: {why}");
            self.warn_if_hopeless(needed);
        }
        self.runner.standing.is(Doing::Waits(why));
        let room = self.runner.share.room();
        self.stop.wait_or(room, self.pace.at_limit).map(drop)
    }

    /// A runner that needs more room to ask than the whole of its quota never asks.
    fn warn_if_hopeless(&self, needed: Weight) {
        let most = self.runner.share.most();
        if needed > most {
            log::warn!(
                "this runner will never get a job: it needs room for one that weighs {needed}, and \
                 all that it may use is {most}; raise `reference_jobs_count` or the runner's share of \
                 the quota (`quota_max_fraction`), or set `cc_max_flavor`"
            );
        }
    }

    fn explain(&self, full: Full, needed: Weight) -> String {
        let quota = self.runner.share.snapshot();
        let (limits, limit, in_use) = (quota.limits, quota.limit, quota.reserved.weight);
        match full {
            Full::Held => "a job of it waits for room, and has it first".to_owned(),
            Full::Launching => format!(
                "{} being launched, which is all that paas_max_concurrent_provisioning allows",
                counted(limits.launching, "job")
            ),
            Full::Jobs => {
                let jobs = counted(limits.jobs, "job");
                format!("{jobs} at once, which is all that `concurrent` allows")
            }
            Full::Limit(jobs) => {
                let jobs = counted(jobs, "job");
                format!("{jobs} of this runner at once, which is all that its `limit` allows")
            }
            Full::Weight => format!(
                "a job needs room for a weight of {needed}, and {in_use} of the quota of {limit} \
                 are in use or kept for jobs that wait"
            ),
            Full::Share => format!(
                "a job needs room for a weight of {needed}, which is more than what is left of this \
                 runner's part of the quota of {limit}"
            ),
            Full::Closed => "the state file can't be written".to_owned(),
        }
    }
}
