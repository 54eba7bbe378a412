//! Finding out from the coordinator whether a job is wanted, runs, and has ended.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::Job;
use super::context::JobContext;
use super::machine_watch::MachineWatch;
use crate::backoff::Backoff;
use crate::coordinator::{LogProbe, Standing};
use crate::executor::{Failure, Halt, Patience};
use crate::names::ProjectId;
use crate::payload::JobCredentials;
use crate::shutdown::Stop;

/// A 401 can be the lag of a database replica: how long to wait before believing a second one.
const REPLICA_LAG: Duration = Duration::from_secs(3);
/// While a machine is awaited, the coordinator is asked so often whether that is still of use.
const WANTED_EVERY: Duration = Duration::from_secs(5);
/// Getting a machine takes a few seconds where all is well. A longer wait is trouble, which is no
/// reason for other jobs to wait, too.
const SLOW_AFTER: Duration = Duration::from_secs(60);

/// Tells the coordinator that we have the job. Ends it, if it is not wanted any more. Trouble with
/// the call changes nothing: the job is ours until somebody says otherwise.
pub(super) fn greet(job: &JobCredentials, context: &JobContext<'_>) -> Result<(), Halt> {
    context.stop.check()?;
    match context.coordinator.greet(job) {
        Standing::Active => Ok(()),
        Standing::Canceling => Err(canceled()),
        Standing::Over(why) => Err(Halt::Over(why)),
        Standing::Refused(why) => confirm_over(job, context, why),
        Standing::Unknown(why) => {
            log::warn!("telling the coordinator that we have the job: {why}; going on");
            Ok(())
        }
    }
}

/// A refusal ends the job only if another call says so, too.
fn confirm_over(job: &JobCredentials, context: &JobContext<'_>, why: String) -> Result<(), Halt> {
    match context.coordinator.look(job) {
        Standing::Active | Standing::Unknown(_) => Ok(()),
        Standing::Canceling => Err(canceled()),
        Standing::Over(_) | Standing::Refused(_) => Err(Halt::Over(why)),
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

impl Patience for WhileWanted<'_> {
    fn wait(&self, duration: Duration) -> Result<(), Halt> {
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
            self.context.stop.wait(rest.min(WANTED_EVERY))?;
            if rest <= WANTED_EVERY {
                return Ok(());
            }
        }
    }

    fn stop(&self) -> &Stop {
        self.context.stop
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
    let mut machine = MachineWatch::new(&job.machine, context);
    let mut probe = StartProbe {
        project,
        by_token: true,
    };
    loop {
        check_age(job)?;
        match probe.has_started(job, context) {
            LogProbe::Grown => {
                log::info!("running, seen after {:.1?}", since.elapsed());
                return Ok(());
            }
            LogProbe::Ended(Standing::Canceling) => return Err(canceled()),
            LogProbe::Ended(Standing::Over(why)) => return Err(Halt::Over(why)),
            LogProbe::Ended(Standing::Refused(why)) => {
                confirm_over(&job.credentials, context, why)?;
            }
            // Only a coordinator that answers can say that nothing has happened.
            LogProbe::Unchanged if since.elapsed() >= watch.timeout => {
                return Err(not_started(watch.timeout).into());
            }
            LogProbe::Unchanged => machine.check()?,
            LogProbe::Ended(_) => {}
            LogProbe::Unknown(why) => log::warn!("looking whether the job runs: {why}"),
        }
        if since.elapsed() >= watch.timeout {
            context.report.slow();
        }
        context.stop.wait(watch.step)?;
    }
}

/// How a job's log is looked at.
struct StartProbe {
    project: Option<ProjectId>,
    /// With a user's token, where one is configured and as long as it works.
    by_token: bool,
}

impl StartProbe {
    /// With the user's token; else, or when that doesn't work, with the job's.
    fn has_started(&mut self, job: &Job, context: &JobContext<'_>) -> LogProbe {
        let own = || {
            context
                .coordinator
                .probe_log(&job.credentials, job.log_bytes)
        };
        let (true, Some(token), Some(project)) =
            (self.by_token, &context.trace_watch.token, self.project)
        else {
            return own();
        };
        match context
            .coordinator
            .read_log(&job.credentials, project, token, job.log_bytes)
        {
            LogProbe::Unchanged => match context.coordinator.look(&job.credentials) {
                Standing::Canceling => LogProbe::Ended(Standing::Canceling),
                // That may be a lagging replica; the job's own token knows.
                Standing::Over(_) => own(),
                Standing::Active | Standing::Refused(_) | Standing::Unknown(_) => {
                    LogProbe::Unchanged
                }
            },
            LogProbe::Unknown(why) => {
                log::warn!("reading the job's log: {why}; looking with the job's own token now");
                self.by_token = false;
                own()
            }
            other => other,
        }
    }
}

/// Waits until the coordinator has the job's result.
pub(super) fn await_end(job: &Job, context: &JobContext<'_>) -> Result<Infallible, Halt> {
    let interval = context.policy.progress_interval;
    let mut trouble = Backoff::new(
        interval.min(Duration::from_secs(5)),
        Duration::from_secs(15),
    );
    let mut machine = MachineWatch::new(&job.machine, context);
    let mut was_refused = false;
    loop {
        check_age(job)?;
        let pause = match context.coordinator.look(&job.credentials) {
            Standing::Active | Standing::Canceling => {
                trouble.succeeded();
                was_refused = false;
                machine.check()?;
                interval
            }
            Standing::Over(why) => match context.coordinator.probe_log(&job.credentials, 0) {
                LogProbe::Ended(Standing::Over(why) | Standing::Refused(why)) => {
                    return Err(Halt::Over(why));
                }
                LogProbe::Unknown(_) if was_refused => return Err(Halt::Over(why)),
                // Its log can still be written to: it is only the look that lags.
                LogProbe::Grown | LogProbe::Unchanged | LogProbe::Ended(_) => interval,
                LogProbe::Unknown(_) => {
                    was_refused = true;
                    REPLICA_LAG
                }
            },
            Standing::Refused(why) | Standing::Unknown(why) => {
                let pause = trouble.pause();
                if trouble.failures() == 1 {
                    log::warn!(
                        "looking whether the job has ended: {why}; asking until it is known"
                    );
                }
                pause
            }
        };
        context.stop.wait(pause)?;
    }
}

/// Nothing may run for ever, whatever the coordinator says or doesn't say.
fn check_age(job: &Job) -> Result<(), Halt> {
    if Instant::now() < job.expires {
        return Ok(());
    }
    Err(Failure {
        user: "The job did not end in its time, and its machine was taken away.".to_owned(),
        admin: "the machine has reached its maximum age (the job's timeout and a margin, or \
                paas_max_machine_age)"
            .to_owned(),
    }
    .into())
}

fn canceled() -> Halt {
    Halt::Failed(Failure {
        user: "The job was canceled before it started.".to_owned(),
        admin: "it was canceled before it started".to_owned(),
    })
}

fn not_started(timeout: Duration) -> Failure {
    let seconds = timeout.as_secs();
    Failure {
        user: format!("Job not active (no log) after {seconds} seconds"),
        admin: format!("no log {seconds} s after the hand-over; the machine's own log may say why"),
    }
}
