//! A job's life: one function that reads from top to bottom, run by the job's own thread.
//!
//! [`live`] is the only place that knows the order of the steps. It begins wherever the state file
//! says that the last process left off, since each step finds its own work already done: a machine
//! is looked for by its name before it is made anew, a push that was made is not made again, and
//! deleting what is gone succeeds. It tells every step to the dispatcher, which writes it down. It
//! knows nothing of other jobs, of quotas, or of what the coordinators' queues hold.
//!
//! The trap: a machine costs money until it is deleted. So every way out of [`serve`] leads
//! through [`decommission`], but for one: when the service stops, the next start goes on.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::watch::{WhileWanted, await_end, await_start, greet};
use super::{Job, Phase};
use crate::backoff::Backoff;
use crate::config::TraceWatch;
use crate::coordinator::{Appended, Coordinator, Delivery};
use crate::executor::{Doubt, Executor, Failure, Halt, MachineName, Resource};
use crate::shutdown::{Stop, Stopped};
use crate::spacing::LaunchSpacing;

/// What a job's life needs of the world.
pub struct World<'a> {
    pub name: MachineName,
    pub coordinator: &'a Coordinator,
    pub executor: &'a dyn Executor,
    pub trace_watch: &'a TraceWatch,
    pub spacing: &'a LaunchSpacing,
    pub policy: Policy,
    pub stop: &'a Stop,
    pub report: &'a dyn Report,
}

/// What the operator wants of every job.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The pause between two looks whether a running job has ended.
    pub progress_interval: Duration,
    pub keep_finished: bool,
    pub decommission_launch_failures: bool,
}

impl Policy {
    /// Whether there may be machines without a job on purpose.
    #[must_use]
    pub const fn keeps_machines(&self) -> bool {
        self.keep_finished || !self.decommission_launch_failures
    }
}

/// Tells the dispatcher how far a job has come.
pub trait Report {
    /// There is a place for the job. Returns when that is on disk: what will be pushed to must
    /// be known to whoever comes after us. `doubt`: whether there may be another one.
    fn provisioned(&self, resource: Resource, doubt: Doubt);
    /// The job was handed over to its machine.
    fn pushed(&self, resource: Resource);
    /// It takes so long until the job runs that others should not have to wait for it.
    fn slow(&self);
    /// The job was seen running.
    fn running(&self);
    /// The job is over; this much of it is left to be settled. Returns when that is on disk: once
    /// somebody was told of a failure, nobody must take the job for one that runs.
    fn ended(&self, left: Job);
}

/// A list at Clever Cloud shows a new application after seconds: so long after it may have been
/// created, a machine can't hide any more.
const LIST_LAG: Duration = Duration::from_secs(10);
/// Decommissioning is tried again and again, at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// From here on a machine that can't be deleted is an error in the log, not a warning.
const LOUD_AFTER: u32 = 5;
/// A job that makes us panic so often is given up.
const PANICS: u32 = 3;
/// A verdict without words is better than none, after so many tries.
const WORDS_TRIES: u32 = 4;
/// The coordinator has given up on the job long before (GitLab page, section 11).
const VERDICT_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// One job, from its grant, or from where the last process left it, until nothing of it is left. A
/// panic is our fault, and only this job's: what would follow a crash of the process follows.
///
/// # Errors
/// [`Stopped`] when the service stops before: the state file has what the next start needs.
pub fn live(job: &mut Job, world: &World<'_>) -> Result<(), Stopped> {
    let mut panics = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
    loop {
        let course = if panics.failures() < PANICS {
            serve
        } else {
            give_up
        };
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| live_once(job, world, course))) {
            return result;
        }
        // Whatever was going on may have been done.
        job.doubt = Doubt::now();
        let pause = panics.pause();
        log::error!(
            "a panic, which is a bug: please report the message above; going on with the job in \
             {pause:.0?}"
        );
        world.stop.wait(pause)?;
    }
}

