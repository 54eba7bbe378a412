//! The [`Snapshot`] in the log: a line of statistics, and on request all that is tracked.

use serde_json::json;

use super::Snapshot;
use crate::counted::counted;
use crate::logger;
use crate::quota;

/// The line that monitoring of the Python runner reads, with the same keys.
pub fn log_statistics(quota: &quota::Snapshot) {
    let (usage, limits) = (quota.in_use, quota.limits);
    let headroom = quota.limit.minus(usage.weight);
    let has_weight = quota
        .smallest_request
        .is_some_and(|least| headroom >= least);
    let can_launch = limits.holds || usage.launching < limits.launching;
    let statistics = json!({
        "weight_quota": quota.limit.as_f64(),
        "current_weight": usage.weight.as_f64(),
        "weight_headroom": headroom.as_f64(),
        "can_take_job": has_weight && can_launch && usage.jobs < limits.jobs,
        "max_jobs_in_provisioning": limits.launching,
        "jobs_in_provisioning": usage.launching,
        "current_concurrent_jobs": usage.jobs,
        "max_concurrent_jobs": limits.jobs,
    });
    log::info!("JSON statistics: {statistics}");
}

/// Every tracked job on a line of its own, what ends when, then the counters.
pub fn log_tracked(snapshot: &Snapshot) {
    for job in &snapshot.jobs {
        let machine = if job.machine_may_exist {
            "with a machine"
        } else {
            "without a machine"
        };
        let verdict = if job.has_untold_failure {
            ", verdict not delivered"
        } else {
            ""
        };
        logger::about_job(job.id.0, &job.runner, || {
            let (phase, weight) = (job.phase, job.weight);
            log::warn!("tracked as {phase}, {machine}, weight {weight}{verdict}");
        });
    }
    for (runner, expiry) in &snapshot.expiries {
        logger::about_runner(runner, || log::warn!("{}", expiry.text()));
    }
    let (usage, limit) = (snapshot.quota.in_use, snapshot.quota.limit);
    log::warn!(
        "tracked: {}, {} of them held and {} being launched, weight {} of {limit}",
        counted(usage.jobs, "job"),
        snapshot.quota.held,
        usage.launching,
        usage.weight,
    );
}
