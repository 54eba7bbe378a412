//! Finding out from the coordinator whether a job is wanted, runs, and has ended.

use std::time::{Duration, Instant, SystemTime};

use super::Job;
use super::life::{Interruption, World};
use crate::backoff::Backoff;
use crate::coordinator::{LogProbe, Standing};
use crate::executor::Failure;
use crate::payload::JobCredentials;

/// A 401 can be the lag of a database replica: how long to wait before believing a second one.
const REPLICA_LAG: Duration = Duration::from_secs(3);

/// Tells the coordinator that we have the job. Ends it, if it is not wanted any more. Trouble with
/// the call changes nothing: the job is ours until somebody says otherwise.
pub(super) fn greet(job: &Job, world: &World<'_>) -> Result<(), Interruption> {
    match world.coordinator.greet(&job.credentials) {
        Standing::Active => Ok(()),
        Standing::Canceling => Err(canceled()),
        Standing::Over(why) => confirm_over(&job.credentials, world, why),
        Standing::Unknown(why) => {
            log::warn!("telling the coordinator that we have the job: {why}; going on");
            Ok(())
        }
    }
}

/// A refusal ends the job, unless another call says that it goes on.
fn confirm_over(job: &JobCredentials, world: &World<'_>, why: String) -> Result<(), Interruption> {
    match world.coordinator.look(job) {
        Standing::Active => Ok(()),
        Standing::Canceling => Err(canceled()),
        Standing::Over(_) | Standing::Unknown(_) => Err(Interruption::Over(why)),
    }
}

/// Waits until the inner runner has written to the job's log: the only proof that it runs.
pub(super) fn await_start(
    job: &Job,
    project: Option<u64>,
    world: &World<'_>,
) -> Result<(), Interruption> {
    let watch = world.trace_watch;
    let since = Instant::now();
    loop {
        match has_started(job, project, world) {
            LogProbe::Grown => {
                log::info!("running, seen after {:.1?}", since.elapsed());
                return Ok(());
            }
            LogProbe::Ended(Standing::Canceling) => return Err(canceled()),
            LogProbe::Ended(Standing::Over(why)) => {
                confirm_over(&job.credentials, world, why)?;
            }
            // Only a coordinator that answers can say that nothing has happened.
            LogProbe::Unchanged if since.elapsed() >= watch.timeout => {
                return Err(not_started(watch.timeout).into());
            }
            LogProbe::Unchanged | LogProbe::Ended(_) => {}
            LogProbe::Unknown(why) => log::warn!("looking whether the job runs: {why}"),
        }
        world.stop.wait(watch.step)?;
    }
}

/// With a user's token where one is configured; else, or when that doesn't work, with the job's.
fn has_started(job: &Job, project: Option<u64>, world: &World<'_>) -> LogProbe {
    if let (Some(token), Some(project)) = (&world.trace_watch.token, project) {
        match world
            .coordinator
            .read_log(&job.credentials, project, token, job.log_length)
        {
            LogProbe::Unchanged => match world.coordinator.look(&job.credentials) {
                Standing::Active | Standing::Unknown(_) => return LogProbe::Unchanged,
                Standing::Canceling => return LogProbe::Ended(Standing::Canceling),
                // That may be a lagging replica; the probe below knows.
                Standing::Over(_) => {}
            },
            LogProbe::Unknown(why) => log::warn!("reading the job's log: {why}"),
            other => return other,
        }
    }
    world
        .coordinator
        .probe_log(&job.credentials, job.log_length)
}

/// Waits until the coordinator has the job's result.
pub(super) fn await_end(job: &Job, world: &World<'_>) -> Result<(), Interruption> {
    let interval = world.policy.progress_interval;
    let mut trouble = Backoff::new(
        interval.min(Duration::from_secs(5)),
        Duration::from_secs(15),
    );
    let mut was_refused = false;
    loop {
        if SystemTime::now() >= job.expires {
            return Err(too_old().into());
        }
        let pause = match world.coordinator.look(&job.credentials) {
            Standing::Active | Standing::Canceling => {
                trouble.succeeded();
                was_refused = false;
                interval
            }
            Standing::Over(why) => match world.coordinator.probe_log(&job.credentials, 0) {
                LogProbe::Ended(Standing::Over(why)) => return Err(Interruption::Over(why)),
                LogProbe::Unknown(_) if was_refused => return Err(Interruption::Over(why)),
                // Its log can still be written to: it is only the look that lags.
                LogProbe::Grown | LogProbe::Unchanged | LogProbe::Ended(_) => interval,
                LogProbe::Unknown(_) => {
                    was_refused = true;
                    REPLICA_LAG
                }
            },
            Standing::Unknown(why) => {
                let pause = trouble.pause();
                if trouble.failures() == 1 {
                    log::warn!(
                        "looking whether the job has ended: {why}; asking until it is known"
                    );
                }
                pause
            }
        };
        world.stop.wait(pause)?;
    }
}

fn canceled() -> Interruption {
    Interruption::Failed(Failure {
        user: "The job was canceled before it started.".to_owned(),
        admin: "it was canceled before it started".to_owned(),
    })
}

fn too_old() -> Failure {
    Failure {
        user: "The job did not end in its time, and its machine was taken away.".to_owned(),
        admin: "the machine has reached its maximum age (the job's timeout and a margin, or \
                paas_max_machine_age)"
            .to_owned(),
    }
}

fn not_started(timeout: Duration) -> Failure {
    let seconds = timeout.as_secs();
    Failure {
        user: format!("Job not active (no log) after {seconds} seconds"),
        admin: format!("no log {seconds} s after the hand-over; the machine's own log may say why"),
    }
}
