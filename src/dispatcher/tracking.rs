//! What becomes of the tracked jobs when something is reported, and how that gets on disk.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::worker::{self, Task, work};
use super::{Dispatcher, Served, Unsaved};
use crate::executor::Found;
use crate::foreign::{Keep, one_line};
use crate::job::{Job, Phase};
use crate::logger;
use crate::names::JobKey;
use crate::orphans;
use crate::quota::Reservation;
use crate::runner::Runner;
use crate::state::journal::{self, Change};
use crate::state::{Content, Tracked};
use crate::status::{Ended, OrphanReport, REMEMBERED};
use crate::thread::{Idle, lock};
use crate::weight::Weight;

/// How long a job is left alone whose thread has panicked: that may happen again.
const AFTER_PANIC: Duration = Duration::from_secs(10);

impl Dispatcher<'_> {
    pub(super) fn granted(
        &mut self,
        runner: &Arc<Runner>,
        job: Job,
        reservation: Reservation,
        worker: Option<Idle>,
    ) {
        let key = runner.key(&job.credentials);
        let is_here = self.served.contains_key(&key);
        let has_number_of = |other: &JobKey| key.has_number_of(other);
        let waits = self.served.keys().any(has_number_of);
        logger::meanwhile(job.subject(&runner.name), || {
            if is_here {
                log::warn!("granted again while we have it; ignored");
                return;
            }
            log::info!("granted: {}", described(&job, reservation.weight()));
            if waits {
                log::warn!(
                    "another job of this number is here, as after the coordinator was restored from a \
                     backup; this one waits until the other one's machine is gone"
                );
            }
        });
        if is_here {
            return;
        }
        self.take_on(runner, key, job, reservation, worker);
    }

    /// Those of these machines whose job is not tracked, and that may go when it is over.
    pub(super) fn without_job(&mut self, runner: &Runner, mut found: Vec<Found>) -> Vec<Found> {
        let left_alone = self.orphans.entry(runner.name.clone()).or_default();
        left_alone.clear();
        let workers = self.workers.as_ref();
        let keeps = workers.is_none_or(|workers| workers.policy.keeps_machines());
        let served = self.served.values().map(|served| &served.tracked);
        let tracked = served.chain(&self.of_unknown_runners);
        found.retain(|found| !orphans::has_job(found, &runner.unique_name, tracked.clone()));
        found.retain(|found| {
            let is_ours = found.is_ours && !keeps;
            if !is_ours {
                let name = &found.machine.name;
                left_alone.push(OrphanReport {
                    runner: runner.name.clone(),
                    job: found.job.0,
                    machine: name.to_string(),
                    id: found.details.id.clone(),
                    organization: found.details.organization.clone(),
                    created: found.details.created,
                });
                logger::about_job(found.job.0, &runner.name, || {
                    log::warn!(
                        "machine {name} has no job that we know of, and is left alone: it was \
                         kept, or made by somebody else; `--orphans` tells more"
                    );
                });
            }
            is_ours
        });
        found
    }

    /// A machine goes that we made, and whose job is over.
    pub(super) fn orphan(&mut self, runner: &Arc<Runner>, found: Found) {
        // The job may have been granted again meanwhile.
        let has_job = orphans::has_job(&found, &runner.unique_name, self.all_tracked());
        if has_job || self.workers.is_none() {
            return;
        }
        let name = &found.machine.name;
        logger::about_job(found.job.0, &runner.name, || {
            log::warn!("machine {name} has no job any more; it goes");
        });
        let reservation = runner.share.take_over(Weight::ZERO, None);
        reservation.launched();
        let job = orphans::as_job(found);
        let key = runner.key(&job.credentials);
        self.take_on(runner, key, job, reservation, None);
    }

    /// Tracks a job that is new to us. Its thread starts when that is on disk.
    fn take_on(
        &mut self,
        runner: &Arc<Runner>,
        key: JobKey,
        job: Job,
        reservation: Reservation,
        worker: Option<Idle>,
    ) {
        let tracked = Tracked {
            runner: key.runner,
            section: Some(runner.name.clone()),
            weight: reservation.weight(),
            job,
        };
        self.unsaved.jobs.insert(tracked.key());
        self.serve_tracked(runner, tracked, reservation, worker, Duration::ZERO);
    }

    /// Goes on with a job of the state file.
    pub(super) fn go_on_with(&mut self, runner: &Arc<Runner>, tracked: Tracked, pause: Duration) {
        let (share, job) = (&runner.share, &tracked.job);
        let group = job.machine.tenant.as_deref();
        let reservation = match job.phase {
            Phase::Held(_) => share.hold(tracked.weight, group),
            Phase::Pending(_) | Phase::Launched | Phase::Ended { .. } => {
                share.take_over(tracked.weight, group)
            }
        };
        if job.payload().is_none() {
            reservation.launched();
        }
        self.serve_tracked(runner, tracked, reservation, None, pause);
    }

    fn serve_tracked(
        &mut self,
        runner: &Arc<Runner>,
        tracked: Tracked,
        reservation: Reservation,
        worker: Option<Idle>,
        pause: Duration,
    ) {
        self.note_tenant(runner, &tracked.job);
        let key = tracked.key();
        self.to_start.push(Task {
            key: key.clone(),
            job: tracked.job.clone(),
            runner: runner.clone(),
            reservation,
            worker,
            pause,
        });
        let runner = runner.clone();
        self.served.insert(key, Served { tracked, runner });
    }

    pub(super) fn job(
        &mut self,
        key: &JobKey,
        job: Job,
        weight: Weight,
        saved: Option<Sender<Infallible>>,
    ) {
        let is_over = matches!(job.phase, Phase::Ended { .. });
        if is_over && job.machine.maybe_unseen_since.is_some() {
            // Woken once is enough.
            let _ = self.look_for_orphans.try_send(());
        }
        if let Some(served) = self.served.get_mut(key) {
            served.tracked.job = job;
            served.tracked.weight = weight;
            self.unsaved.jobs.insert(key.clone());
        }
        self.to_release.extend(saved);
    }

    /// A job is over, and has cost what it has cost.
    pub(super) fn account(&mut self, ended: Option<Box<Ended>>) {
        if let Some(ended) = ended {
            self.spending.add([&ended.entry]);
            self.ledger.add(ended.entry.clone());
            self.ended.push_front(*ended);
            self.ended.truncate(REMEMBERED);
        }
    }

    pub(super) fn worker_done(&mut self, key: &JobKey, is_finished: bool) {
        if is_finished {
            if let Some(Served { tracked, runner }) = self.served.remove(key) {
                self.note_tenant(&runner, &tracked.job);
            }
            self.unsaved.jobs.insert(key.clone());
        } else if self.workers.is_some()
            && let Some(Served { tracked, runner }) = self.served.remove(key)
        {
            logger::about_job(key.id.0, &runner.name, || {
                log::error!(
                    "its thread has ended, which is a bug: please report the message above; going \
                     on with the job in {AFTER_PANIC:.0?}"
                );
            });
            self.go_on_with(&runner, tracked, AFTER_PANIC);
        }
    }

    /// Something of the job's top-level group may be there, where that has an account of its own.
    fn note_tenant(&mut self, runner: &Runner, job: &Job) {
        if let Some(tenant) = &job.machine.tenant
            && runner.executor.is_paid_by_groups()
        {
            self.unsaved.rest |= self.tenants.has_job(tenant);
        }
    }

    /// Nothing is there of these groups, as a search shows that began at `began`.
    pub(super) fn forget_tenants(&mut self, empty: &BTreeSet<String>, began: Instant) {
        let served = self.served.values().map(|served| &served.tracked);
        let tracked = served.chain(&self.of_unknown_runners);
        let needed = tracked.filter_map(|known| known.job.machine.tenant.as_deref());
        self.unsaved.rest |= self.tenants.forget(empty, began, &needed.collect());
    }

    /// Whether another job, of those that don't wait, has a machine of the same name.
    fn namesake_is_served(&self, key: &JobKey, waiting: &VecDeque<Task>) -> bool {
        let waits = |other: &JobKey| {
            let mut all = self.to_start.iter().chain(waiting);
            all.any(|task| task.key == *other)
        };
        let mut others = self.served.keys().filter(|other| *other != key);
        others.any(|other| key.has_number_of(other) && !waits(other))
    }

    fn write(&self) -> Result<(), String> {
        let names = self.tenants.names();
        let content = Content {
            tracked: self.all_tracked(),
            python_standby: &self.python_standby,
            tenants: &lock(&names),
            system_id: &self.system_id,
            journal: &journal::new_name(),
        };
        let change = |key| match self.served.get(key) {
            Some(served) => Change::Is(&served.tracked),
            None => Change::Gone(key),
        };
        let changes: Vec<_> = self.unsaved.jobs.iter().map(change).collect();
        let changes = (!self.unsaved.rest).then_some(&changes[..]);
        self.file.save(&content, changes)
    }

    /// Writes the state file if something changed, then lets go on who waited for that.
    pub(super) fn save(&mut self) {
        // Before the state file forgets the job.
        self.ledger.write();
        if self.unsaved.is_any() {
            let saved = self.write();
            match saved {
                Ok(()) => {
                    self.unsaved = Unsaved::default();
                    self.changed = Instant::now();
                    self.unwritten = None;
                    if self.quota.set_open(true) {
                        log::info!("the state file can be written again");
                    }
                }
                Err(why) => {
                    if self.quota.set_open(false) {
                        log::error!("{why}; taking no new jobs until it can be written");
                    }
                    self.unwritten = Some(why);
                }
            }
        }
        // Even if it could not be written: a job that we have is better served than kept waiting.
        self.to_release.clear();
        let Some(workers) = &self.workers else {
            return;
        };
        let mut tasks = VecDeque::from(std::mem::take(&mut self.to_start));
        while let Some(mut task) = tasks.pop_front() {
            if self.namesake_is_served(&task.key, &tasks) {
                self.to_start.push(task);
                continue;
            }
            let worker = task.worker.take().map_or_else(worker::new, Ok);
            let lacks_one = worker.is_err();
            match worker {
                Ok(worker) => {
                    let workers = workers.clone();
                    worker.begin(Box::new(move || work(task, workers)));
                }
                Err(why) => {
                    if !self.lacks_threads {
                        log::error!("a job that is here waits for its thread: {why}");
                    }
                    self.to_start.push(task);
                }
            }
            self.lacks_threads = lacks_one;
        }
    }
}

/// What came, for the operator.
fn described(job: &Job, weight: Weight) -> String {
    let project = job.summary.project.as_deref().unwrap_or("a project");
    let said = job.payload().and_then(|payload| payload.flavor());
    let flavor = said.map_or_else(
        || "no flavor of its own".to_owned(),
        |said| format!("flavor {}", one_line(said, Keep::Start(40))),
    );
    format!("{project}, {flavor}, weight {weight}")
}
