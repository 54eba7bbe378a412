//! What the quota is: the weight of the reference flavor times the number of jobs.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::QuotaSettings;
use crate::executor::{Executor, NoWeight};
use crate::runner::Runner;
use crate::shutdown::{Stop, Stopped};
use crate::weight::Weight;

/// What a quota is computed of: one that was computed of the same is still good when the configuration
/// was read again, whatever has become of Clever Cloud meanwhile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    settings: QuotaSettings,
    /// Of the runner whose flavor it is.
    machines: String,
}

impl Reference {
    #[must_use]
    pub fn new(settings: QuotaSettings, runner: Option<&Runner>) -> Self {
        let machines = runner.map(|runner| runner.executor.describe());
        Self {
            settings,
            machines: machines.unwrap_or_default(),
        }
    }
}

/// Asks the executor until it knows. An API that is down at start is no reason to give up, and
/// neither is a reference flavor that is not on offer: that may pass, too, and what `--check` calls
/// wrong a service must survive. As long as it lasts each reason is told once, in the log and to the caller,
/// with what follows from it: where `is_known`, the quota of before counts on.
///
/// # Errors
/// [`Stopped`] when the service stops before.
pub fn weigh(
    reference: &Reference,
    is_known: bool,
    executor: &dyn Executor,
    stop: &Stop,
    tell_trouble: impl Fn(String),
) -> Result<Weight, Stopped> {
    let reference = &reference.settings;
    let flavor = &reference.reference_flavor;
    let (not_offered, unknown) = if is_known {
        ("with the quota as it was", "going on with it as it was")
    } else {
        (
            "with the jobs that are here, taking no new ones until it is on offer",
            "taking no jobs",
        )
    };
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    let mut told = None;
    loop {
        let trouble = match executor.weigh_flavor(flavor) {
            Ok(weight) => {
                if told.is_some() && !is_known {
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
                     on {not_offered}"
                ),
                NoWeight::Unknown(why) => log::warn!(
                    "cannot compute the quota yet: {why}; {unknown}, trying until it works"
                ),
            }
            let (NoWeight::NotOffered(why) | NoWeight::Unknown(why)) = &trouble;
            tell_trouble(why.clone());
            told = Some(trouble);
        }
        stop.wait(backoff.pause())?;
    }
}