/// What is done with a job until it is over.
type Course = fn(&mut Job, &World<'_>) -> Result<Infallible, Halt>;

fn live_once(job: &mut Job, world: &World<'_>, course: Course) -> Result<(), Stopped> {
    if !matches!(job.phase, Phase::Ended) {
        let Err(halt) = course(job, world);
        // What fails while the service stops may fail because of that.
        world.stop.check()?;
        let keep_machine = end(job, world, halt)?;
        if keep_machine {
            job.resource = None;
            job.doubt = Doubt::None;
        }
        world.report.ended(job.clone());
    }
    tell_verdict(job, world, Unheard::Waits)?;
    if job.may_have_a_machine() {
        decommission(job, world)?;
        world.report.ended(job.clone());
    }
    deliver_verdict(job, world)
}

/// Brings the job to a machine and watches until it is over.
fn serve(job: &mut Job, world: &World<'_>) -> Result<Infallible, Halt> {
    if let Phase::Pending(payload) = &job.phase {
        let payload = payload.clone();
        payload.check().map_err(|why| unreadable(&why))?;
        greet(&job.credentials, world)?;
        if world.spacing.wait(world.stop)? {
            greet(&job.credentials, world)?;
        }
        let while_wanted = WhileWanted::new(&job.credentials, world);
        let resource = world.executor.provision(
            &world.name,
            &payload,
            job.resource.as_ref(),
            &mut job.doubt,
            &while_wanted,
        )?;
        job.resource = Some(resource.clone());
        log::info!("machine {} is provisioned", world.name);
        world.report.provisioned(resource.clone(), job.doubt);
        let resource = world
            .executor
            .launch(&world.name, &resource, &payload, &while_wanted)?;
        job.resource = Some(resource.clone());
        log::info!("handed over; waiting until it runs");
        world.report.pushed(resource);
        await_start(job, payload.project, world)?;
        job.phase = Phase::Launched;
        world.report.running();
    }
    await_end(job, world)
}

/// Instead of [`serve`], when that panics again and again.
fn give_up(_: &mut Job, _: &World<'_>) -> Result<Infallible, Halt> {
    Err(Halt::Failed(Failure {
        user: "This runner made a mistake with the job. Please tell its administrator.".to_owned(),
        admin: format!("giving the job up after {PANICS} panics"),
    }))
}

/// Says what happened, and whether the machine is to be left alone.
fn end(job: &mut Job, world: &World<'_>, halt: Halt) -> Result<bool, Stopped> {
    let keep = match halt {
        Halt::Stopped => return Err(Stopped),
        Halt::Over(why) => {
            log::info!("over: {why}");
            world.policy.keep_finished
        }
        Halt::Failed(failure) => {
            let launched = matches!(job.phase, Phase::Launched);
            let what = if launched {
                "failed"
            } else {
                "failed to launch"
            };
            log::error!("{what}: {}", failure.admin);
            job.verdict = Some(failure.user);
            !world.policy.decommission_launch_failures
        }
    };
    job.phase = Phase::Ended;
    if keep && job.may_have_a_machine() {
        log::warn!(
            "machine {} is kept, as configured; it is for you to delete",
            world.name
        );
    }
    Ok(keep)
}

/// Makes the job's machine go away, however long it takes.
fn decommission(job: &mut Job, world: &World<'_>) -> Result<(), Stopped> {
    let started = Instant::now();
    decommission_once(job, world)?;
    if let Doubt::MayExist { since } = job.doubt {
        let settled = since + LIST_LAG;
        if started < settled {
            world
                .stop
                .wait(settled.saturating_duration_since(Instant::now()))?;
            decommission_once(job, world)?;
        }
    }
    log::info!(
        "machine {} is gone, after {:.1?}",
        world.name,
        started.elapsed()
    );
    job.resource = None;
    job.doubt = Doubt::None;
    Ok(())
}

fn decommission_once(job: &Job, world: &World<'_>) -> Result<(), Stopped> {
    let mut backoff = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
    loop {
        let (tenant, known) = (job.tenant.as_deref(), job.resource.as_ref());
        let tried = world
            .executor
            .decommission(&world.name, tenant, known, job.doubt);
        let Err(why) = tried else {
            return Ok(());
        };
        let pause = backoff.pause();
        let (tries, name) = (backoff.failures(), &world.name);
        let level = if tries < LOUD_AFTER {
            log::Level::Warn
        } else {
            log::Level::Error
        };
        log::log!(
            level,
            "decommissioning {name}, try {tries}: {why}; trying again in {pause:.0?}"
        );
        world.stop.wait(pause)?;
    }
}

/// What the verdict does while the words for the job's log can't be written: after it nobody can
/// write there any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unheard {
    Waits,
    GoesAlone,
}

/// Tries once to tell the user and the coordinator of a failure, if there is one to tell.
fn tell_verdict(job: &mut Job, world: &World<'_>, unheard: Unheard) -> Result<(), Stopped> {
    let Some(text) = &job.verdict else {
        return Ok(());
    };
    world.stop.check()?;
    let red = format!("\x1b[31m{text}\x1b[0m\n");
    match world.coordinator.append_log(&job.credentials, &red) {
        Appended::Done => {}
        Appended::Refused(why) => log::info!("the job takes no message any more: {why}"),
        Appended::Later(why) => {
            log::warn!("writing to the job's log: {why}");
            if unheard == Unheard::Waits {
                return Ok(());
            }
        }
    }
    match world.coordinator.fail(&job.credentials) {
        Delivery::Done => {
            log::info!("its author and the coordinator have been told");
            job.verdict = None;
        }
        Delivery::Refused(why) => {
            log::warn!("the coordinator does not take the verdict `failed`: {why}");
            job.verdict = None;
        }
        Delivery::Later(why) => log::warn!("telling the coordinator that the job failed: {why}"),
    }
    Ok(())
}

/// Tells it again until it has arrived. The machine is gone by then, so this costs nobody anything.
fn deliver_verdict(job: &mut Job, world: &World<'_>) -> Result<(), Stopped> {
    let until = Instant::now() + VERDICT_PATIENCE;
    let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));
    while job.verdict.is_some() && Instant::now() < until {
        world.stop.wait(backoff.pause())?;
        let unheard = if backoff.failures() < WORDS_TRIES {
            Unheard::Waits
        } else {
            Unheard::GoesAlone
        };
        tell_verdict(job, world, unheard)?;
    }
    Ok(())
}

fn unreadable(why: &str) -> Failure {
    Failure {
        user: "The job's definition can't be read by this runner: it is nested too deeply."
            .to_owned(),
        admin: format!("the job's payload can't be handed on: {why}"),
    }
}
