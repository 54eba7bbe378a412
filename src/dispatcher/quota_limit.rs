//! What the quota is: the weight of the reference flavor times the number of jobs.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::QuotaSettings;
use crate::executor::{Executor, NoWeight};
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// Asks the executor until it knows. An API that is down at start is no reason to give up, and
/// neither is a reference flavor that is not on offer: that may pass, too, and what `--check` calls
/// wrong a service must survive. As long as it lasts each reason is told once, in the log and to the caller.
///
/// # Errors
/// [`Stopped`] when the service stops before.
pub fn weigh(
    reference: &QuotaSettings,
    executor: &dyn Executor,
    stop: &Stop,
    tell_trouble: impl Fn(String),
) -> Result<Weight, Stopped> {
    let flavor = &reference.reference_flavor;
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    let mut told = None;
    loop {
        let trouble = match executor.weigh_flavor(flavor) {
            Ok(weight) => {
                if told.is_some() {
                    log::info!("the weight of {flavor} is known now: jobs are taken");
                }
                let count = reference.reference_jobs_count;
                let quota = weight * count;
                log::info!("the quota is {quota}, the weight of {count} times the flavor {flavor}");
                return Ok(quota);
            }
            Err(trouble) => trouble,
        };
        if told.as_ref() != Some(&trouble) {
            match &trouble {
                NoWeight::NotOffered(offered) => log::error!(
                    "`reference_flavor` in [quota_computation] is {flavor:?}, but {offered}; going \
                     on with the jobs that are here, taking no new ones until it is on offer"
                ),
                NoWeight::Unknown(why) => log::warn!(
                    "cannot compute the quota yet: {why}; taking no jobs, trying until it works"
                ),
            }
            let (NoWeight::NotOffered(why) | NoWeight::Unknown(why)) = &trouble;
            tell_trouble(why.clone());
            told = Some(trouble);
        }
        stop.wait(backoff.pause())?;
    }
}
