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

use super::admission::{await_room, await_spacing, await_turn, check_budget, choose_machine};
use super::context::JobContext;
use super::watch::{WhileWanted, await_end, await_start, greet};
use super::{Job, Phase, Untold};
use crate::backoff::Backoff;
use crate::coordinator::{Appended, Delivery, SAYS};
use crate::executor::{Failure, Halt};
use crate::foreign::{Keep, one_line};
use crate::payload::FailureReason;
use crate::shutdown::Stopped;

/// Decommissioning is tried again and again, at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// From here on a machine that can't be deleted is an error in the log, not a warning.
const LOUD_AFTER: u32 = 5;
/// A job that makes us panic so often is given up.
const PANICS: u32 = 3;
/// A verdict without words is better than none, after so many tries.
const WORDS_TRIES: u32 = 4;
/// Names of flavors and groups are in the words, which others chose.
const WORDS_AT_MOST: usize = 1000;
/// The coordinator has given up on the job long before (GitLab page, section 11).
const VERDICT_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// One job, from its grant, or from where the last process left it, until nothing of it is left. A
/// panic is our fault, and only this job's: what would follow a crash of the process follows.
///
/// # Errors
/// [`Stopped`] when the service stops before: the state file has what the next start needs.
pub fn live(job: &mut Job, context: &JobContext<'_>) -> Result<(), Stopped> {
    let mut panics = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
    loop {
        let steps = if panics.failures() < PANICS {
            serve
        } else {
            give_up
        };
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| live_once(job, context, steps))) {
            return result;
        }
        // Whatever was going on may have been done.
        job.machine.may_be_unseen();
        context.report.note(job);
        let pause = panics.pause();
        log::error!(
            "a panic, which is a bug: please report the message above; going on with the job in \
             {pause:.0?}"
        );
        context.stop.wait(pause)?;
    }
}

/// What is done with a job until it is over.
type Steps = fn(&mut Job, &JobContext<'_>) -> Result<Infallible, Halt>;

fn live_once(job: &mut Job, context: &JobContext<'_>, steps: Steps) -> Result<(), Stopped> {
    if !matches!(job.phase, Phase::Ended { .. }) {
        let Err(halt) = steps(job, context);
        // What fails while the service stops may fail because of that.
        context.stop.check()?;
        end(job, context, halt)?;
        // Once the failure was told, nothing must take the job for one that runs.
        context.report.write_down(job);
    }
    tell_failure(job, context, RequireLog::Yes)?;
    if job.machine.may_exist() {
        decommission(job, context)?;
        context.report.write_down(job);
    }
    deliver_failure(job, context)
}

/// Brings the job to a machine and watches until it is over.
fn serve(job: &mut Job, context: &JobContext<'_>) -> Result<Infallible, Halt> {
    if let Some(payload) = job.payload().cloned() {
        payload.check().map_err(|why| unreadable(&why))?;
        greet(&job.credentials, context)?;
        check_budget(job, context)?;
        choose_machine(job, &payload, context)?;
        await_room(job, &payload, context)?;
        if await_turn(job, context)? | await_spacing(job, context)? {
            greet(&job.credentials, context)?;
        }
        if let Some(longest) = context.policy.longest_job {
            job.age.cap(longest);
        }
        let while_wanted = WhileWanted::new(&job.credentials, context);
        let executor = context.executor;
        executor.provision(&mut job.machine, &payload, &while_wanted)?;
        log::info!("machine {} is provisioned", job.machine.name);
        // What is pushed to must be known after a crash.
        context.report.write_down(job);
        executor.launch(&mut job.machine, &payload, &while_wanted)?;
        log::info!("handed over; waiting until it runs");
        context.report.note(job);
        await_start(job, payload.project, context)?;
        job.phase = Phase::Launched;
        job.machine.seen_running();
        context.report.note(job);
    }
    await_end(job, context)
}

/// Instead of [`serve`], when that panics again and again.
fn give_up(_: &mut Job, _: &JobContext<'_>) -> Result<Infallible, Halt> {
    Err(Halt::Failed(Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: "This runner made a mistake with the job. Please tell its administrator.".to_owned(),
        admin: format!("giving the job up after {PANICS} panics"),
    }))
}

/// Says what happened, and leaves the machine alone where that is wanted.
fn end(job: &mut Job, context: &JobContext<'_>, halt: Halt) -> Result<(), Stopped> {
    let (untold, keep) = match halt {
        Halt::Stopped => return Err(Stopped),
        Halt::Over(why) => {
            log::info!("over: {why}");
            job.summary.ended(why.strip_prefix(SAYS).unwrap_or(&why));
            (None, context.policy.keep_finished)
        }
        Halt::Failed(failure) => {
            let (what, payload) = match &job.phase {
                Phase::Held(payload) | Phase::Pending(payload) => {
                    ("failed to launch", Some(payload.as_ref()))
                }
                Phase::Launched | Phase::Ended { .. } => ("failed", None),
            };
            let level = level_of(failure.reason, &job.phase);
            log::log!(level, "{what}: {}", failure.admin);
            job.summary.ended(what);
            job.summary.reason = Some(failure.reason);
            let untold = Untold {
                words: failure.user,
                reason: failure.reason.known_to(payload),
            };
            (Some(untold), !context.policy.decommission_launch_failures)
        }
    };
    job.phase = Phase::Ended { untold };
    if keep && job.machine.may_exist() {
        let name = &job.machine.name;
        log::warn!("machine {name} is kept, as configured; it is for you to delete");
        job.machine.forget();
    }
    Ok(())
}

