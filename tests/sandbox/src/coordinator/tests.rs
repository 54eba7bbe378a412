//! That the coordinator is as strict as the real one, and notices what that one lets pass.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Access, Coordinator, CoordinatorSettings, Deadlines, Era, JobSpec, JobStatus, RunnerSpec,
};
use crate::fault::{Fault, Rule};
use crate::journal::{Entry, Journal};

const PATIENCE: Duration = Duration::from_secs(10);
const RUNNER: &str = "glrt-t1_aRunnersToken12345";
const SERVICE: &str = "heptapod-paas-runner/2";
const INNER: &str = "gitlab-runner 19.4.0 (19-4-stable; go1.26.1; linux/amd64)";

struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn start(change: impl FnOnce(&mut CoordinatorSettings)) -> Coordinator {
    let mut settings = CoordinatorSettings::new("test", Journal::new());
    change(&mut settings);
    let coordinator = Coordinator::start(settings).unwrap();
    coordinator.add_runner(RunnerSpec::new(RUNNER));
    coordinator
}

fn send(
    coordinator: &Coordinator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .user_agent(SERVICE)
        .build();
    let url = format!("{}/api/v4/{path}", coordinator.url());
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent = config.new_agent();
    let mut response = match method {
        "GET" => agent.run(request.body(())?)?,
        _ => agent.run(request.body(body)?)?,
    };
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_vec()?,
    })
}

fn send_json(coordinator: &Coordinator, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    send(coordinator, method, path, &headers, body.as_bytes()).unwrap()
}

fn ask_with(coordinator: &Coordinator, features: &Value, last_update: Option<&str>) -> Answer {
    let mut body = json!({
        "token": RUNNER, "system_id": "s_0123456789ab", "info": {"features": features},
    });
    if let Some(last_update) = last_update {
        body["last_update"] = json!(last_update);
    }
    send_json(coordinator, "POST", "jobs/request", &body)
}

fn ask(coordinator: &Coordinator) -> Answer {
    ask_with(coordinator, &json!({"refspecs": true}), None)
}

fn put(coordinator: &Coordinator, job: u64, body: &Value) -> Answer {
    let mut body = body.clone();
    body["token"] = json!(coordinator.job(job).token);
    send_json(coordinator, "PUT", &format!("jobs/{job}"), &body)
}

fn patch(coordinator: &Coordinator, job: u64, range: &str, client: &str, body: &str) -> Answer {
    let token = coordinator.job(job).token;
    let headers = [
        ("JOB-TOKEN", token.as_str()),
        ("Content-Range", range),
        ("Content-Type", "text/plain"),
        ("User-Agent", client),
    ];
    let path = format!("jobs/{job}/trace");
    send(coordinator, "PATCH", &path, &headers, body.as_bytes()).unwrap()
}

fn granted(coordinator: &Coordinator) -> u64 {
    let job = coordinator.submit(JobSpec::new("a job", ["true"]));
    assert_eq!(ask(coordinator).status, 201);
    job
}

#[track_caller]
fn assert_only_complaint(coordinator: &Coordinator, words: &str) {
    let complaints = coordinator.journal().complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(words), "{complaints:?}");
}

#[test]
fn a_job_that_runs_as_it_should_leaves_no_complaint() {
    let coordinator = start(|settings| settings.relative_url = Some("/gitlab".to_owned()));
    let idle = ask(&coordinator);
    assert_eq!(idle.status, 204);
    let job = coordinator.submit(JobSpec::new("a job", ["true"]).flavor("XL").heptapod());
    let stale = Some(idle.header("X-GitLab-Last-Update"));
    let grant = ask_with(&coordinator, &json!({}), stale);
    assert_eq!(grant.status, 201);
    assert_eq!(grant.header("X-GitLab-Last-Update"), "");
    let payload = grant.json();
    assert_eq!(payload["id"], json!(job));
    assert_eq!(payload["git_info"]["repo_type"], "hg");
    assert_eq!(
        put(&coordinator, job, &json!({"state": "running"})).status,
        200
    );
    assert_eq!(
        patch(&coordinator, job, "0-0", SERVICE, "").header("Range"),
        "0-0"
    );
    let wrote = patch(&coordinator, job, "0-4", INNER, "hello");
    assert_eq!((wrote.status, wrote.header("Range")), (202, "0-5"));
    let grown = patch(&coordinator, job, "0-0", SERVICE, "");
    assert_eq!((grown.status, grown.header("Range")), (416, "0-5"));
    assert_eq!(grown.header("Job-Status"), "");
    assert_eq!(
        put(&coordinator, job, &json!({"state": "success"})).status,
        200
    );
    let again = put(&coordinator, job, &json!({"state": "success"}));
    assert_eq!((again.status, again.header("Job-Status")), (403, "success"));
    assert_eq!(coordinator.job(job).log(), "hello");
    assert_eq!(coordinator.journal().complaints(), Vec::<String>::new());
}

