//! What admission needs to know: who takes up how much, and who waits. All of it is under one lock; the
//! room above has the lock.
//!
//! Jobs that wait for room get it in the order of their arrival. A later one goes first only where
//! that delays nobody, see [`Books::would_delay`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::{Full, Limits, Part};
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
    pub limits: Limits,
    /// While it is closed no job is taken.
    pub is_open: bool,
    pub entries: BTreeMap<u64, Entry>,
    pub runners: BTreeMap<ShareId, Claimant>,
    next_id: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShareId(pub u64);

/// A runner, as far as it matters here.
pub struct Claimant {
    pub part: Part,
    /// The least that must be free for it to ask for a job, as it said when it last wanted to.
    pub needs: Option<Weight>,
    /// It wanted to ask, and found no room.
    pub waits: bool,
    /// When it was allowed to ask last, in the order of all ids.
    pub last_turn: u64,
    /// By somebody else, since then.
    pub left: Left,
    pub wake: Sender<()>,
}

/// What was left to a runner that waits for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Place,
    /// A place that it could not use.
    InVain,
}

/// A request for a job, or a job.
pub struct Entry {
    pub share: ShareId,
    pub group: Option<String>,
    pub weight: Weight,
    pub stage: Stage,
    pub wake: Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The coordinator has not said yet whether there is a job.
    Asking {
        since: Instant,
    },
    /// The job waits for room.
    Held,
    /// It has room, and waits until fewer are being launched.
    Queued,
    Launching,
    /// It is no launch any more.
    Running,
}

/// Longer than any coordinator holds a request that it means to answer.
const LENT_AFTER: Duration = Duration::from_secs(60);

/// Turns for those who launch nothing yet, where there are so many in all.
const KEPT_BACK: usize = 2;
const KEPT_BACK_OF: usize = 4;

impl Entry {
    pub const fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Asking { .. })
    }

    /// A coordinator that does not answer must not keep the others from their jobs. Should it grant
    /// one at last, there is one too many for a while.
    fn is_lent(&self) -> bool {
        matches!(self.stage, Stage::Asking { since } if since.elapsed() >= LENT_AFTER)
    }

    fn weighs(&self) -> bool {
        self.stage != Stage::Held && !self.is_lent()
    }
}