/// How loud a failure is: an error is what an administrator must do something about.
const fn level_of(reason: FailureReason, phase: &Phase) -> log::Level {
    match reason {
        // The job's author can change that, and reads so.
        FailureReason::ScriptFailure | FailureReason::JobExecutionTimeout => log::Level::Info,
        // A service that is in trouble gets over it.
        FailureReason::RunnerExternalDependencyFailure => log::Level::Warn,
        FailureReason::RunnerConfigurationError => log::Level::Error,
        FailureReason::RunnerSystemFailure => match phase {
            // A machine that does not come up is rarely the only one.
            Phase::Pending(_) => log::Level::Error,
            // Others had all the room, or this one machine died: there is nothing to mend.
            Phase::Held(_) | Phase::Launched | Phase::Ended { .. } => log::Level::Warn,
        },
    }
}

/// Makes the job's machine go away, however long it takes.
fn decommission(job: &mut Job, context: &JobContext<'_>) -> Result<(), Stopped> {
    let started = Instant::now();
    decommission_once(job, context)?;
    if let Some(since) = job.machine.maybe_unseen_since {
        let listed = since + context.executor.listed_within();
        if started < listed {
            let rest = listed.saturating_duration_since(Instant::now());
            context.stop.wait(rest)?;
            decommission_once(job, context)?;
        }
    }
    let took = started.elapsed();
    log::info!("machine {} is gone, after {took:.1?}", job.machine.name);
    job.machine.gone();
    Ok(())
}

fn decommission_once(job: &mut Job, context: &JobContext<'_>) -> Result<(), Stopped> {
    let mut backoff = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
    while let Err(why) = context.executor.decommission(&job.machine) {
        let pause = backoff.pause();
        let (tries, name) = (backoff.failures(), &job.machine.name);
        let level = if tries < LOUD_AFTER {
            log::Level::Warn
        } else {
            log::Level::Error
        };
        log::log!(
            level,
            "decommissioning {name}, try {tries}: {why}; trying again in {pause:.0?}"
        );
        if job.trouble.replace(why.clone()) != Some(why) {
            context.report.note(job);
        }
        context.stop.wait(pause)?;
    }
    job.trouble = None;
    Ok(())
}

/// Whether the failure may be reported while the words for the job's log can't be written: after it
/// nothing can be written there any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RequireLog {
    Yes,
    No,
}

/// Tries once to tell the user and the coordinator of a failure, if there is one to tell.
fn tell_failure(
    job: &mut Job,
    context: &JobContext<'_>,
    require_log: RequireLog,
) -> Result<(), Stopped> {
    const FAILING: &str = "telling the coordinator that the job failed";
    let Phase::Ended {
        untold: Some(untold),
    } = &job.phase
    else {
        return Ok(());
    };
    context.stop.check()?;
    let reason = untold.reason;
    let Some(told) = tell_author(&untold.words.clone(), job, context, require_log) else {
        return Ok(());
    };
    match context.coordinator.fail(&job.credentials, reason) {
        Delivery::Done => {
            context.hearing.works(FAILING);
            log::info!("{told}");
        }
        Delivery::Refused(why) => {
            log::warn!("the coordinator does not take the verdict `failed`: {why}");
        }
        Delivery::RefusedTwice(_) if context.hearing.is_refused_for_good() => log::info!("{told}"),
        Delivery::RefusedTwice(why) | Delivery::Later(why) => {
            context.hearing.trouble(FAILING, &why);
            return Ok(());
        }
    }
    job.phase = Phase::Ended { untold: None };
    context.report.note(job);
    Ok(())
}

/// Writes the words into the job's log, once, and says who knows of the failure when the coordinator
/// does. Nothing, if that must wait.
fn tell_author(
    words: &str,
    job: &mut Job,
    context: &JobContext<'_>,
    require_log: RequireLog,
) -> Option<&'static str> {
    const WRITING: &str = "writing to the job's log";
    const BOTH: &str = "its author and the coordinator have been told";
    if words.is_empty() {
        return Some(BOTH);
    }
    let shown = one_line(words, Keep::Start(WORDS_AT_MOST));
    let red = format!("\x1b[31m{shown}\x1b[0m\n");
    match context.coordinator.append_log(&job.credentials, &red) {
        Appended::Done => {
            context.hearing.works(WRITING);
            if let Phase::Ended {
                untold: Some(untold),
            } = &mut job.phase
            {
                untold.words.clear();
            }
            context.report.note(job);
            Some(BOTH)
        }
        Appended::Refused(why) => {
            log::info!("the job takes no message any more: {why}");
            Some("the coordinator has been told")
        }
        Appended::Later(why) => {
            context.hearing.trouble(WRITING, &why);
            (require_log == RequireLog::No)
                .then_some("the coordinator has been told, without words for the job's author")
        }
    }
}

/// Tells it again until it has arrived. The machine is gone by then, so this costs nothing.
fn deliver_failure(job: &mut Job, context: &JobContext<'_>) -> Result<(), Stopped> {
    let until = Instant::now() + VERDICT_PATIENCE;
    let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));
    while matches!(job.phase, Phase::Ended { untold: Some(_) }) && Instant::now() < until {
        context.stop.wait(backoff.pause())?;
        let require_log = if backoff.failures() < WORDS_TRIES {
            RequireLog::Yes
        } else {
            RequireLog::No
        };
        tell_failure(job, context, require_log)?;
    }
    if matches!(job.phase, Phase::Ended { untold: Some(_) }) {
        log::error!(
            "the coordinator could not be told in {VERDICT_PATIENCE:.0?} that the job failed; not trying \
             any more: by now it has failed the job by itself"
        );
    }
    Ok(())
}

fn unreadable(why: &str) -> Failure {
    Failure {
        reason: FailureReason::ScriptFailure,
        user: "The job's definition can't be read by this runner: it is nested too deeply."
            .to_owned(),
        admin: format!("the job's payload can't be handed on: {why}"),
    }
}
