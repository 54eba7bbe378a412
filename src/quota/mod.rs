//! Who may take how much: the limits on jobs, on weight, and on launches under way.
//!
//! A coordinator can't be told how heavy a job we can take. So it is asked while any job could fit,
//! and a job that turns out to be too heavy for now is *held*: it is ours, and waits for room, and
//! its runner asks for no other one meanwhile. Where jobs are not to be held, the heaviest one that
//! could come is reserved before it is asked; the [`Reservation`] then shrinks to the job's own weight.
//!
//! A reservation is given back when it is dropped, from whichever thread. The weight in use is one
//! atomic counter; whatever else admission needs is in [`Books`], under one lock, and the counter
//! changes only under that lock, so that a check and what follows from it are one step.
//!
//! Runners are known here by the [`Share`] that each holds, and of jobs only what they weigh.

mod books;
mod reservation;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded};

pub use self::books::Usage;
use self::books::{Books, Claimant, Entry, Left, ShareId, Stage};
pub use self::reservation::{Admission, Reservation};
use crate::thread::lock;
use crate::weight::Weight;

/// The limits that don't depend on what Clever Cloud offers, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub jobs: usize,
    pub launching: usize,
    /// Whether a job may be taken before there is room for it.
    pub holds: bool,
}

impl Limits {
    /// For who takes no jobs.
    pub const NO_JOBS: Self = Self {
        jobs: 0,
        launching: 0,
        holds: false,
    };

    /// What must be free before a coordinator is asked for a job that weighs one of these.
    #[must_use]
    pub fn needed(&self, weights: &RangeInclusive<Weight>) -> Weight {
        *if self.holds {
            weights.start()
        } else {
            weights.end()
        }
    }
}

pub struct Quota {
    /// What all that is here weighs, in the units of [`Weight`].
    weight: AtomicU64,
    books: Mutex<Books>,
}

/// Why a runner may not ask for a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It has a job that waits for room.
    Held,
    /// `paas_max_concurrent_provisioning`
    Launching,
    /// `concurrent`
    Jobs,
    /// The runner's own `limit`, which is this.
    Limit(usize),
    /// The quota, or what is left of it for those who came later.
    Weight,
    /// The runner's own part of the quota.
    Share,
    /// The state file can't be written: a job that was taken could be forgotten.
    Closed,
}

/// What a runner may have of the quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Jobs at once.
    pub jobs: usize,
    /// Above 0 and at most 1.
    pub fraction: f64,
    /// What one group's jobs may have of it; above 0 and at most 1.
    pub fraction_per_group: f64,
}

/// A runner's part of the quota. It is the runner's identity here, and goes with it.
pub struct Share {
    quota: Arc<Quota>,
    id: ShareId,
    room: Receiver<()>,
}

/// Limits and what is in use of them, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The quota, as a weight; nothing, until it is known.
    pub limit: Weight,
    pub limits: Limits,
    /// With what is only reserved: requests under way.
    pub reserved: Usage,
    /// Of jobs that are here.
    pub in_use: Usage,
    /// Jobs that wait for room.
    pub held: usize,
    /// The least that any runner must find free to ask for a job, where that is known.
    pub smallest_request: Option<Weight>,
}

impl Quota {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            weight: AtomicU64::default(),
            books: Mutex::new(Books::open(limits)),
        })
    }

    /// A new runner's part.
    #[must_use]
    pub fn share(self: &Arc<Self>, part: Part) -> Share {
        let (wake, room) = bounded(1);
        let id = self.change(|books| {
            let id = ShareId(books.next_id());
            let claimant = Claimant {
                part,
                needs: None,
                waits: false,
                last_turn: 0,
                left: Left::Nothing,
                wake,
            };
            books.runners.insert(id, claimant);
            id
        });
        Share {
            quota: self.clone(),
            id,
            room,
        }
    }

    /// The weight in use, requests under way included.
    #[must_use]
    pub fn weight(&self) -> Weight {
        Weight::from_units(self.weight.load(Ordering::SeqCst))
    }

    pub fn set_limit(&self, weight: Weight) {
        self.change(|books| books.limit = weight);
    }

    pub fn set_limits(&self, limits: Limits) {
        self.change(|books| books.limits = limits);
    }

    /// While it is closed no job is taken. True when that is a change.
    pub fn set_open(&self, open: bool) -> bool {
        self.change(|books| std::mem::replace(&mut books.is_open, open) != open)
    }

    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let books = lock(&self.books);
        let needs = books.runners.values().filter_map(|runner| runner.needs);
        Snapshot {
            limit: books.limit,
            limits: books.limits,
            reserved: books.usage(|_| true),
            in_use: books.usage(|entry| !entry.is_asking()),
            held: books.held().count(),
            smallest_request: needs.min(),
        }
    }

    /// Whatever changes, it may be somebody's turn.
    fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = lock(&self.books);
        let result = change(&mut books);
        books.settle();
        books.wake_waiting();
        self.weigh(&books);
        result
    }

    fn weigh(&self, books: &Books) {
        let weight = books.usage(|_| true).weight;
        self.weight.store(weight.units(), Ordering::SeqCst);
    }
}

