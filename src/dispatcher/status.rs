//! What the service tells about itself: a line of statistics, and on request all that it tracks.

use serde_json::json;

use super::quota::Quota;
use super::state::Tracked;
use crate::job::Phase;
use crate::logger;

/// The line that monitoring of the Python runner reads, with the same keys.
pub fn log_statistics(quota: &Quota) {
    let (usage, limits) = (quota.usage_of_jobs(), quota.limits());
    let headroom = quota.limit().minus(usage.weight);
    let statistics = json!({
        "weight_quota": quota.limit().as_f64(),
        "current_weight": usage.weight.as_f64(),
        "weight_headroom": headroom.as_f64(),
        "can_take_job": headroom >= quota.smallest_request()
            && usage.launching < limits.launching,
        "max_jobs_in_provisioning": limits.launching,
        "jobs_in_provisioning": usage.launching,
        "current_concurrent_jobs": usage.jobs,
        "max_concurrent_jobs": limits.jobs,
    });
    log::info!("JSON statistics: {statistics}");
}

/// Every tracked job on a line of its own, then the counters. No secrets.
pub fn log_tracked<'a>(tracked: impl Iterator<Item = &'a Tracked>, quota: &Quota) {
    for tracked in tracked {
        let job = &tracked.job;
        let phase = match job.phase {
            Phase::Pending(_) => "pending",
            Phase::Launched => "launched",
            Phase::Ended => "to_decommission",
        };
        let machine = if job.may_have_a_machine() {
            "with a machine"
        } else {
            "without a machine"
        };
        let verdict = if job.verdict.is_some() {
            ", verdict not delivered"
        } else {
            ""
        };
        logger::about_job(job.credentials.id.0, &tracked.runner.unique, || {
            log::warn!(
                "tracked as {phase}, {machine}, weight {}{verdict}",
                tracked.weight
            );
        });
    }
    let usage = quota.usage_of_jobs();
    log::warn!(
        "tracked: {} jobs, {} of them being launched, weight {} of {}",
        usage.jobs,
        usage.launching,
        usage.weight,
        quota.limit()
    );
}
