//! Asking a runner's coordinator for jobs: one thread for each runner, one function to ask.
//!
//! The design card has the main thread poll. A thread for each runner runs the same function
//! instead, for one runner as for ten, because a request for a job may be held for minutes and may
//! not be cut: meanwhile the main thread writes the state file, answers signals, and a coordinator
//! that is slow or down holds up no other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::event::Event;
use crate::backoff::Backoff;
use crate::coordinator::Grant;
use crate::names::JobId;
use crate::quota::{Claim, Full};
use crate::runner::Runner;
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// A coordinator in trouble is left alone for longer and longer, up to this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

const REMEMBERED_GRANTS: usize = 32;
/// How long a runner that had no job waits behind those that have some.
const IDLE_FOR: Duration = Duration::from_secs(120);

pub struct Poller {
    pub runner: Arc<Runner>,
    pub events: Sender<Event>,
    /// Dropped with this: a request under way is waited for at a stop.
    pub _at_work: Sender<Infallible>,
    pub stop: Stop,
    pub pace: Pace,
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
}

/// What is remembered from one request to the next.
struct Memory {
    last_update: Option<String>,
    /// The jobs that came last: a coordinator that grants one again is in trouble.
    granted: VecDeque<JobId>,
    backoff: Backoff,
    full: Option<Full>,
    /// When there was no job the last time, if there was none.
    nothing: Option<Instant>,
    /// The trouble that was told last, as long as it lasts.
    told: Option<String>,
}

impl Memory {
    /// Where there was nothing a moment ago, there is likely nothing now.
    fn claim(&self) -> Claim {
        match self.nothing {
            Some(at) if at.elapsed() < IDLE_FOR => Claim::Loose,
            _ => Claim::Firm,
        }
    }

    fn remember(&mut self, job: JobId) {
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
            last_update: None,
            granted: VecDeque::with_capacity(REMEMBERED_GRANTS),
            backoff: Backoff::new(self.pace.interval.min(LONGEST_BACKOFF), LONGEST_BACKOFF),
            full: None,
            nothing: None,
            told: None,
        };
        let mut cycle = 0;
        while self.cycles.is_none_or(|cycles| cycle < cycles) {
            cycle += 1;
            if self.stop.check().is_err() || self.poll(&mut memory).is_err() {
                break;
            }
        }
        self.runner.share.leave_queue();
    }

    /// Asks for one job if there is room for it, and waits until it is time to ask again.
    fn poll(&self, memory: &mut Memory) -> Result<(), Stopped> {
        let share = &self.runner.share;
        let heaviest = match self.runner.executor.heaviest() {
            Ok(heaviest) => heaviest,
            Err(why) => return self.trouble(memory, &why, None),
        };
        let reservation = match share.reserve(heaviest, memory.claim()) {
            Ok(reservation) => reservation,
            Err(full) => return self.await_room(memory, full, heaviest),
        };
        if memory.full.take().is_some() {
            log::info!("there is room again: polling");
        }
        // A held request holds its reservation, too: only where no other runner waits for room.
        let last_update = memory.last_update.as_deref();
        let last_update = last_update.filter(|_| !share.is_contended());
        match self
            .runner
            .coordinator
            .request_job(&self.runner.identity, last_update)
        {
            Grant::Job(payload) if memory.granted.contains(&payload.credentials.id) => {
                drop(reservation);
                let id = payload.credentials.id;
                self.trouble(memory, &format!("it grants job {id} again"), None)
            }
            Grant::Job(payload) => {
                memory.answered();
                memory.remember(payload.credentials.id);
                memory.nothing = None;
                reservation.weighed(self.runner.executor.weigh(&payload).unwrap_or(heaviest));
                let runner = self.runner.clone();
                let granted = Event::Granted {
                    runner,
                    payload,
                    reservation,
                };
                // The dispatcher outlives us.
                let _ = self.events.send(granted);
                let pause = if self.pace.repoll_immediately {
                    Duration::ZERO
                } else {
                    self.pace.interval
                };
                self.stop.wait(pause)
            }
            Grant::Nothing { last_update } => {
                drop(reservation);
                memory.answered();
                memory.nothing = Some(Instant::now());
                memory.last_update = last_update.or(memory.last_update.take());
                self.stop.wait(self.pace.interval)
            }
            Grant::Trouble { why, retry_after } => {
                drop(reservation);
                self.trouble(memory, &why, retry_after)
            }
        }
    }

    fn trouble(
        &self,
        memory: &mut Memory,
        why: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), Stopped> {
        self.runner.share.leave_queue();
        let pause = memory.backoff.pause();
        let pause = retry_after.map_or(pause, |asked| asked.max(pause));
        // A night of it is one line.
        let is_new = memory.told.as_deref() != Some(why);
        let level = if is_new {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        log::log!(
            level,
            "asking for a job: {why}; asking again in {pause:.0?}"
        );
        memory.told = Some(why.to_owned());
        self.stop.wait(pause)
    }

    fn await_room(&self, memory: &mut Memory, full: Full, heaviest: Weight) -> Result<(), Stopped> {
        if memory.full.replace(full) != Some(full) {
            log::info!("not polling: {}", self.explain(full, heaviest));
            self.warn_if_hopeless(heaviest);
        }
        let room = self.runner.share.room();
        self.stop.wait_or(room, self.pace.at_limit).map(drop)
    }

    /// A runner that may take heavier jobs than the whole of its quota never gets any.
    fn warn_if_hopeless(&self, heaviest: Weight) {
        let most = self.runner.share.most();
        if heaviest > most {
            log::warn!(
                "this runner will never get a job: one may weigh {heaviest}, and all that the \
                 runner may use is {most}; raise `reference_jobs_count`, or set `cc_max_flavor`"
            );
        }
    }

    fn explain(&self, full: Full, heaviest: Weight) -> String {
        let quota = self.runner.share.snapshot();
        let (limits, limit, in_use) = (quota.limits, quota.limit, quota.reserved.weight);
        match full {
            Full::Launching => format!(
                "{} jobs are being launched, which is all that paas_max_concurrent_provisioning \
                 allows",
                limits.launching
            ),
            Full::Jobs => format!("{} jobs are all that `concurrent` allows", limits.jobs),
            Full::Weight => format!(
                "a job may weigh {heaviest}, and {in_use} of the quota of {limit} are in use or \
                 promised to runners that wait longer"
            ),
            Full::Share => format!(
                "a job may weigh {heaviest}, which is more than what is left of this runner's part \
                 of the quota of {limit}"
            ),
            Full::Closed => "the state file can't be written".to_owned(),
        }
    }
}