impl Books {
    pub const fn open(limits: Limits) -> Self {
        Self {
            limit: Weight::ZERO,
            limits,
            is_open: true,
            entries: BTreeMap::new(),
            runners: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// Whoever has the smaller one was here before.
    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn usage(&self, counts: impl Fn(&Entry) -> bool) -> Usage {
        let entries = || self.entries.values().filter(|entry| counts(entry));
        let weighing = entries().filter(|entry| entry.stage != Stage::Held);
        Usage {
            weight: weighing.map(|entry| entry.weight).sum(),
            jobs: entries().count(),
            launching: entries()
                .filter(|entry| entry.stage == Stage::Launching)
                .count(),
        }
    }

    fn weight(&self, counts: impl Fn(&Entry) -> bool) -> Weight {
        self.usage(|entry| entry.weighs() && counts(entry)).weight
    }

    /// The part of the quota that a job of this group may fill.
    pub fn most(&self, share: ShareId, group: Option<&str>) -> Weight {
        let Some(runner) = self.runners.get(&share) else {
            return self.limit;
        };
        let all = self.limit.fraction(runner.part.fraction);
        match group {
            Some(_) => all.min(self.limit.fraction(runner.part.fraction_per_group)),
            None => all,
        }
    }

    /// Whether a runner may ask for a job now, each of which will weigh one of these.
    pub fn may_ask(&self, share: ShareId, weights: &RangeInclusive<Weight>) -> Result<(), Full> {
        let counted = |entry: &Entry| !entry.is_lent();
        let starting =
            |entry: &Entry| counted(entry) && !matches!(entry.stage, Stage::Held | Stage::Running);
        if !self.is_open {
            return Err(Full::Closed);
        }
        if self.held().any(|(_, entry)| entry.share == share) {
            return Err(Full::Held);
        }
        if self.usage(counted).jobs >= self.limits.jobs {
            return Err(Full::Jobs);
        }
        let own = self
            .usage(|entry| counted(entry) && entry.share == share)
            .jobs;
        let most = self.runners.get(&share).map(|runner| runner.part.jobs);
        if let Some(most) = most.filter(|most| own >= *most) {
            return Err(Full::Limit(most));
        }
        if !self.limits.holds && self.usage(starting).jobs >= self.limits.launching {
            return Err(Full::Launching);
        }
        let ahead: Vec<_> = self.held().map(|(_, entry)| entry).collect();
        self.has_room(share, None, self.limits.needed(weights), &ahead)
    }

    /// Leaves the last places under `concurrent` to those who wait for one and had their turn before this runner;
    /// once to each, for it may not be able to use it.
    pub fn yield_to_waiting(&mut self, share: ShareId) -> Result<(), Full> {
        let used = self.usage(|entry| !entry.is_lent()).jobs;
        let free = self.limits.jobs.saturating_sub(used);
        let last_turn = self.runners.get(&share).map_or(0, |own| own.last_turn);
        let others = self.runners.iter_mut().filter(|(id, _)| **id != share);
        let waiting = others.map(|(_, other)| other).filter(|other| {
            other.waits && other.left == Left::Nothing && other.last_turn < last_turn
        });
        let waiting: Vec<_> = waiting.collect();
        if waiting.len() < free {
            return Ok(());
        }
        for other in waiting {
            other.left = Left::Place;
        }
        Err(Full::Jobs)
    }

    /// Lets those go on for whom there is room, and then those whose turn it is to be launched.
    pub fn settle(&mut self) {
        let waiting: Vec<_> = self.held().map(|(id, _)| id).collect();
        let mut ahead = Vec::new();
        for id in waiting {
            let entry = &self.entries[&id];
            let before: Vec<_> = ahead.iter().map(|id| &self.entries[id]).collect();
            let room = self.has_room(entry.share, entry.group.as_deref(), entry.weight, &before);
            if room.is_ok() {
                self.advance(id, Stage::Queued);
            } else {
                ahead.push(id);
            }
        }
        let queued = self.entries.iter();
        let queued = queued.filter(|(_, entry)| entry.stage == Stage::Queued);
        let queued: Vec<_> = queued.map(|(id, _)| *id).collect();
        for id in queued {
            if self.may_launch(&self.entries[&id]) {
                self.advance(id, Stage::Launching);
            }
        }
    }

    /// Whether one more may be launched now. The last turns are for those who have none, where there may be
    /// such: whose launches all hang keeps nobody else from theirs.
    fn may_launch(&self, entry: &Entry) -> bool {
        let of = |other: &Entry| other.share == entry.share && other.group == entry.group;
        let (all, own) = (self.usage(|_| true).launching, self.usage(of).launching);
        let limit = self.limits.launching;
        let others = self.runners.len() > 1 || !self.entries.values().all(of);
        let kept_back = if limit >= KEPT_BACK_OF && others {
            KEPT_BACK
        } else {
            0
        };
        all < if own > 0 { limit - kept_back } else { limit }
    }

    fn advance(&mut self, id: u64, stage: Stage) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = stage;
            // Full means that it has been woken already.
            let _ = entry.wake.try_send(());
        }
    }

    /// Jobs that wait for room, in the order of their arrival.
    pub fn held(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let all = self.entries.iter().map(|(id, entry)| (*id, entry));
        all.filter(|(_, entry)| entry.stage == Stage::Held)
    }

    /// Whether so much more may be used now, without delaying those `ahead`.
    fn has_room(
        &self,
        share: ShareId,
        group: Option<&str>,
        weight: Weight,
        ahead: &[&Entry],
    ) -> Result<(), Full> {
        let delays = |first: &&Entry| first.share == share || self.would_delay(first, weight);
        if self.weight(|_| true) + weight > self.limit || ahead.iter().any(delays) {
            return Err(Full::Weight);
        }
        let own = self.weight(|entry| entry.share == share);
        let of_group = |entry: &Entry| entry.share == share && entry.group.as_deref() == group;
        let has_room = own + weight <= self.most(share, None)
            && (group.is_none() || self.weight(of_group) + weight <= self.most(share, group));
        has_room.then_some(()).ok_or(Full::Share)
    }

    /// Whether `first`, which waits, would get its room later if somebody else took `weight` now. How
    /// long a job takes is not known: as likely as any is that they end in the order in which they
    /// came. And when all have ended that came before it, it has its room for certain.
    fn would_delay(&self, first: &Entry, weight: Weight) -> bool {
        let is_own = |entry: &Entry| {
            entry.share == first.share && (first.group.is_none() || entry.group == first.group)
        };
        let part = self.most(first.share, first.group.as_deref());
        let (mut all, mut own) = (self.weight(|_| true), self.weight(is_own));
        let weighing = self.entries.values().filter(|entry| entry.weighs());
        for entry in weighing.filter(|entry| !entry.is_asking()) {
            if all + first.weight <= self.limit && own + first.weight <= part {
                break;
            }
            all = all.minus(entry.weight);
            if is_own(entry) {
                own = own.minus(entry.weight);
            }
        }
        all + first.weight + weight > self.limit
    }

    pub fn wake_waiting(&self) {
        for runner in self.runners.values().filter(|runner| runner.waits) {
            let _ = runner.wake.try_send(());
        }
    }
}
