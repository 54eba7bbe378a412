//! A job's thread: runs its life, and passes on how the job stands.
//!
//! The main loop hears of the thread's end because the thread hangs up, whatever it ended by: there
//! is no job without a thread, and no stop that waits for one that is gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::event::Event;
use crate::job::context::{JobContext, Policy, Report};
use crate::job::hearing::Hearing;
use crate::job::life::live;
use crate::job::{Job, Phase, Told};
use crate::logger;
use crate::meters;
use crate::money::Spending;
use crate::names::JobKey;
use crate::payload::FailureReason;
use crate::quota::Reservation;
use crate::runner::Runner;
use crate::shutdown::Stop;
use crate::spacing::LaunchSpacing;
use crate::status::Ended;
use crate::thread::{Idle, check_room_for, idle};

/// What all workers share.
#[derive(Clone)]
pub struct WorkerContext {
    pub spacing: Arc<LaunchSpacing>,
    pub policy: Policy,
    pub spending: Arc<Spending>,
    pub stop: Stop,
    pub events: Sender<Event>,
    /// Disconnects when all threads are gone that must be waited for.
    pub at_work: Sender<Infallible>,
}

/// A job that is ready for its thread.
pub struct Task {
    pub key: JobKey,
    pub job: Job,
    pub runner: Arc<Runner>,
    pub reservation: Reservation,
    /// Where one was made ready.
    pub worker: Option<Idle>,
    /// After a panic it is left alone for so long.
    pub pause: Duration,
}

const NAME: &str = "job";
/// What a push and its git may need beside the job's own thread: without that no job gets anywhere.
const THREADS_OF_A_LAUNCH: usize = 8;

/// A thread for a job that may come, while others can still be had, too.
///
/// # Errors
/// A text for the operator, when none can be had.
pub fn ready() -> Result<Idle, String> {
    check_room_for(NAME, THREADS_OF_A_LAUNCH)
        .and_then(|()| new())
        .map_err(|why| format!("there is no room for another job's threads: {why}"))
}

/// A thread for a job that is here already.
///
/// # Errors
/// A text for the operator, when none can be had.
pub fn new() -> Result<Idle, String> {
    idle(NAME)
}

/// Runs the life of a job to its end, or until the service stops.
pub fn work(task: Task, workers: WorkerContext) {
    let mut hang_up = HangUp {
        key: task.key.clone(),
        workers,
        is_finished: false,
        ended: None,
    };
    let workers = &hang_up.workers;
    let Task {
        key,
        mut job,
        runner,
        reservation,
        pause,
        worker: _,
    } = task;
    logger::about(job.subject(&runner.name));
    let reporter = Reporter {
        key,
        runner: &runner.name,
        events: &workers.events,
        reservation,
    };
    // It may be over, and wait only for its verdict to arrive.
    reporter.reserve(&job);
    let context = JobContext {
        coordinator: &runner.coordinator,
        executor: runner.executor.as_ref(),
        trace_watch: &runner.trace_watch,
        spacing: &workers.spacing,
        policy: workers.policy,
        purse: workers.spending.as_ref(),
        stop: &workers.stop,
        report: &reporter,
        admission: &reporter.reservation,
        hearing: Hearing::default(),
    };
    let lived = workers.stop.wait(pause);
    let lived = lived.and_then(|()| live(&mut job, &context));
    hang_up.is_finished = lived.is_ok();
    if hang_up.is_finished && job.summary.granted.is_some() {
        let ended = ended(&job, &runner);
        log::info!("{}", Told(&job, ended.entry.price()));
        count(&ended, &runner);
        hang_up.ended = Some(ended);
    }
}

/// What it was, and what its machine has cost.
fn ended(job: &Job, runner: &Runner) -> Ended {
    let had_machine = job.machine.history.handed_over.is_some();
    let flavor = job.machine.flavor.as_ref().filter(|_| had_machine);
    let price = flavor.and_then(|flavor| runner.executor.price(flavor));
    Ended::of(job, &runner.name, price)
}

