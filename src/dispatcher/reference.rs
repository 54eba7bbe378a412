//! What the quota is: the weight of the reference flavor times the number of jobs.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::QuotaSettings;
use crate::executor::Executor;
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// Asks the executor until it knows; an API that is down at start is no reason to give up. An
/// inner error is for the operator: there is no such flavor.
pub fn weigh(
    reference: &QuotaSettings,
    executor: &dyn Executor,
    stop: &Stop,
) -> Result<Result<Weight, String>, Stopped> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    loop {
        match executor.weigh_flavor(&reference.reference_flavor) {
            Ok(Ok(weight)) => return Ok(Ok(weight * reference.reference_jobs_count)),
            Ok(Err(offered)) => {
                return Ok(Err(format!(
                    "`reference_flavor` in [quota_computation] is {:?}, but {offered}",
                    reference.reference_flavor
                )));
            }
            Err(why) => {
                let pause = backoff.pause();
                log::warn!(
                    "cannot compute the quota yet: {why}; taking no jobs, trying again in {pause:.0?}"
                );
                stop.wait(pause)?;
            }
        }
    }
}