impl Share {
    /// A place for a job that will weigh one of `weights`, if the coordinator may be asked for one.
    ///
    /// # Errors
    /// [`Full`] when it may not; [`Share::room`] tells when that may have changed.
    pub fn ask(&self, weights: &RangeInclusive<Weight>) -> Result<Reservation, Full> {
        let mut books = lock(&self.quota.books);
        let allowed = books.may_ask(self.id, weights);
        let allowed = allowed.and_then(|()| books.yield_to_waiting(self.id));
        let needs = books.limits.needed(weights);
        let turn = books.next_id();
        if let Some(runner) = books.runners.get_mut(&self.id) {
            runner.needs = Some(needs);
            runner.waits = allowed.is_err();
            if allowed.is_ok() {
                runner.last_turn = turn;
                runner.left = Left::Nothing;
            } else if runner.left == Left::Place {
                runner.left = Left::InVain;
                books.wake_waiting();
            }
        }
        allowed?;
        let weight = if books.limits.holds {
            Weight::ZERO
        } else {
            needs
        };
        let stage = Stage::Asking {
            since: Instant::now(),
        };
        let reservation = self.enter(&mut books, weight, None, stage);
        self.quota.weigh(&books);
        Ok(reservation)
    }

    /// What it may have from now on. The jobs that are here stay.
    pub fn set_part(&self, part: Part) {
        self.change(|books| {
            if let Some(runner) = books.runners.get_mut(&self.id) {
                runner.part = part;
            }
        });
    }

    /// For a job that is here already, and may have a machine, whatever the limits say.
    #[must_use]
    pub fn take_over(&self, weight: Weight, group: Option<&str>) -> Reservation {
        self.change(|books| self.enter(books, weight, group, Stage::Launching))
    }

    /// For a job that was held already.
    #[must_use]
    pub fn hold(&self, weight: Weight, group: Option<&str>) -> Reservation {
        self.change(|books| self.enter(books, weight, group, Stage::Held))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        self.quota.change(change)
    }

    fn enter(
        &self,
        books: &mut Books,
        weight: Weight,
        group: Option<&str>,
        stage: Stage,
    ) -> Reservation {
        let (wake, changed) = bounded(1);
        let id = books.next_id();
        let entry = Entry {
            share: self.id,
            group: group.map(str::to_owned),
            weight,
            stage,
            wake,
        };
        books.entries.insert(id, entry);
        Reservation {
            quota: self.quota.clone(),
            id,
            changed,
        }
    }

    /// It does not want to ask at the moment.
    pub fn waits_no_more(&self) {
        self.change(|books| {
            if let Some(runner) = books.runners.get_mut(&self.id) {
                runner.waits = false;
            }
        });
    }

    /// Whether all other runners can ask while a request of this one is under way, so that the
    /// coordinator may take its time with it.
    #[must_use]
    pub fn leaves_room_for_others(&self) -> bool {
        let books = lock(&self.quota.books);
        let others = books.runners.iter().filter(|(id, _)| **id != self.id);
        let all = books.usage(|_| true);
        let needs = others.clone().filter_map(|(_, runner)| runner.needs);
        let fits = books.limits.holds || all.weight + needs.sum() <= books.limit;
        fits && all.jobs + others.count() <= books.limits.jobs
    }

    /// Something arrives here when there may be room.
    #[must_use]
    pub const fn room(&self) -> &Receiver<()> {
        &self.room
    }

    /// All that the runner may use at once.
    #[must_use]
    pub fn most(&self) -> Weight {
        lock(&self.quota.books).most(self.id, None)
    }

    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.quota.snapshot()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.change(|books| books.runners.remove(&self.id));
    }
}

#[cfg(test)]
mod tests;
