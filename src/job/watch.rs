//! Finding out from the coordinator whether a job is wanted, runs, and has ended.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never};

use super::context::JobContext;
use super::hearing::SETTLES_WITHIN;
use super::look_pace::LookPace;
use super::machine_watch::MachineWatch;
use super::{Age, Job};
use crate::backoff::Backoff;
use crate::coordinator::{Ask, Heard, LogProbe, Standing};
use crate::executor::{Failure, Halt, Patience};
use crate::names::ProjectId;
use crate::payload::{FailureReason, JobCredentials};

/// While a machine is awaited, the coordinator is asked so often whether that is still of use.
const WANTED_EVERY: Duration = Duration::from_secs(5);
/// However long something is waited for, it is in such pieces.
const A_WHILE: Duration = Duration::from_secs(60);
/// Getting a machine takes a few seconds where all is well. A longer wait is trouble, which is no
/// reason for other jobs to wait, too.
const SLOW_AFTER: Duration = Duration::from_secs(60);

/// Tells the coordinator that we have the job. Ends it, if it is not wanted any more. Trouble with
/// the call changes nothing: the job is ours until somebody says otherwise.
pub(super) fn greet(job: &JobCredentials, context: &JobContext<'_>) -> Result<(), Halt> {
    const GREETING: &str = "telling the coordinator that we have the job";
    loop {
        context.stop.check()?;
        let heard = context.coordinator.standing(job, Ask::Greeting);
        match context.hearing.hear(GREETING, heard) {
            Standing::Active | Standing::Refused(_) | Standing::Unknown(_) => return Ok(()),
            Standing::Canceling => return Err(canceled()),
            Standing::Over(why) => return Err(Halt::Over(why)),
            Standing::RefusedTwice(_) => context.stop.wait(SETTLES_WITHIN)?,
        }
    }
}

/// Waiting for a machine, as long as the job wants one.
pub(super) struct WhileWanted<'a> {
    job: &'a JobCredentials,
    context: &'a JobContext<'a>,
    since: Instant,
    asked: Cell<Instant>,
}

impl<'a> WhileWanted<'a> {
    pub(super) fn new(job: &'a JobCredentials, context: &'a JobContext<'a>) -> Self {
        Self {
            job,
            context,
            since: Instant::now(),
            asked: Cell::new(Instant::now()),
        }
    }
}

impl WhileWanted<'_> {
    /// As [`Patience::wait`], but something that arrives at `wake` ends the wait, too; true, if that did.
    pub(super) fn wait_or(&self, wake: &Receiver<()>, duration: Duration) -> Result<bool, Halt> {
        let until = Instant::now() + duration;
        loop {
            if self.asked.get().elapsed() >= WANTED_EVERY {
                // After an end each further call tells of it again.
                greet(self.job, self.context)?;
                self.asked.set(Instant::now());
            }
            if self.since.elapsed() >= SLOW_AFTER {
                self.context.report.slow();
            }
            let rest = until.saturating_duration_since(Instant::now());
            let due = WANTED_EVERY.saturating_sub(self.asked.get().elapsed());
            let is_woken = self.context.stop.wait_or(wake, rest.min(due))?.is_some();
            if is_woken || rest <= due {
                return Ok(is_woken);
            }
        }
    }
}

impl Patience for WhileWanted<'_> {
    fn wait(&self, duration: Duration) -> Result<(), Halt> {
        self.wait_or(&never(), duration).map(drop)
    }

    fn wait_for(&self, arrival: &Receiver<()>) -> Result<(), Halt> {
        while !self.wait_or(arrival, A_WHILE)? {}
        Ok(())
    }
}

/// Waits until the inner runner has written to the job's log: the only proof that it runs.
pub(super) fn await_start(
    job: &Job,
    project: Option<ProjectId>,
    context: &JobContext<'_>,
) -> Result<(), Halt> {
    let watch = context.trace_watch;
    let since = Instant::now();
    let mut age = job.age;
    let mut machine = MachineWatch::new(&job.machine, context);
    loop {
        check_age(&mut age, job, context)?;
        let (has_grown, heard) = look_for_start(job, project, context);
        let mut pause = watch.step;
        match (context.hearing).hear("looking whether the job runs", heard) {
            _ if has_grown == Some(true) => {
                log::info!("running, seen after {:.1?}", since.elapsed());
                return Ok(());
            }
            Standing::Active => machine.check()?,
            Standing::Canceling => return Err(canceled()),
            Standing::Over(why) => return Err(Halt::Over(why)),
            Standing::RefusedTwice(_) => pause = pause.min(SETTLES_WITHIN),
            Standing::Refused(_) | Standing::Unknown(_) => {}
        }
        // Only a coordinator that answers can say that nothing has happened.
        if has_grown == Some(false) && since.elapsed() >= watch.timeout {
            return Err(not_started(watch.timeout).into());
        }
        let rest = watch.timeout.saturating_sub(since.elapsed());
        if rest.is_zero() {
            context.report.slow();
        } else {
            pause = pause.min(rest);
        }
        let latest = job
            .age
            .next_check()
            .saturating_duration_since(Instant::now());
        context.stop.wait(pause.min(latest))?;
    }
}

