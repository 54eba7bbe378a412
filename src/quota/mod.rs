//! Who may take how much: the limits on jobs, on weight, and on launches under way.
//!
//! A coordinator can't be told how heavy a job we can take, so before it is asked the heaviest one
//! that could come is reserved; when the job is known its [`Reservation`] shrinks to the job's own
//! weight. It is given back when it is dropped, from whichever thread. The weight in use is one
//! atomic counter; whatever else admission needs is in [`Books`], under one lock, and the counter
//! changes only under that lock, so that a check and what follows from it are one step.
//!
//! Runners wait for room in a queue: one that needs much is not starved by others that need little.
//! Runners are known here by the [`Share`] that each holds, and jobs not at all.

mod books;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded};

pub use self::books::Usage;
use self::books::{Books, Claimant, Entry, ShareId};
use crate::thread::lock;
use crate::weight::Weight;

/// The limits that don't depend on what Clever Cloud offers, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub jobs: usize,
    pub launching: usize,
}

pub struct Quota {
    limits: Limits,
    /// What all reservations weigh, in the units of [`Weight`].
    weight: AtomicU64,
    books: Mutex<Books>,
}

/// What a runner that finds no room may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Room is kept for it before others who come later.
    Firm,
    /// It is likely that there is no job for it: others may have the room first.
    Loose,
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

/// A runner's part of the quota. It is the runner's identity here, and goes with it.
pub struct Share {
    quota: Arc<Quota>,
    id: ShareId,
    fraction: f64,
    room: Receiver<()>,
}

/// What one job takes up of everything that is limited.
pub struct Reservation {
    quota: Arc<Quota>,
    id: u64,
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
    /// The least that any runner must find free to ask for a job, where that is known.
    pub smallest_request: Option<Weight>,
}

impl Quota {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            weight: AtomicU64::default(),
            books: Mutex::new(Books::open()),
        })
    }

    /// A runner's part: `fraction` of the quota at most, above 0 and at most 1.
    #[must_use]
    pub fn share(self: &Arc<Self>, fraction: f64) -> Share {
        let (wake, room) = bounded(1);
        let mut books = self.books();
        let id = ShareId(books.next_id());
        let heaviest = None;
        books.runners.insert(id, Claimant { heaviest, wake });
        drop(books);
        Share {
            quota: self.clone(),
            id,
            fraction,
            room,
        }
    }

    /// The weight in use, requests under way included.
    #[must_use]
    pub fn weight(&self) -> Weight {
        Weight::from_units(self.weight.load(Ordering::SeqCst))
    }

    pub fn set_limit(&self, weight: Weight) {
        let mut books = self.books();
        books.limit = weight;
        books.wake_all();
    }

    /// While it is closed no job is taken. True when that is a change.
    pub fn set_open(&self, open: bool) -> bool {
        let mut books = self.books();
        let changed = std::mem::replace(&mut books.is_open, open) != open;
        if changed {
            books.wake_all();
        }
        changed
    }

    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let books = self.books();
        let heaviest = books.runners.values().filter_map(|runner| runner.heaviest);
        Snapshot {
            limit: books.limit,
            limits: self.limits,
            reserved: books.usage(|_| true),
            in_use: books.usage(|entry| entry.asking_since.is_none()),
            smallest_request: heaviest.min(),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    fn enter(self: &Arc<Self>, books: &mut Books, entry: Entry) -> Reservation {
        let id = books.next_id();
        self.weight
            .fetch_add(entry.weight.units(), Ordering::SeqCst);
        books.reservations.insert(id, entry);
        Reservation {
            quota: self.clone(),
            id,
        }
    }
}

