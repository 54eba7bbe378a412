//! What admission needs to know beside the weight in use: all of it under one lock. What follows from
//! it is told in the room above.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::weight::Weight;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub weight: Weight,
    pub jobs: usize,
    pub launching: usize,
}

pub struct Books {
    /// Nothing, until the reference flavor's weight is known.
    pub limit: Weight,
    /// While it is closed no job is taken.
    pub is_open: bool,
    pub reservations: BTreeMap<u64, Entry>,
    pub runners: BTreeMap<ShareId, Claimant>,
    /// Runners that wait for room that all share, with what they need.
    pub queue: VecDeque<(ShareId, Weight)>,
    next_id: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShareId(pub u64);

/// A runner, as far as it matters here.
pub struct Claimant {
    /// The heaviest job that it may be granted, as it said when it last asked for room.
    pub heaviest: Option<Weight>,
    pub wake: Sender<()>,
}

pub struct Entry {
    pub share: ShareId,
    pub weight: Weight,
    pub is_launching: bool,
    /// Set while the coordinator has not said yet whether there is a job.
    pub asking_since: Option<Instant>,
}

impl Entry {
    /// A coordinator that does not answer must not keep the others from their jobs. Should it grant
    /// one at last, there is one too many for a while.
    pub fn is_lent(&self) -> bool {
        self.asking_since
            .is_some_and(|since| since.elapsed() >= LENT_AFTER)
    }
}

/// Longer than any coordinator holds a request that it means to answer.
const LENT_AFTER: Duration = Duration::from_secs(60);

impl Books {
    pub fn open() -> Self {
        Self {
            limit: Weight::ZERO,
            is_open: true,
            reservations: BTreeMap::new(),
            runners: BTreeMap::new(),
            queue: VecDeque::new(),
            next_id: 0,
        }
    }

    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn usage(&self, counts: impl Fn(&Entry) -> bool) -> Usage {
        let entries = || self.reservations.values().filter(|entry| counts(entry));
        Usage {
            weight: entries().map(|entry| entry.weight).sum(),
            jobs: entries().count(),
            launching: entries().filter(|entry| entry.is_launching).count(),
        }
    }

    /// Runners in the queue before this one, with what they need.
    pub fn ahead_of(&self, share: ShareId) -> impl Iterator<Item = Weight> {
        let before = self.queue.iter().take_while(move |(it, _)| *it != share);
        before.map(|(_, weight)| *weight)
    }

    pub fn leave_queue(&mut self, share: ShareId) {
        self.queue.retain(|(it, _)| *it != share);
    }

    pub fn wake_all(&self) {
        for runner in self.runners.values() {
            // Full means that it has been woken already.
            let _ = runner.wake.try_send(());
        }
    }
}
