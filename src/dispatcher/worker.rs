//! A job's thread: runs its life, and passes on what it reports.

use std::cell::RefCell;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::quota::Seat;
use super::runner::Runner;
use super::{Event, JobKey, Progress};
use crate::executor::{Doubt, MachineName, Resource};
use crate::job::Job;
use crate::job::life::{Policy, Report, World, live};
use crate::logger::{self, Subject};
use crate::shutdown::Stop;
use crate::spacing::LaunchSpacing;

/// What all workers share.
#[derive(Clone)]
pub struct Shop {
    pub spacing: Arc<LaunchSpacing>,
    pub policy: Policy,
    pub stop: Stop,
    pub events: Sender<Event>,
}

/// A job that is ready for its thread.
pub struct Task {
    pub key: JobKey,
    pub job: Job,
    pub runner: Arc<Runner>,
    pub seat: Seat,
}

/// Runs the life of a job to its end, or until the service stops.
pub fn work(task: Task, shop: &Shop) {
    let Task {
        key,
        mut job,
        runner,
        seat,
    } = task;
    logger::about(Subject {
        job: Some(key.id.0),
        runner: Some(runner.name.clone()),
    });
    let teller = Teller {
        key: key.clone(),
        events: shop.events.clone(),
        seat: RefCell::new(Some(seat)),
    };
    let world = World {
        name: MachineName::of(&key.runner, key.id),
        coordinator: &runner.coordinator,
        executor: runner.executor.as_ref(),
        trace_watch: &runner.trace_watch,
        spacing: &shop.spacing,
        policy: shop.policy,
        stop: &shop.stop,
        report: &teller,
    };
    let progress = match live(&mut job, &world) {
        Ok(()) => Progress::Finished,
        Err(_) => Progress::HandedOver,
    };
    teller.tell(progress);
}

struct Teller {
    key: JobKey,
    events: Sender<Event>,
    /// Until nothing of the job weighs any more.
    seat: RefCell<Option<Seat>>,
}

impl Teller {
    fn tell(&self, progress: Progress) {
        let key = self.key.clone();
        // The dispatcher leaves before us only when it ran out of time to stop.
        let _ = self.events.send(Event::Progress { key, progress });
    }
}

impl Teller {
    /// Returns when the dispatcher has written it down, or can't.
    fn tell_and_wait(&self, progress: impl FnOnce(Sender<()>) -> Progress) {
        let (saved, wait) = bounded(0);
        self.tell(progress(saved));
        // Nothing is sent; the other end is dropped.
        let _ = wait.recv();
    }
}

impl Report for Teller {
    fn provisioned(&self, resource: Resource, doubt: Doubt) {
        self.tell_and_wait(|saved| Progress::Provisioned {
            resource,
            doubt,
            saved,
        });
    }

    fn pushed(&self, resource: Resource) {
        self.tell(Progress::Pushed(resource));
    }

    fn slow(&self) {
        if let Some(seat) = self.seat.borrow_mut().as_mut() {
            seat.launched();
        }
    }

    fn running(&self) {
        self.slow();
        self.tell(Progress::Running);
    }

    fn ended(&self, left: Job) {
        if left.may_have_a_machine() {
            self.slow();
        } else {
            self.seat.take();
        }
        let left = Box::new(left);
        self.tell_and_wait(|saved| Progress::Ended { left, saved });
    }
}
