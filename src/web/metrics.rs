//! What Prometheus scrapes: the counters of the process, and how everything stands.
//!
//! Labels are few, and no job has one. What is not known has no line.

use std::fmt::Write;

use super::health::can_work;
use crate::meters::{self, PREFIX, labels, write_head};
use crate::status::{Phase, QuotaReport, Report, ServiceState, View};

/// One metric that goes up and down: its name, what it is, and its values by labels.
struct Gauge<'a>(&'a str, &'a str, Vec<(String, f64)>);

/// `view` is how everything stands, if the main loop has said so.
pub fn render(view: Option<&View>) -> String {
    let mut text = String::new();
    meters::write(&mut text);
    let version = labels([("version", env!("CARGO_PKG_VERSION"))].into_iter());
    let answers = f64::from(u8::from(view.is_some()));
    write(
        &mut text,
        Gauge("build_info", "Which program this is.", vec![(version, 1.0)]),
    );
    write(
        &mut text,
        single(
            "main_loop_answers",
            "Whether the main loop of the service turns.",
            answers,
        ),
    );
    let Some(view) = view else {
        return text;
    };
    let report = &view.report;
    if let Some(started) = report.started {
        let seconds = started.seconds();
        let _ = write!(
            text,
            "# HELP process_start_time_seconds When the service was started, in seconds since 1970.\n\
             # TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {seconds}\n"
        );
    }
    let own = of_service(view, report);
    let quota = report.quota.iter().flat_map(of_quota);
    for gauge in own.into_iter().chain(quota).chain(of_runners(report)) {
        write(&mut text, gauge);
    }
    text
}

fn write(text: &mut String, Gauge(name, help, series): Gauge<'_>) {
    write_head(text, name, help, "gauge");
    for (labels, value) in series {
        // As Prometheus writes it.
        let value = if value.is_infinite() {
            "+Inf".to_owned()
        } else {
            value.to_string()
        };
        let _ = writeln!(text, "{PREFIX}{name}{labels} {value}");
    }
}

fn single<'a>(name: &'a str, help: &'a str, value: f64) -> Gauge<'a> {
    Gauge(name, help, vec![(String::new(), value)])
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn of_service<'a>(view: &View, report: &Report) -> [Gauge<'a>; 8] {
    let phases = Phase::ALL.map(|phase| {
        let name = phase.to_string();
        let labels = labels([("phase", name.as_str())].into_iter());
        (labels, report.count(&[phase]) as f64)
    });
    let in_trouble = report.jobs.iter().filter(|job| job.trouble.is_some());
    let spent = report.spent.iter().map(|spent| {
        let labels = labels([("currency", spent.currency.as_str())].into_iter());
        (labels, spent.cost)
    });
    let takes_jobs = report.state == ServiceState::Running;
    let writable = view.unwritten.is_none();
    [
        Gauge(
            "jobs",
            "Jobs that are here, by how far they have come.",
            phases.to_vec(),
        ),
        single(
            "takes_jobs",
            "Whether new jobs are taken: not while it drains or stops.",
            flag(takes_jobs),
        ),
        single(
            "state_file_writable",
            "Whether the state file could be written the last time.",
            flag(writable),
        ),
        single(
            "problems",
            "What an administrator should look at.",
            report.wrong.len() as f64,
        ),
        single(
            "deletions_in_trouble",
            "Jobs whose machines could not be deleted yet.",
            in_trouble.count() as f64,
        ),
        single(
            "orphans",
            "Machines without a job that are left alone.",
            report.orphans.len() as f64,
        ),
        Gauge(
            "month_cost",
            "What the jobs of this month have cost so far.",
            spent.collect(),
        ),
        Gauge(
            "credential_remaining_seconds",
            "How long it takes until a credential ends, as far as that was told.",
            ends(report),
        ),
    ]
}

fn ends(report: &Report) -> Vec<(String, f64)> {
    let mut ends: Vec<(String, f64)> = Vec::new();
    for end in &report.ends {
        let pairs = [
            ("runner", end.runner.as_str()),
            ("credential", end.what.as_str()),
        ];
        let labels = labels(pairs.into_iter());
        let rest =
            end.ends.since(report.at).as_secs_f64() - report.at.since(end.ends).as_secs_f64();
        // A series twice is none.
        if ends.iter().all(|(known, _)| *known != labels) {
            ends.push((labels, rest));
        }
    }
    ends
}

fn of_quota<'a>(quota: &QuotaReport) -> Vec<Gauge<'a>> {
    let limit = |limit: usize| {
        if limit == usize::MAX {
            f64::INFINITY
        } else {
            limit as f64
        }
    };
    let weight_limit = quota.weight_limit.map(|limit| (String::new(), limit));
    vec![
        single(
            "quota_weight",
            "Weight of the jobs that have room.",
            quota.weight,
        ),
        Gauge(
            "quota_weight_limit",
            "The quota, as a weight.",
            weight_limit.into_iter().collect(),
        ),
        single("quota_jobs", "Jobs that have room.", quota.jobs as f64),
        single(
            "quota_jobs_limit",
            "Jobs that may have room at once.",
            limit(quota.jobs_limit),
        ),
        single(
            "quota_launching",
            "Launches under way.",
            quota.launching as f64,
        ),
        single(
            "quota_launching_limit",
            "Launches that may be under way at once.",
            limit(quota.launching_limit),
        ),
    ]
}

fn of_runners<'a>(report: &Report) -> [Gauge<'a>; 4] {
    let each = |value: fn(&crate::status::RunnerReport) -> f64| {
        let runners = report.runners.iter();
        let series = runners.map(|runner| {
            let labels = labels([("runner", runner.name.as_str())].into_iter());
            (labels, value(runner))
        });
        series.collect()
    };
    [
        Gauge(
            "runner_can_work",
            "Whether a runner asks for jobs as far as there is room.",
            each(|runner| flag(can_work(runner.does))),
        ),
        Gauge(
            "runner_jobs",
            "Jobs of a runner that are here.",
            each(|runner| runner.jobs as f64),
        ),
        Gauge(
            "runner_weight",
            "Weight of a runner's jobs that have room.",
            each(|runner| runner.weight),
        ),
        Gauge(
            "runner_weight_limit",
            "The weight that a runner may use at once.",
            each(|runner| runner.weight_limit),
        ),
    ]
}