/// Adds it to what has happened.
fn count(ended: &Ended, runner: &Runner) {
    let entry = &ended.entry;
    let flavor = entry.flavor.as_deref().unwrap_or("none");
    let reason = ended.reason.map_or("", FailureReason::name);
    meters::JOBS_ENDED.add(&[&entry.runner, flavor, ended.result(), reason], 1.0);
    meters::MACHINE_SECONDS.add(&[&entry.runner], entry.seconds as f64);
    if let (Some(cost), Some(currency)) = (entry.cost, &entry.currency) {
        let group = entry.group.as_deref();
        let group = group.filter(|_| runner.executor.is_paid_by_groups());
        meters::COST.add(&[&entry.runner, group.unwrap_or_default(), currency], cost);
    }
    for (phase, took) in ended.times.all().into_iter().enumerate() {
        if let Some(took) = took {
            meters::observe(phase, took);
        }
    }
}

/// Tells of the thread's end, panics included.
struct HangUp {
    key: JobKey,
    workers: WorkerContext,
    is_finished: bool,
    ended: Option<Ended>,
}

impl Drop for HangUp {
    fn drop(&mut self) {
        let (key, is_finished) = (self.key.clone(), self.is_finished);
        let ended = self.ended.take().map(Box::new);
        let done = Event::WorkerDone {
            key,
            is_finished,
            ended,
        };
        // The main loop is left before us only when it ran out of time to stop.
        let _ = self.workers.events.send(done);
    }
}

struct Reporter<'a> {
    key: JobKey,
    /// The name of its section.
    runner: &'a str,
    events: &'a Sender<Event>,
    /// What the job takes up follows from how it stands.
    reservation: Reservation,
}

impl Reporter<'_> {
    fn reserve(&self, job: &Job) {
        match &job.phase {
            Phase::Held(_) | Phase::Pending(_) => {}
            Phase::Ended { .. } if !job.machine.may_exist() => self.reservation.release(),
            Phase::Launched | Phase::Ended { .. } => self.reservation.launched(),
        }
    }

    fn tell(&self, job: &Job, saved: Option<Sender<Infallible>>) {
        self.reserve(job);
        // More may be known of it by now.
        logger::about(job.subject(self.runner));
        let _ = self.events.send(Event::Job {
            key: self.key.clone(),
            job: Box::new(job.clone()),
            weight: self.reservation.weight(),
            saved,
        });
    }
}

impl Report for Reporter<'_> {
    fn note(&self, job: &Job) {
        self.tell(job, None);
    }

    fn write_down(&self, job: &Job) {
        let (saved, wait) = bounded(0);
        self.tell(job, Some(saved));
        // Nothing is sent; the other end is dropped.
        let _ = wait.recv();
    }

    fn slow(&self) {
        self.reservation.launched();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::Arc;
    use std::time::Duration;

    use crossbeam_channel::{TryRecvError, bounded, unbounded};

    use super::{HangUp, WorkerContext};
    use crate::dispatcher::event::Event;
    use crate::job::context::Policy;
    use crate::names::{JobId, JobKey, RunnerName};
    use crate::secret::Secret;
    use crate::shutdown;
    use crate::spacing::LaunchSpacing;

    #[test]
    fn a_thread_that_ends_by_a_panic_is_heard_of_and_not_waited_for() {
        let (_stopper, stop) = shutdown::channel();
        let (events, incoming) = unbounded();
        let (at_work, all_gone) = bounded(0);
        let hang_up = HangUp {
            key: JobKey::of(
                &RunnerName::of(&Secret::new("kvzWdEMoTESTtoken000"), "https://x", &[]),
                JobId(7),
                &Secret::new("job token"),
            ),
            workers: WorkerContext {
                spacing: Arc::new(LaunchSpacing::new(Duration::ZERO)),
                policy: Policy {
                    progress_interval: Duration::ZERO,
                    hold_at_most: 0.5,
                    longest_job: None,
                    keep_finished: false,
                    decommission_launch_failures: true,
                },
                spending: Arc::default(),
                stop,
                events,
                at_work,
            },
            is_finished: false,
            ended: None,
        };
        assert_eq!(all_gone.try_recv(), Err(TryRecvError::Empty));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _hang_up = hang_up;
            resume_unwind(Box::new("injected"));
        }));
        assert!(panicked.is_err());
        let heard = incoming.try_recv();
        assert!(
            matches!(&heard, Ok(Event::WorkerDone { key, is_finished: false, .. }) if key.id.0 == 7),
            "{heard:?}"
        );
        assert_eq!(all_gone.try_recv(), Err(TryRecvError::Disconnected));
    }
}
