//! Who may take how much: the limits on jobs, on weight, and on launches under way.
//!
//! A coordinator can't be told how heavy a job we can take, so before it is asked the heaviest one
//! that could come is reserved as a [`Seat`]; when the job is known its seat shrinks to the job's
//! own weight. A seat is given back when it is dropped, from whichever thread: the counters are
//! atomic. Admission goes through one lock, which also keeps the queue of runners that wait for
//! room: one that needs much is not starved by others that need little.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::weight::Weight;

/// The limits, as configured.
pub struct Limits {
    pub jobs: usize,
    pub launching: usize,
    /// Each runner's part of the weight, at most, in the order of the configuration.
    pub fractions: Vec<f64>,
}

pub struct Quota {
    limits: Limits,
    /// Nothing, until the reference flavor's weight is known.
    limit: AtomicU64,
    weight: AtomicU64,
    jobs: AtomicUsize,
    launching: AtomicUsize,
    open: AtomicBool,
    runners: Vec<Share>,
    admission: Mutex<Admission>,
}

/// Who is let in next.
#[derive(Default)]
struct Admission {
    /// Runners that wait for room that all share, with what they need.
    queue: VecDeque<(usize, Weight)>,
    /// What is only reserved: requests under way.
    asking: Vec<Asking>,
}

#[derive(Clone, Copy)]
struct Asking {
    runner: usize,
    weight: Weight,
    since: Instant,
}

impl Asking {
    /// A coordinator that does not answer must not keep the others from their jobs. Should it grant
    /// one at last, there is one too many for a while.
    fn is_lent(&self) -> bool {
        self.since.elapsed() >= LENT_AFTER
    }
}

/// Longer than any coordinator holds a request that it means to answer.
const LENT_AFTER: Duration = Duration::from_secs(60);

/// What a runner that finds no room may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Room is kept for it before others who come later.
    Firm,
    /// It is likely that there is no job for it: others may have the room first.
    Loose,
}

/// What one runner uses, and how it hears that there is room again.
struct Share {
    weight: AtomicU64,
    /// The heaviest job that it may be granted, as it said when it last asked for room.
    heaviest: AtomicU64,
    wake: Sender<()>,
    woken: Receiver<()>,
}

/// Why a runner may not ask for a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// `paas_max_concurrent_provisioning`
    Launching,
    /// `concurrent`
    Jobs,
    /// The quota, or what is left of it for those who came later.
    Weight,
    /// The runner's own part of the quota.
    Share,
    /// The state file can't be written: a job that was taken could be forgotten.
    Closed,
}

/// The place of one job in all counters.
pub struct Seat {
    quota: Arc<Quota>,
    runner: usize,
    weight: Weight,
    launching: bool,
    /// Nobody knows yet whether a job will come.
    is_reserved: bool,
}

/// What is in use.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub weight: Weight,
    pub jobs: usize,
    pub launching: usize,
}