#[test]
fn a_held_request_is_answered_without_a_job_and_the_next_gets_it() {
    let coordinator = start(|settings| settings.long_poll = Some(PATIENCE));
    let last_update = ask(&coordinator).header("X-GitLab-Last-Update").to_owned();
    let held = std::thread::scope(|scope| {
        let held = scope.spawn(|| ask_with(&coordinator, &json!({}), Some(&last_update)));
        let is_held = |entries: &[Entry]| {
            let mut held = entries
                .iter()
                .filter(|entry| entry.what.ends_with("is held"));
            held.next().map(|_| ())
        };
        coordinator.journal().wait_for(PATIENCE, is_held).unwrap();
        coordinator.submit(JobSpec::new("a job", ["true"]));
        held.join().unwrap()
    });
    assert_eq!(held.status, 204);
    assert_eq!(held.header("X-GitLab-Last-Update"), "");
    let next = ask_with(&coordinator, &json!({}), Some(&last_update));
    assert_eq!(next.status, 201);
}

#[test]
fn asking_again_at_once_after_a_lost_grant_is_complained_about() {
    let coordinator = start(|settings| settings.shortest_rhythm = PATIENCE);
    let cut = Rule::on("POST", "*/jobs/request").with(Fault::CutAfter);
    coordinator.faults().inject(cut);
    let lost = coordinator.submit(JobSpec::new("a job", ["true"]));
    let body = json!({"token": RUNNER, "system_id": "s_0123456789ab"}).to_string();
    let headers = [("Content-Type", "application/json")];
    send(
        &coordinator,
        "POST",
        "jobs/request",
        &headers,
        body.as_bytes(),
    )
    .map(|answer| answer.status)
    .unwrap_err();
    assert_eq!(coordinator.job(lost).status, JobStatus::Running);
    assert_eq!(ask(&coordinator).status, 204);
    assert_only_complaint(&coordinator, "at once after a lost answer");
}

#[test]
fn a_job_whose_feature_is_missing_fails() {
    let coordinator = start(|_| {});
    let mut spec = JobSpec::new("a job", ["true"]);
    spec.allows_exit_codes = true;
    let job = coordinator.submit(spec);
    assert_eq!(ask(&coordinator).status, 204);
    let job = coordinator.job(job);
    assert_eq!(job.failure_reason.as_deref(), Some("runner_unsupported"));
    assert_only_complaint(&coordinator, "return_exit_code");
}

#[test]
fn what_a_job_needs_is_judged_by_the_job() {
    let coordinator = start(|_| {});
    let nothing = json!({});
    for (extra, lacking) in [
        (json!({"cache": [{"key": "k", "paths": ["a"]}]}), false),
        (
            json!({"cache": [{"key": "k", "fallback_keys": ["f"]}]}),
            true,
        ),
        (
            json!({"artifacts": [{"artifact_type": "archive", "paths": ["a"]}]}),
            false,
        ),
        (
            json!({"artifacts": [{"artifact_type": "archive", "exclude": ["a"]}]}),
            true,
        ),
        (json!({"artifacts": [{"artifact_type": "junit"}]}), true),
        (
            json!({"git_info": {"ref": "refs/merge-requests/1/head"}}),
            true,
        ),
        (json!({"steps": [{"name": "release", "script": []}]}), true),
    ] {
        let job = coordinator.submit(JobSpec::new("a", ["true"]).extra(extra.clone()));
        let answer = ask_with(&coordinator, &nothing, None);
        assert_eq!(answer.status, if lacking { 204 } else { 201 }, "{extra}");
        let reason = coordinator.job(job).failure_reason;
        assert_eq!(
            reason.as_deref() == Some("runner_unsupported"),
            lacking,
            "{extra}"
        );
    }
}

