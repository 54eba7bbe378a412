//! What the quota is: the weight of the reference flavor times the number of jobs.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::QuotaSettings;
use crate::executor::{Executor, NoWeight};
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// Asks the executor until it knows; an API that is down at start is no reason to give up. What is
/// told is the quota, or else what is wrong with the configuration; that may pass, too, when what
/// is on offer changes.
///
/// # Errors
/// [`Stopped`] when the service stops before.
pub fn weigh(
    reference: &QuotaSettings,
    executor: &dyn Executor,
    stop: &Stop,
    tell: impl Fn(Result<Weight, String>),
) -> Result<(), Stopped> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    loop {
        let pause = backoff.pause();
        match executor.weigh_flavor(&reference.reference_flavor) {
            Ok(weight) => {
                tell(Ok(weight * reference.reference_jobs_count));
                return Ok(());
            }
            Err(NoWeight::NotOffered(offered)) => tell(Err(format!(
                "`reference_flavor` in [quota_computation] is {:?}, but {offered}",
                reference.reference_flavor
            ))),
            Err(NoWeight::Unknown(why)) => log::warn!(
                "cannot compute the quota yet: {why}; taking no jobs, trying again in {pause:.0?}"
            ),
        }
        stop.wait(pause)?;
    }
}
