//! The beginning of a life: what kind of machine the job gets, and the wait for room for it.
//!
//! A job that is held costs nothing and is nobody else's: the coordinator is told again and again
//! that we have it, and may take it back. Whom it waits for is not known here.

use std::time::{Duration, Instant};

use super::context::JobContext;
use super::watch::WhileWanted;
use super::{Job, Phase};
use crate::backoff::Backoff;
use crate::clock::Timestamp;
use crate::executor::{Failure, Halt, Patience};
use crate::payload::{FailureReason, Payload};
use crate::quota::Admission;
use crate::weight::Weight;

/// A coordinator that does not say a job's tags is asked so often; then the job gets what jobs get
/// that have none.
const ASKED_FOR_TAGS: u32 = 6;
/// So long at most until the job's own time is looked at again.
const A_WHILE: Duration = Duration::from_secs(60);

/// Fails the job of a group that has spent what its machines may cost in a month, before it has one.
pub(super) fn check_budget(job: &Job, context: &JobContext<'_>) -> Result<(), Halt> {
    let Some(group) = job.machine.tenant.as_deref() else {
        return Ok(());
    };
    if job.machine.may_exist() {
        return Ok(());
    }
    let Some(budget) = context.executor.group_budget(group) else {
        return Ok(());
    };
    match context.purse.has_spent(group, budget) {
        None => Ok(()),
        Some(spent) => Err(spent_up(group, spent, budget).into()),
    }
}

fn spent_up(group: &str, spent: f64, budget: f64) -> Failure {
    Failure {
        reason: FailureReason::ScriptFailure,
        user: format!(
            "The machines of the group {group} have cost {spent:.2} this month, and may cost {budget:.2}. Its jobs \
             run again in the next month (UTC), or when the group's budget is raised: ask the administrator of your \
             instance."
        ),
        admin: format!(
            "the budget of group {group} for this month, {budget:.2}, is spent: {spent:.2}"
        ),
    }
}

/// Lets the job's tags decide on its machine, where they do.
pub(super) fn choose_machine(
    job: &mut Job,
    payload: &Payload,
    context: &JobContext<'_>,
) -> Result<(), Halt> {
    let executor = context.executor;
    if executor.goes_by_tags(payload, &job.machine) {
        let tags = tags_of(job, context)?;
        executor.choose(&mut job.machine, &tags);
        if let Some(weight) = executor.weigh(payload, &job.machine) {
            context.admission.weighed(weight);
        }
        context.report.note(job);
    }
    Ok(())
}

fn tags_of(job: &Job, context: &JobContext<'_>) -> Result<Vec<String>, Halt> {
    let while_wanted = WhileWanted::new(&job.credentials, context);
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
    loop {
        let why = match context.coordinator.tags(&job.credentials) {
            Ok(tags) => return Ok(tags),
            Err(why) => why,
        };
        let pause = backoff.pause();
        if backoff.failures() >= ASKED_FOR_TAGS {
            log::warn!("its tags can't be learnt, so it gets the default flavor: {why}");
            return Ok(Vec::new());
        }
        while_wanted.wait(pause)?;
    }
}

/// Waits until there is room for the job's machine.
pub(super) fn await_room(
    job: &mut Job,
    payload: &Payload,
    context: &JobContext<'_>,
) -> Result<(), Halt> {
    let (admission, while_wanted) = (
        context.admission,
        WhileWanted::new(&job.credentials, context),
    );
    let granted = job.summary.granted.unwrap_or_else(Timestamp::now);
    let patience = payload.timeout();
    let patience = patience.map(|timeout| timeout.mul_f64(context.policy.hold_at_most));
    let mut is_told = false;
    loop {
        match admission.admission() {
            Admission::Queued | Admission::Admitted => break,
            Admission::TooHeavy { most } => {
                return Err(too_heavy(payload, admission.weight(), most).into());
            }
            Admission::Held => {}
        }
        let waited = Timestamp::now().since(granted);
        let rest = patience.map_or(A_WHILE, |patience| patience.saturating_sub(waited));
        if rest.is_zero() {
            return Err(held_too_long(waited).into());
        }
        if !std::mem::replace(&mut is_told, true) {
            let weight = admission.weight();
            log::info!("held: its machine weighs {weight}, for which there is no room now");
        }
        while_wanted.wait_or(admission.changed(), rest.min(A_WHILE))?;
    }
    if let Phase::Held(payload) = &job.phase {
        job.phase = Phase::Pending(payload.clone());
        // After a crash, too, its machine is one that may be there.
        context.report.write_down(job);
        let waited = Timestamp::now().since(granted);
        log::info!("there is room for its machine, {waited:.0?} after the grant");
    }
    Ok(())
}

/// Waits until it is the job's turn to be launched; true when there was something to wait for.
pub(super) fn await_turn(job: &Job, context: &JobContext<'_>) -> Result<bool, Halt> {
    let (admission, while_wanted) = (
        context.admission,
        WhileWanted::new(&job.credentials, context),
    );
    let mut has_waited = false;
    while admission.admission() == Admission::Queued {
        if !std::mem::replace(&mut has_waited, true) {
            log::info!("waiting until fewer machines are being launched");
        }
        while_wanted.wait_or(admission.changed(), A_WHILE)?;
    }
    Ok(has_waited)
}

/// Waits until launches are far enough apart; true when there was something to wait for.
pub(super) fn await_spacing(job: &Job, context: &JobContext<'_>) -> Result<bool, Halt> {
    let while_wanted = WhileWanted::new(&job.credentials, context);
    let place = context.spacing.queue_up();
    let mut has_waited = false;
    while let Some(rest) = place.rest(Instant::now()) {
        if !std::mem::replace(&mut has_waited, true) {
            log::info!("launching in {rest:.1?}, after those before it");
        }
        while_wanted.wait_or(place.moved(), rest)?;
    }
    Ok(has_waited)
}

/// However long it waited.
fn too_heavy(payload: &Payload, weight: Weight, most: Weight) -> Failure {
    let (reason, remedy) = match payload.flavor() {
        Some(_) => (
            FailureReason::ScriptFailure,
            "Set CI_CLEVER_CLOUD_FLAVOR to a smaller one, or ask the runner's administrator.",
        ),
        None => (
            FailureReason::RunnerConfigurationError,
            "Please tell the runner's administrator, or set CI_CLEVER_CLOUD_FLAVOR to a smaller one.",
        ),
    };
    Failure {
        reason,
        user: format!("The job's machine is larger than all that this runner may use. {remedy}"),
        admin: format!(
            "its machine weighs {weight}, and all that its runner, or its group there, may use of \
             the quota is {most}"
        ),
    }
}

fn held_too_long(waited: Duration) -> Failure {
    let minutes = waited.as_secs().div_ceil(60);
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: format!(
            "The job waited for {minutes} min until other jobs of this runner would leave room for \
             it. There was none, and it could not end in its time any more: please run it again."
        ),
        admin: format!(
            "it was held for {waited:.0?} and there was no room: more than paas_hold_at_most of its \
             timeout"
        ),
    }
}