#[test]
fn a_runner_is_registered_by_a_form_too_and_forgotten() {
    let coordinator =
        start(|settings| settings.registration_token = Some("GR1348941abc".to_owned()));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let body = b"token=GR1348941abc&description=a+b&run_untagged=False&tag_list=docker%2Clinux";
    for path in ["runners", "runners/"] {
        let registered = send(&coordinator, "POST", path, &[form], body).unwrap();
        assert_eq!(registered.status, 201, "{path}");
        let token = registered.json()["token"].as_str().unwrap().to_owned();
        let request = json!({"token": token}).to_string();
        let is_json = ("Content-Type", "application/json");
        let ask = || {
            send(
                &coordinator,
                "POST",
                "jobs/request",
                &[is_json],
                request.as_bytes(),
            )
            .unwrap()
        };
        coordinator.submit(JobSpec::new("a", ["true"]));
        assert_eq!(ask().status, 204, "it takes no job without a tag");
        coordinator.submit(JobSpec::new("b", ["true"]).tag("linux"));
        assert_eq!(ask().status, 201);
        let delete = format!("token={token}");
        let delete = || {
            send(
                &coordinator,
                "DELETE",
                "runners",
                &[form],
                delete.as_bytes(),
            )
            .unwrap()
            .status
        };
        assert_eq!((delete(), delete()), (204, 403));
        assert_eq!(ask().status, 403);
    }
    let body = b"token=GR1348941abc&run_untagged=perhaps";
    assert_eq!(
        send(&coordinator, "POST", "runners", &[form], body)
            .unwrap()
            .status,
        400
    );
}

#[test]
fn unknown_fields_and_wrong_tokens_are_complained_about() {
    let coordinator = start(|_| {});
    let job = granted(&coordinator);
    let odd = put(
        &coordinator,
        job,
        &json!({"state": "running", "info": {"nmae": "x"}}),
    );
    assert_eq!(odd.status, 200);
    assert_only_complaint(&coordinator, "unknown field `info.nmae`");
    let wrong = json!({"token": RUNNER, "state": "running"});
    let wrong = send_json(&coordinator, "PUT", &format!("jobs/{job}"), &wrong);
    assert_eq!((wrong.status, wrong.header("Job-Status")), (403, ""));
    assert_eq!(coordinator.journal().complaints().len(), 2);
}

#[test]
fn a_matching_probe_after_the_runner_began_is_complained_about() {
    let coordinator = start(|_| {});
    let job = granted(&coordinator);
    patch(&coordinator, job, "0-4", INNER, "hello");
    assert_eq!(patch(&coordinator, job, "5-5", SERVICE, "").status, 202);
    assert_only_complaint(&coordinator, "matching empty PATCH");
}

#[test]
fn the_runners_lost_first_bytes_are_complained_about() {
    let coordinator = start(|_| {});
    let job = granted(&coordinator);
    patch(&coordinator, job, "0-4", SERVICE, "early");
    assert_eq!(patch(&coordinator, job, "0-4", INNER, "hello").status, 416);
    assert_only_complaint(&coordinator, "first 5 bytes are lost");
}

#[test]
fn a_patch_beyond_the_limit_fails_the_job() {
    let coordinator = start(|settings| settings.trace_limit = 8);
    let job = granted(&coordinator);
    let refused = patch(&coordinator, job, "9-9", SERVICE, "");
    assert_eq!((refused.status, refused.header("Job-Status")), (403, ""));
    let reason = coordinator.job(job).failure_reason;
    assert_eq!(reason.as_deref(), Some("trace_size_exceeded"));
}

