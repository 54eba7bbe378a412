//! What becomes of the tracked jobs when something is reported, and how that gets on disk.

use std::sync::Arc;

use super::quota::Seat;
use super::runner::Runner;
use super::state::{Content, Tracked};
use super::worker::{Task, work};
use super::{Dispatcher, Progress, orphans, spawn};
use crate::executor::FoundMachine;
use crate::job::{Job, Phase};
use crate::logger;
use crate::names::JobKey;
use crate::payload::Payload;
use crate::weight::Weight;

impl Dispatcher {
    pub(super) fn granted(&mut self, runner: Arc<Runner>, payload: Payload, seat: Seat) {
        let id = payload.credentials.id;
        let key = JobKey {
            runner: runner.unique_name.clone(),
            id,
        };
        if self.tracked.contains_key(&key) {
            logger::about_job(id.0, &runner.name, || {
                log::error!("granted again while we have it; ignored");
            });
            return;
        }
        logger::about_job(id.0, &runner.name, || {
            log::info!("granted, with a weight of {}", seat.weight());
        });
        let job = Job::granted(payload, self.max_age);
        self.tenants.extend(job.tenant.clone());
        let tracked = Tracked {
            runner: key.runner.clone(),
            section: Some(runner.name.clone()),
            weight: seat.weight(),
            job: job.clone(),
        };
        self.tracked.insert(key.clone(), tracked);
        self.to_start.push(Task {
            key,
            job,
            runner,
            seat,
        });
        self.unsaved = true;
    }

    /// A machine of which nobody tracks the job goes, if we made it.
    pub(super) fn found(&mut self, runner: &Arc<Runner>, machine: FoundMachine) {
        let key = JobKey {
            runner: runner.unique_name.clone(),
            id: machine.job,
        };
        // Runners whose tokens begin alike may share the machine's name by the Python runner's rule.
        let has_job =
            |known: &JobKey| known.id == key.id && known.runner.python == key.runner.python;
        let kept = self.kept.iter().map(Tracked::key);
        if self
            .tracked
            .keys()
            .cloned()
            .chain(kept)
            .any(|known| has_job(&known))
            || self.shop.stop.check().is_err()
        {
            return;
        }
        let goes = machine.is_ours && !self.shop.policy.keeps_machines();
        let name = &machine.name;
        logger::about_job(machine.job.0, &runner.name, || {
            if goes {
                log::warn!("machine {name} has no job any more; it goes");
            } else {
                log::warn!(
                    "machine {name} has no job that we know of, and is left alone: it was kept, or \
                     made by somebody else; `--orphans` tells more"
                );
            }
        });
        if goes {
            let job = orphans::adopt(machine);
            let seat = self.quota.seat(runner.index, Weight::ZERO, false);
            let tracked = Tracked {
                runner: key.runner.clone(),
                section: Some(runner.name.clone()),
                weight: Weight::ZERO,
                job: job.clone(),
            };
            self.tracked.insert(key.clone(), tracked);
            let runner = runner.clone();
            self.to_start.push(Task {
                key,
                job,
                runner,
                seat,
            });
            self.unsaved = true;
        }
    }

    pub(super) fn progress(&mut self, key: &JobKey, progress: Progress) {
        self.unsaved = true;
        let known = self.tracked.get_mut(key).map(|tracked| &mut tracked.job);
        match (progress, known) {
            (
                Progress::Provisioned {
                    resource,
                    doubt,
                    saved,
                },
                Some(job),
            ) => {
                job.resource = Some(resource);
                job.doubt = doubt;
                self.to_release.push(saved);
            }
            (Progress::Pushed(resource), Some(job)) => job.resource = Some(resource),
            (Progress::Running, Some(job)) => job.phase = Phase::Launched,
            (Progress::Ended { left, saved }, Some(job)) => {
                if left.doubt.is_some() {
                    // Woken once is enough.
                    let _ = self.doubt.try_send(());
                }
                *job = *left;
                self.to_release.push(saved);
            }
            (Progress::Finished, _) => {
                self.tracked.remove(key);
                self.workers -= 1;
            }
            (Progress::HandedOver, _) => self.workers -= 1,
            (_, None) => {}
        }
    }

    /// Writes the state file if something changed, then lets go on who waited for that.
    pub(super) fn save(&mut self) {
        if self.unsaved {
            let saved = self.file.save(&Content {
                tracked: self.all_tracked(),
                standby: &self.standby,
                tenants: &self.tenants,
                system_id: &self.system_id,
            });
            match saved {
                Ok(()) => {
                    self.unsaved = false;
                    if self.quota.set_open(true) {
                        log::info!("the state file can be written again");
                    }
                }
                Err(why) => {
                    if self.quota.set_open(false) {
                        log::error!("{why}; taking no new jobs until it can be written");
                    }
                }
            }
        }
        // Even if it could not be written: a job that we have is better served than kept waiting.
        self.to_release.clear();
        for task in std::mem::take(&mut self.to_start) {
            let shop = self.shop.clone();
            let name = format!("job-{}", task.key.id);
            match spawn(&name, task, move |task| work(task, &shop)) {
                Ok(()) => self.workers += 1,
                Err(task) => self.to_start.push(task),
            }
        }
    }
}