impl Share {
    /// Room for a job that may weigh `heaviest`, if there is some.
    ///
    /// # Errors
    /// [`Full`] when there is none; [`Share::room`] tells when it may be worth asking again.
    pub fn reserve(&self, heaviest: Weight, claim: Claim) -> Result<Reservation, Full> {
        let mut books = self.quota.books();
        if let Some(runner) = books.runners.get_mut(&self.id) {
            runner.heaviest = Some(heaviest);
        }
        match self.check(&books, heaviest) {
            Ok(()) => {
                books.leave_queue(self.id);
                let entry = Entry {
                    share: self.id,
                    weight: heaviest,
                    is_launching: true,
                    asking_since: Some(Instant::now()),
                };
                Ok(self.quota.enter(&mut books, entry))
            }
            Err(full) => {
                // What is not a matter of room for all keeps no other runner waiting.
                let is_own = matches!(full, Full::Share | Full::Closed);
                if is_own || claim == Claim::Loose {
                    books.leave_queue(self.id);
                } else if books.queue.iter().all(|(it, _)| *it != self.id) {
                    books.queue.push_back((self.id, heaviest));
                }
                Err(full)
            }
        }
    }

    fn check(&self, books: &Books, heaviest: Weight) -> Result<(), Full> {
        let limits = self.quota.limits;
        let lent = books.usage(Entry::is_lent);
        let own = books.usage(|entry| entry.share == self.id);
        let all = books.usage(|_| true);
        let promised: Weight = books.ahead_of(self.id).sum();
        let waiting = books.ahead_of(self.id).count();
        if !books.is_open {
            Err(Full::Closed)
        } else if own.weight + heaviest > books.limit.fraction(self.fraction) {
            Err(Full::Share)
        } else if self.quota.weight().minus(lent.weight) + promised + heaviest > books.limit {
            Err(Full::Weight)
        } else if all.jobs + waiting >= limits.jobs + lent.jobs {
            Err(Full::Jobs)
        } else if all.launching + waiting >= limits.launching + lent.launching {
            Err(Full::Launching)
        } else {
            Ok(())
        }
    }

    /// For a job that is here already, whatever the limits say; a launch, until it is said that it is
    /// none any more.
    #[must_use]
    pub fn hold(&self, weight: Weight) -> Reservation {
        let entry = Entry {
            share: self.id,
            weight,
            is_launching: true,
            asking_since: None,
        };
        self.quota.enter(&mut self.quota.books(), entry)
    }

    /// Gives up the place in the queue: the runner can't use room at the moment.
    pub fn leave_queue(&self) {
        let mut books = self.quota.books();
        books.leave_queue(self.id);
        books.wake_all();
    }

    /// Whether others wait for room, so that a reservation should not be held without need.
    #[must_use]
    pub fn is_contended(&self) -> bool {
        !self.quota.books().queue.is_empty()
    }

    /// Something arrives here when there may be room.
    #[must_use]
    pub const fn room(&self) -> &Receiver<()> {
        &self.room
    }

    /// All that the runner may use at once.
    #[must_use]
    pub fn most(&self) -> Weight {
        self.quota.books().limit.fraction(self.fraction)
    }

    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.quota.snapshot()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut books = self.quota.books();
        books.runners.remove(&self.id);
        books.leave_queue(self.id);
        books.wake_all();
    }
}

impl Reservation {
    /// Nothing, after it was released.
    #[must_use]
    pub fn weight(&self) -> Weight {
        let books = self.quota.books();
        let entry = books.reservations.get(&self.id);
        entry.map_or(Weight::ZERO, |entry| entry.weight)
    }

    /// There is a job, and its own weight is known. It may be more than what was reserved.
    pub fn weighed(&self, weight: Weight) {
        self.change(|entry| {
            let before = std::mem::replace(&mut entry.weight, weight);
            entry.asking_since = None;
            let all = &self.quota.weight;
            all.fetch_add(weight.units(), Ordering::SeqCst);
            all.fetch_sub(before.units(), Ordering::SeqCst);
        });
    }

    /// It is no launch any more: the job runs, or others should not have to wait for it.
    pub fn launched(&self) {
        self.change(|entry| entry.is_launching = false);
    }

    /// Nothing of the job weighs any more.
    pub fn release(&self) {
        let mut books = self.quota.books();
        if let Some(entry) = books.reservations.remove(&self.id) {
            let weight = entry.weight.units();
            self.quota.weight.fetch_sub(weight, Ordering::SeqCst);
            books.wake_all();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        let mut books = self.quota.books();
        if let Some(entry) = books.reservations.get_mut(&self.id) {
            change(entry);
            books.wake_all();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests;