#[test]
fn cancelling_is_gentle_only_with_those_who_announced_it() {
    let coordinator = start(|_| {});
    let hard = granted(&coordinator);
    coordinator.cancel(hard);
    let over = patch(&coordinator, hard, "0-0", SERVICE, "");
    assert_eq!((over.status, over.header("Job-Status")), (403, "canceled"));

    let gentle = coordinator.submit(JobSpec::new("a job", ["true"]));
    ask_with(&coordinator, &json!({"cancel_gracefully": true}), None);
    coordinator.cancel(gentle);
    let token = coordinator.job(gentle).token;
    let look = send(&coordinator, "GET", "job", &[("JOB-TOKEN", &token)], b"").unwrap();
    assert_eq!(look.json()["status"], "canceling");
    let verdict = json!({"state": "failed", "failure_reason": "script_failure"});
    assert_eq!(put(&coordinator, gentle, &verdict).status, 200);
    assert_eq!(coordinator.job(gentle).status, JobStatus::Canceled);
    let look = send(&coordinator, "GET", "job", &[("JOB-TOKEN", &token)], b"").unwrap();
    assert_eq!(look.status, 401);
}

#[test]
fn a_job_that_nobody_acknowledges_is_made_anew() {
    let patience = Duration::from_millis(20);
    let coordinator = start(|settings| settings.two_phase = Some(patience));
    let job = coordinator.submit(JobSpec::new("a job", ["true"]));
    ask_with(&coordinator, &json!({"two_phase_job_commit": true}), None);
    let failed = coordinator.wait_for_status(job, PATIENCE, |status| status == JobStatus::Failed);
    let failed = failed.expect("it expires");
    let reason = failed.failure_reason.as_deref();
    assert_eq!(reason, Some("runner_provisioning_timeout"));
    let retried = || coordinator.job(job).retried_as;
    assert!(
        coordinator
            .journal()
            .wait_until(PATIENCE, || retried().is_some())
    );
}

#[test]
fn a_job_without_news_is_given_up() {
    let coordinator = start(|settings| {
        settings.deadlines = Deadlines {
            stuck: Duration::from_millis(20),
            ..Deadlines::default()
        };
    });
    let job = granted(&coordinator);
    let over = coordinator.wait_for_status(job, PATIENCE, JobStatus::is_over);
    let reason = over.and_then(|job| job.failure_reason);
    assert_eq!(reason.as_deref(), Some("no_updates_running"));
}

#[test]
fn older_coordinators_have_other_words() {
    let coordinator = start(|settings| settings.era = Era::Before17);
    let job = granted(&coordinator);
    assert_eq!(
        put(&coordinator, job, &json!({"state": "success"})).header("Job-Status"),
        ""
    );
    let again = put(&coordinator, job, &json!({"state": "success"}));
    assert_eq!(
        again.json()["message"],
        "403 Forbidden - Job is not running"
    );
}

#[test]
fn custom_attributes_are_for_administrators_and_encoded_paths() {
    let coordinator = start(|_| {});
    coordinator.set_group("acme/space", [("cc_orga_id", "orga_1")]);
    coordinator.add_user("glpat-admin", Access::Administrator);
    coordinator.add_user("glpat-reporter", Access::Reporter);
    let get = |path: &str, token: &str| {
        let headers = [("PRIVATE-TOKEN", token)];
        send(&coordinator, "GET", path, &headers, b"").unwrap()
    };
    let found = get("groups/acme%2Fspace/custom_attributes", "glpat-admin");
    assert_eq!(
        found.json(),
        json!([{"key": "cc_orga_id", "value": "orga_1"}])
    );
    assert_eq!(
        get("groups/acme%2Fspace/custom_attributes", "glpat-reporter").status,
        403
    );
    assert_eq!(
        get("groups/acme%2Fspace/custom_attributes", "nobody").status,
        401
    );
    assert_eq!(
        get("groups/acme/space/custom_attributes", "glpat-admin").status,
        404
    );
    assert_only_complaint(&coordinator, "not encoded");
}
