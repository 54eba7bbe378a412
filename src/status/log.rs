//! The [`Report`] in the log: a line of statistics, and on request all that is tracked.

use serde_json::json;

use super::{Phase, Report};
use crate::counted::counted;
use crate::logger::{self, Subject};
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

/// Every tracked job on a line of its own, every runner, what ends when, then the counters.
pub fn log_tracked(report: &Report) {
    for job in &report.jobs {
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
        let subject = Subject {
            job: Some(job.id),
            project: job.project.clone(),
            flavor: job.flavor.clone(),
            ..Subject::runner(&job.runner)
        };
        logger::meanwhile(subject, || {
            let (phase, weight) = (job.phase, job.weight);
            log::warn!("tracked as {phase}, {machine}, weight {weight:.2}{verdict}");
        });
    }
    for runner in &report.runners {
        logger::about_runner(&runner.name, || log::warn!("{}", runner.reason));
    }
    for end in &report.ends {
        logger::about_runner(&end.runner, || log::warn!("{}", end.text()));
    }
    if let Some(quota) = &report.quota {
        log::warn!(
            "tracked: {}, {} of them held and {} being launched, weight {:.2} of {:.2}",
            counted(quota.jobs, "job"),
            report.count(&[Phase::Held]),
            quota.launching,
            quota.weight,
            quota.weight_limit.unwrap_or_default(),
        );
    }
}
