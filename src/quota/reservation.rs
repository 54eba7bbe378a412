//! What one job takes up, in the hands of whoever serves it: from the request for it, which may bring
//! none, until nothing of it weighs any more.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::Quota;
use super::books::{Entry, Stage};
use crate::thread::lock;
use crate::weight::Weight;

/// What one job takes up of everything that is limited.
pub struct Reservation {
    pub(super) quota: Arc<Quota>,
    pub(super) id: u64,
    pub(super) changed: Receiver<()>,
}

/// How far a job has come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is no room for it yet.
    Held,
    /// There never will be: it weighs more than all that it may use.
    TooHeavy {
        most: Weight,
    },
    /// There is room, and it will be launched after others.
    Queued,
    Admitted,
}

impl Reservation {
    /// There is a job, which came just now. It may weigh more than what was reserved. Whether there is
    /// room for it at once.
    pub fn granted(&mut self, weight: Weight, group: Option<&str>) -> bool {
        let mine = self.id;
        self.id = self.quota.change(|books| {
            let Some(mut entry) = books.entries.remove(&mine) else {
                return mine;
            };
            let is_reserved = !books.limits.holds && weight <= entry.weight;
            entry.weight = weight;
            entry.group = group.map(str::to_owned);
            entry.stage = if is_reserved {
                Stage::Queued
            } else {
                Stage::Held
            };
            let id = books.next_id();
            books.entries.insert(id, entry);
            id
        });
        matches!(self.admission(), Admission::Queued | Admission::Admitted)
    }

    /// It is known now what the job weighs.
    pub fn weighed(&self, weight: Weight) {
        self.change(|entry| entry.weight = weight);
    }

    /// It is no launch any more: the job runs, or others should not have to wait for it.
    pub fn launched(&self) {
        self.change(|entry| {
            if entry.stage == Stage::Launching {
                entry.stage = Stage::Running;
            }
        });
    }

    /// Nothing of the job weighs any more.
    pub fn release(&self) {
        self.quota.change(|books| books.entries.remove(&self.id));
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        self.quota.change(|books| {
            if let Some(entry) = books.entries.get_mut(&self.id) {
                change(entry);
            }
        });
    }

    /// How far the job has come.
    #[must_use]
    pub fn admission(&self) -> Admission {
        let books = lock(&self.quota.books);
        let Some(entry) = books.entries.get(&self.id) else {
            return Admission::Admitted;
        };
        let most = books.most(entry.share, entry.group.as_deref());
        match entry.stage {
            Stage::Held if books.limit > Weight::ZERO && entry.weight > most => {
                Admission::TooHeavy { most }
            }
            Stage::Asking { .. } | Stage::Held => Admission::Held,
            Stage::Queued => Admission::Queued,
            Stage::Launching | Stage::Running => Admission::Admitted,
        }
    }

    /// While a job or a runner waits for what others use: how many jobs are here, of which any
    /// could make room.
    #[must_use]
    pub fn awaited_among(&self) -> Option<usize> {
        let books = lock(&self.quota.books);
        let mut runners = books.runners.values();
        let is_awaited = books.held().next().is_some() || runners.any(|runner| runner.waits);
        is_awaited.then(|| books.usage(|entry| !entry.is_asking()).jobs)
    }

    /// Something arrives here when that may have changed.
    #[must_use]
    pub const fn changed(&self) -> &Receiver<()> {
        &self.changed
    }

    /// Nothing, after it was released.
    #[must_use]
    pub fn weight(&self) -> Weight {
        let books = lock(&self.quota.books);
        let entry = books.entries.get(&self.id);
        entry.map_or(Weight::ZERO, |entry| entry.weight)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}
