//! What a job has cost is told, written down, and bounded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal;
use sandbox::{Fault, JobStatus, Rule};
use serde_json::Value;

use crate::scene::{Scene, eventually};

/// The ledger of this year.
fn ledger(scene: &Scene) -> PathBuf {
    let files = fs::read_dir(scene.folder.path()).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    let is_ledger = |path: &PathBuf| path.to_string_lossy().contains("state.json.ledger-");
    paths.find(is_ledger).expect("there is no ledger")
}

fn costs(scene: &Scene, options: &[&str]) -> String {
    let options: Vec<_> = ["--costs"].iter().chain(options).copied().collect();
    let (code, told, complaint) = scene.ask(&options);
    assert_eq!(code, Some(0), "{complaint}");
    told
}

#[test]
fn what_a_job_has_cost_is_in_its_last_line_in_the_ledger_and_in_a_table() {
    let scene = Scene::new();
    let service = scene.start();
    let jobs = ["XS", "M"].map(|flavor| scene.submit_for("costs", "sleep 1.2", flavor));
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    scene.await_nothing_tracked("after the jobs");
    let last = service.await_log(&format!("job={} runner=ci: finished: ", jobs[1]));
    assert!(last.contains(" EUR"), "{last}");
    let path = ledger(&scene);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let lines = fs::read_to_string(&path).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    for (key, value) in [
        ("version", Value::from(1)),
        ("runner", "ci".into()),
        ("group", "acme".into()),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    let (seconds, hourly) = (
        first["seconds"].as_f64().unwrap(),
        first["hourly"].as_f64().unwrap(),
    );
    assert!(
        seconds >= 1.0
            && (first["cost"].as_f64().unwrap() - seconds * hourly / 3600.0).abs() < 1e-9
    );

    let table = costs(&scene, &[]);
    for part in ["acme/space/rocket", "in all", "EUR", "JOBS"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    let by_flavor: Value =
        serde_json::from_str(&costs(&scene, &["--by", "flavor", "--json"])).unwrap();
    let rows = by_flavor["rows"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["name"]),
        (2, &"M".into()),
        "the dearest first: {by_flavor}"
    );
    let csv = costs(&scene, &["--by", "user", "--csv"]);
    assert!(
        csv.starts_with("user,jobs,seconds,cost,currency,unknown\n\"wile\",2,"),
        "{csv}"
    );
    assert!(costs(&scene, &["--month", "2001-01"]).contains("no job is in the ledger"));
    assert_eq!(scene.status()["spent"][0]["currency"], "EUR");
    service.stop();
    // It needs no service.
    assert!(costs(&scene, &["--by", "runner"]).contains("ci"));
    scene.assert_no_complaints();
}

#[test]
fn a_budget_that_is_spent_stops_the_taking_over_restarts_until_more_is_allowed() {
    let mut scene = Scene::new();
    scene.global = "paas_monthly_budget = 0.00000001".to_owned();
    let service = scene.start();
    let first = scene.submit("the only one", "sleep 1.2");
    assert_eq!(scene.await_end(first).status, JobStatus::Success);
    service.await_log("no new jobs are taken until the next month");
    service.await_log("not polling: ");
    scene.await_nothing_tracked("after the first");
    service.stop();
    let service = scene.start();
    let second = scene.submit("too dear", "true");
    scene.await_status_that("the budget is not told", |status| {
        let reason = status["runners"][0]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("(paas_monthly_budget)"))
    });
    assert_eq!(scene.coordinator.job(second).status, JobStatus::Pending);
    scene.global = "paas_monthly_budget = 100".to_owned();
    scene.runner = "cc_monthly_budget = 50.5".to_owned();
    scene.write_configuration();
    service.signal(Signal::HUP);
    assert_eq!(scene.await_end(second).status, JobStatus::Success);
}

#[test]
fn a_price_that_is_not_known_and_a_ledger_that_can_not_be_written_stop_no_job() {
    let scene = Scene::new();
    let prices = Rule::on("GET", "*/billing/price-system*")
        .always()
        .with(Fault::status(500));
    scene.clever.faults().inject(prices);
    let service = scene.start();
    let job = scene.submit("of unknown price", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_nothing_tracked("after the first");
    assert!(costs(&scene, &[]).contains("the price of 1 of them is not known"));
    let path = ledger(&scene);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let job = scene.submit("unaccounted", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("cannot write the ledger");
    scene.await_status_that("it is not told", |status| {
        let wrong = status["wrong"][0].as_str();
        wrong.is_some_and(|wrong| wrong.contains("ledger"))
    });
    fs::remove_dir(&path).unwrap();
    let job = scene.submit("accounted", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("the ledger can be written again");
    let has_both = || fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 2);
    assert!(eventually(has_both));
}
