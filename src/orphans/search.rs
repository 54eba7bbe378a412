//! The search for machines without a job, at start, every hour, and after each job that ended with a
//! machine that may be unseen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::suspects::{Fate, Suspects};
use crate::backoff::Backoff;
use crate::executor::Found;
use crate::logger;
use crate::runner::{self, Roster, Runner};
use crate::shutdown::{Stop, Stopped};
use crate::thread::lock;

const EVERY: Duration = Duration::from_secs(3600);
/// When it could not be looked everywhere, or a job is waited for that others may have.
const AGAIN: Duration = Duration::from_secs(60);

/// What is searched, and when.
pub struct Search {
    pub runners: Roster,
    /// Top-level groups that may have machines here.
    pub tenants: Arc<Mutex<BTreeSet<String>>>,
    /// Something arrives when a job has ended whose creation may still come to its end.
    pub wake: Receiver<()>,
    pub stop: Stop,
}

/// Who knows the jobs.
pub trait Tracker {
    /// Those of these machines whose job is not tracked, and that are ours to judge.
    ///
    /// # Errors
    /// [`Stopped`]
    fn without_job(&self, runner: &Arc<Runner>, found: Vec<Found>) -> Result<Vec<Found>, Stopped>;

    /// One of them whose job is over.
    fn is_orphan(&self, runner: &Arc<Runner>, found: Found);

    /// These groups have no machine, as a search shows that began at this moment.
    fn are_empty(&self, groups: BTreeSet<String>, began: Instant);
}

impl Search {
    /// Looks until the service stops.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn run(&self, tracker: &impl Tracker) -> Result<(), Stopped> {
        let mut suspects = Suspects::default();
        // What can't be searched may stay so for ever: it is told once, and looked at less and less often.
        let mut told = BTreeSet::new();
        let mut backoff = Backoff::new(AGAIN, EVERY);
        loop {
            let (mut pause, began) = (EVERY, Instant::now());
            let mut in_the_way = BTreeSet::new();
            let mut empty = lock(&self.tenants).clone();
            suspects.next_search();
            let runners = self.runners.now();
            for runner in runners.iter() {
                self.stop.check()?;
                let tenants = lock(&self.tenants).clone();
                let inventory = runner.executor.machines(&runner.unique_name, &tenants);
                for why in inventory.not_searched {
                    let trouble = (runner.name.clone(), why);
                    if !told.contains(&trouble) {
                        logger::about_runner(&runner.name, || {
                            log::warn!("looking for machines without a job: {}", trouble.1);
                        });
                    }
                    in_the_way.insert(trouble);
                }
                if runner.executor.is_paid_by_groups() {
                    empty.retain(|group| inventory.empty.contains(group));
                }
                for found in tracker.without_job(runner, inventory.machines)? {
                    match self.judge(&mut suspects, runner, &found)? {
                        Fate::Over => tracker.is_orphan(runner, found),
                        Fate::GoesOn => pause = AGAIN,
                        Fate::Untold => {}
                    }
                }
            }
            tracker.are_empty(empty, began);
            if in_the_way.is_empty() {
                backoff.succeeded();
            } else {
                pause = pause.min(backoff.pause());
            }
            told = in_the_way;
            if self.stop.wait_or(&self.wake, pause)?.is_some() {
                self.stop.wait(runner::created_within(&runners))?;
            }
        }
    }

    fn judge(
        &self,
        suspects: &mut Suspects,
        runner: &Runner,
        found: &Found,
    ) -> Result<Fate, Stopped> {
        let mut fate = Err(Stopped);
        logger::about_job(found.job.0, &runner.name, || {
            fate = suspects.fate(runner, found, &self.stop);
        });
        fate
    }
}
