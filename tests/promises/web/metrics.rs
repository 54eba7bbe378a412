//! What a scrape tells is true, and is what Prometheus understands.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use sandbox::{Fault, JobStatus, Rule};

use crate::scene::Scene;

const PREFIX: &str = "heptapod_paas_runner_";

#[test]
fn jobs_requests_and_seconds_are_counted_and_how_it_stands_is_measured() {
    let scene = Scene::listening();
    let site = scene.serve();
    let well = scene.submit("well", "true");
    assert_eq!(scene.await_end(well).status, JobStatus::Success);
    let too_cheap = scene.submit_cheap("cheap");
    scene.await_end(too_cheap);
    let lasting = scene.submit_lasting("lasts");
    scene.await_status(lasting, |status| status == JobStatus::Running);
    for line in [
        "jobs_ended_total{runner=\"ci\",flavor=\"XS\",result=\"success\",reason=\"\"} 1",
        "jobs_ended_total{runner=\"ci\",flavor=\"none\",result=\"launch_failed\",reason=\"script_failure\"} 1",
        "job_phase_seconds_count{phase=\"provisioned\"} 1",
        "job_phase_seconds_bucket{phase=\"deleted\",le=\"+Inf\"} 1",
        "jobs{phase=\"running\"} 1",
        "jobs{phase=\"held\"} 0",
        "runner_jobs{runner=\"ci\"} 1",
        "quota_jobs 1",
        "quota_jobs_limit 50",
        "main_loop_answers 1",
        "takes_jobs 1",
        "orphans 0",
        "requests_total{service=\"clever\",endpoint=\"create\",outcome=\"2xx\"} 2",
        "requests_total{service=\"git\",endpoint=\"push\",outcome=\"2xx\"} 2",
    ] {
        site.await_metric(&format!("{PREFIX}{line}"));
    }
    scene.clever.faults().inject(
        Rule::on("DELETE", "*/applications/*")
            .always()
            .with(Fault::status(500)),
    );
    // The first may have been too quick to be seen running.
    let ran = |count: u32| format!("{PREFIX}job_phase_seconds_count{{phase=\"ran\"}} {count}");
    let text = site.get("/metrics").body;
    let seen = (0..=1).find(|count| text.lines().any(|line| line == ran(*count)));
    scene.let_end();
    scene.await_end(lasting);
    let text = site.await_metric(&format!("{PREFIX}deletions_in_trouble 1"));
    scene.clever.faults().clear();
    assert!(
        text.contains("endpoint=\"delete\",outcome=\"5xx\"}"),
        "{text}"
    );
    assert!(text.contains("process_start_time_seconds 1"), "{text}");
    // Neither a job nor a project has a label.
    assert!(
        !text.contains("acme") && !text.contains("hpd-job"),
        "{text}"
    );
    assert_are_names(&text);
    check_by_promtool(&text);
    for line in ["deletions_in_trouble 0", "jobs{phase=\"deleting\"} 0"] {
        site.await_metric(&format!("{PREFIX}{line}"));
    }
    site.await_metric(&ran(seen.unwrap() + 1));
}

/// Each family once, with its help and its type, and no series twice.
fn assert_are_names(text: &str) {
    let mut known = BTreeSet::new();
    let mut series = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(known.insert(rest.split(' ').next().unwrap()), "{line}");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(series.insert(name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let family = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| family.strip_suffix(end))
                .unwrap_or(family);
            assert!(known.contains(family), "{line}");
        }
    }
    assert!(known.len() > 20, "{known:?}");
}

fn check_by_promtool(text: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: there is no promtool here");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}