impl Quota {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let share = |_: &f64| {
            let (wake, woken) = bounded(1);
            Share {
                weight: AtomicU64::default(),
                heaviest: AtomicU64::new(u64::MAX),
                wake,
                woken,
            }
        };
        Arc::new(Self {
            runners: limits.fractions.iter().map(share).collect(),
            limits,
            limit: AtomicU64::default(),
            weight: AtomicU64::default(),
            jobs: AtomicUsize::default(),
            launching: AtomicUsize::default(),
            open: AtomicBool::new(true),
            admission: Mutex::default(),
        })
    }

    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The quota, as a weight.
    #[must_use]
    pub fn limit(&self) -> Weight {
        Weight::from_units(self.limit.load(Ordering::SeqCst))
    }

    pub fn set_limit(&self, weight: Weight) {
        self.limit.store(weight.units(), Ordering::SeqCst);
        self.wake_all();
    }

    /// A seat for a job of `runner` that may weigh `heaviest`.
    ///
    /// # Errors
    /// [`Full`] when there is no room; [`Quota::room_for`] tells when it may be worth asking again.
    pub fn reserve(
        self: &Arc<Self>,
        runner: usize,
        heaviest: Weight,
        claim: Claim,
    ) -> Result<Seat, Full> {
        if let Some(share) = self.runners.get(runner) {
            share.heaviest.store(heaviest.units(), Ordering::SeqCst);
        }
        let mut admission = self.admission();
        let mut ahead = admission.queue.clone();
        if let Some(place) = ahead.iter().position(|(waiting, _)| *waiting == runner) {
            ahead.truncate(place);
        }
        let checked = self.check(runner, heaviest, &ahead, &admission.asking);
        let queue = &mut admission.queue;
        match checked {
            // What is not a matter of room for all keeps nobody else waiting.
            Ok(()) | Err(Full::Share | Full::Closed) => queue.retain(|(it, _)| *it != runner),
            Err(_) if claim == Claim::Loose => queue.retain(|(it, _)| *it != runner),
            Err(_) if ahead.len() == queue.len() => queue.push_back((runner, heaviest)),
            Err(_) => {}
        }
        checked?;
        admission.asking.push(Asking {
            runner,
            weight: heaviest,
            since: Instant::now(),
        });
        let mut seat = self.seat(runner, heaviest, true);
        seat.is_reserved = true;
        Ok(seat)
    }

    fn check(
        &self,
        runner: usize,
        heaviest: Weight,
        ahead: &VecDeque<(usize, Weight)>,
        asking: &[Asking],
    ) -> Result<(), Full> {
        let usage = self.usage();
        let lent = || asking.iter().filter(|asking| asking.is_lent());
        let lent_weight = lent().map(|asking| asking.weight).sum();
        let (lent, waiting) = (lent().count(), ahead.len());
        let promised: Weight = ahead.iter().map(|(_, weight)| *weight).sum();
        let fraction = self.limits.fractions.get(runner).copied().unwrap_or(1.0);
        if !self.open.load(Ordering::SeqCst) {
            Err(Full::Closed)
        } else if self.used_by(runner) + heaviest > self.limit().fraction(fraction) {
            Err(Full::Share)
        } else if usage.weight.minus(lent_weight) + promised + heaviest > self.limit() {
            Err(Full::Weight)
        } else if usage.jobs + waiting >= self.limits.jobs + lent {
            Err(Full::Jobs)
        } else if usage.launching + waiting >= self.limits.launching + lent {
            Err(Full::Launching)
        } else {
            Ok(())
        }
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a job that is here already, whatever the limits say.
    #[must_use]
    pub fn seat(self: &Arc<Self>, runner: usize, weight: Weight, launching: bool) -> Seat {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        self.launching
            .fetch_add(usize::from(launching), Ordering::SeqCst);
        self.take(runner, weight);
        Seat {
            quota: self.clone(),
            runner,
            weight,
            launching,
            is_reserved: false,
        }
    }

    /// Gives up a runner's place in the queue: it can't use room at the moment.
    pub fn leave_queue(&self, runner: usize) {
        self.admission().queue.retain(|(it, _)| *it != runner);
        self.wake_all();
    }

    /// Whether others wait for room, so that a seat should not be held without need.
    #[must_use]
    pub fn is_contended(&self) -> bool {
        !self.admission().queue.is_empty()
    }

    /// Something arrives here when there may be room for `runner`.
    #[must_use]
    pub fn room_for(&self, runner: usize) -> Option<&Receiver<()>> {
        self.runners.get(runner).map(|share| &share.woken)
    }

    /// While it is closed nobody takes a job. Whether that is a change.
    pub fn set_open(&self, open: bool) -> bool {
        let changed = self.open.swap(open, Ordering::SeqCst) != open;
        if changed {
            self.wake_all();
        }
        changed
    }

    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            weight: Weight::from_units(self.weight.load(Ordering::SeqCst)),
            jobs: self.jobs.load(Ordering::SeqCst),
            launching: self.launching.load(Ordering::SeqCst),
        }
    }

    /// What jobs use that are here, without what is reserved for those that may come.
    #[must_use]
    pub fn usage_of_jobs(&self) -> Usage {
        let usage = self.usage();
        let admission = self.admission();
        let asking = admission.asking.len();
        let asking_weight = admission.asking.iter().map(|asking| asking.weight).sum();
        Usage {
            weight: usage.weight.minus(asking_weight),
            jobs: usage.jobs.saturating_sub(asking),
            launching: usage.launching.saturating_sub(asking),
        }
    }

    /// The least that any runner must find free to ask for a job.
    #[must_use]
    pub fn smallest_request(&self) -> Weight {
        let requests = self
            .runners
            .iter()
            .map(|share| share.heaviest.load(Ordering::SeqCst));
        Weight::from_units(requests.min().unwrap_or(u64::MAX))
    }

    fn used_by(&self, runner: usize) -> Weight {
        let share = self.runners.get(runner);
        Weight::from_units(share.map_or(0, |share| share.weight.load(Ordering::SeqCst)))
    }

    fn take(&self, runner: usize, weight: Weight) {
        self.weight.fetch_add(weight.units(), Ordering::SeqCst);
        if let Some(share) = self.runners.get(runner) {
            share.weight.fetch_add(weight.units(), Ordering::SeqCst);
        }
    }

    fn give_back(&self, runner: usize, weight: Weight) {
        self.weight.fetch_sub(weight.units(), Ordering::SeqCst);
        if let Some(share) = self.runners.get(runner) {
            share.weight.fetch_sub(weight.units(), Ordering::SeqCst);
        }
    }

    fn wake_all(&self) {
        for share in &self.runners {
            // Full means that it has been woken already.
            let _ = share.wake.try_send(());
        }
    }
}

impl Seat {
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.weight
    }

    /// The job's own weight is known now. It may be more than what was reserved.
    pub fn settle(&mut self, weight: Weight) {
        self.confirm();
        self.quota.take(self.runner, weight);
        self.quota.give_back(self.runner, self.weight);
        self.weight = weight;
        self.quota.wake_all();
    }

    /// It is known whether a job came.
    fn confirm(&mut self) {
        if std::mem::take(&mut self.is_reserved) {
            let mut admission = self.quota.admission();
            admission.asking.retain(|it| it.runner != self.runner);
        }
    }

    /// The job runs: it is no launch any more.
    pub fn launched(&mut self) {
        if std::mem::take(&mut self.launching) {
            self.quota.launching.fetch_sub(1, Ordering::SeqCst);
            self.quota.wake_all();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.confirm();
        self.launched();
        self.quota.give_back(self.runner, self.weight);
        self.quota.jobs.fetch_sub(1, Ordering::SeqCst);
        self.quota.wake_all();
    }
}

#[cfg(test)]
mod tests;