/// Looks whether the job's log has grown, with a user's token where there is one; else, or when that
/// tells nothing, with the job's. And hears how the job stands.
fn look_for_start(
    job: &Job,
    project: Option<ProjectId>,
    context: &JobContext<'_>,
) -> (Option<bool>, Heard) {
    const BY_TOKEN: &str = "reading the job's log";
    let (coordinator, credentials) = (context.coordinator, &job.credentials);
    if let (Some(token), Some(project)) = (&context.trace_watch.token, project) {
        let read = coordinator.read_log(credentials, project, token, job.log_bytes);
        if let LogProbe::Besides(Standing::Unknown(why)) = read {
            let why = format!("{why}; looking with the job's own token meanwhile");
            context.hearing.trouble(BY_TOKEN, &why);
        } else {
            context.hearing.works(BY_TOKEN);
            let heard = coordinator.standing(credentials, Ask::Look);
            return (read.has_grown(), heard);
        }
    }
    let probe = coordinator.probe_log(credentials, job.log_bytes);
    let has_grown = probe.has_grown();
    let heard = coordinator.settle(credentials, Ask::Log, probe.standing());
    (has_grown, heard)
}

/// Waits until the coordinator has the job's result.
pub(super) fn await_end(job: &Job, context: &JobContext<'_>) -> Result<Infallible, Halt> {
    let interval = context.policy.progress_interval;
    let mut trouble = Backoff::new(
        interval.min(Duration::from_secs(5)),
        Duration::from_secs(15),
    );
    let mut age = job.age;
    let mut machine = MachineWatch::new(&job.machine, context);
    let mut pace = LookPace::new(job, interval);
    loop {
        check_age(&mut age, job, context)?;
        let heard = context.coordinator.standing(&job.credentials, Ask::Look);
        let pause = match (context.hearing).hear("looking whether the job has ended", heard) {
            Standing::Active | Standing::Canceling => {
                trouble.succeeded();
                machine.check()?;
                pace.wait(age.next_check(), context)?;
                continue;
            }
            Standing::Over(why) => return Err(Halt::Over(why)),
            Standing::RefusedTwice(_) => SETTLES_WITHIN,
            Standing::Refused(_) | Standing::Unknown(_) => trouble.pause(),
        };
        context.stop.wait(pause)?;
    }
}

/// Nothing may run for ever, whatever the coordinator says or doesn't say.
fn check_age(age: &mut Age, job: &Job, context: &JobContext<'_>) -> Result<(), Halt> {
    let is_reached = age.is_reached(|| {
        let running = context.coordinator.running_for(&job.credentials);
        let how_long = running.map_or_else(
            || "does not say how long it has been running".to_owned(),
            |running| format!("has had it running for {running:.0?}"),
        );
        log::warn!(
            "its time is over by the clock of this computer, which may be wrong; the coordinator {how_long}"
        );
        running
    });
    if !is_reached {
        return Ok(());
    }
    let longest = context
        .policy
        .longest_job
        .map_or_else(String::new, |longest| {
            let longest = humantime::format_duration(longest);
            format!(", which on this runner is {longest} at most")
        });
    Err(Failure {
        reason: FailureReason::JobExecutionTimeout,
        user: format!("The job did not end in its time{longest}, and its machine was taken away."),
        admin: "the machine has reached its maximum age (the job's timeout and a margin, \
                paas_max_machine_age, or paas_max_job_duration)"
            .to_owned(),
    }
    .into())
}

fn canceled() -> Halt {
    Halt::Failed(Failure {
        reason: FailureReason::ScriptFailure,
        user: "The job was canceled before it started.".to_owned(),
        admin: "it was canceled before it started".to_owned(),
    })
}

fn not_started(timeout: Duration) -> Failure {
    let seconds = timeout.as_secs();
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: format!("Job not active (no log) after {seconds} seconds"),
        admin: format!("no log {seconds} s after the hand-over; the machine's own log may say why"),
    }
}
