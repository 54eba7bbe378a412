//! Whose word an answer is, and what it means, row by row. No answer of a stranger means anything.

use super::standing::{Standing, seen, standing};
use super::trace::{LogProbe, probed, read};
use super::word::{Yes, own};
use crate::http::{Answer, Call};
use crate::names::JobId;

type Row = (u16, &'static [(&'static str, &'static str)], &'static str);

const JOB: JobId = JobId(7);
const EVERY_YES: [Yes; 6] = [
    Yes::Taken,
    Yes::Job(JOB),
    Yes::Log,
    Yes::Grant,
    Yes::Runner,
    Yes::List,
];
const PAGE: &str = "<!DOCTYPE html><title>Sign in</title>";

/// Of things in between, with every status that they may have.
const STRANGERS: [(&[(&str, &str)], &str); 14] = [
    (&[("Content-Type", "text/html"), ("Server", "nginx")], PAGE),
    (
        &[("Content-Type", "text/plain")],
        "Service under maintenance",
    ),
    (
        &[("Content-Type", "application/json")],
        r#"{"error":"access_denied"}"#,
    ),
    (&[], r#"{"message":"Unauthorized"}"#),
    (&[], r#"{"message":"no Route matched with those values"}"#),
    (&[], r#"{"message":"Forbidden"}"#),
    (&[], r#"{"error":"invalid_request","status":400}"#),
    (&[], r#"{"error":"404 Not Found"}"#),
    (&[], r#"{"status":"ok"}"#),
    (&[], r#"{"id":"7","status":"running"}"#),
    (&[], r#"{"message":"4030 Forbidden"}"#),
    (
        &[("Location", "https://sso.test/"), ("Retry-After", "5")],
        "",
    ),
    (&[("Job-Status", ""), ("Range", "bytes=0-5")], ""),
    (&[("X-Request-Id", "01HZ"), ("Via", "1.1 corp")], "OK"),
];

fn made(&(status, headers, body): &Row) -> Answer {
    Answer::made(status, headers, body)
}

fn is_own(row: &Row, yes: Yes) -> bool {
    own(made(row), yes, &Call::get("http://x")).is_ok()
}

#[test]
fn what_stands_in_between_is_never_taken_for_the_coordinator() {
    // But for a 204, which has nothing to be known by, and a 201 that a payload's reader must judge.
    for status in [
        200, 202, 301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 416, 500, 503,
    ] {
        for (headers, body) in STRANGERS {
            for yes in EVERY_YES {
                let row = (status, headers, body);
                assert!(!is_own(&row, yes), "{yes:?}: {row:?}");
            }
        }
    }
    assert!(!is_own(&(201, &[], PAGE), Yes::Grant));
}

#[test]
fn each_refusal_of_the_coordinator_is_its_own_for_every_call() {
    let rows: [Row; 14] = [
        (400, &[], r#"{"error":"token is missing"}"#),
        (400, &[], r#"{"error":"info[features] is invalid"}"#),
        (400, &[], r#"{"message":"400 Bad request - Unknown state"}"#),
        (401, &[], r#"{"message":"401 Unauthorized"}"#),
        (403, &[], r#"{"message":"403 Forbidden"}"#),
        (
            403,
            &[],
            r#"{"message":"403 Forbidden - Job is not running"}"#,
        ),
        (403, &[("Job-Status", "canceled")], ""),
        (403, &[], r#"{"message":"Runner is orphaned"}"#),
        (404, &[], r#"{"message":"404 Group Not Found"}"#),
        (409, &[], r#"{"message":"409 Conflict"}"#),
        (
            410,
            &[],
            r#"{"message":"410 Gone","reason":"runner registration disallowed"}"#,
        ),
        (
            416,
            &[("Range", "0-5")],
            r#"{"error":"416 Range Not Satisfiable"}"#,
        ),
        (422, &[], r#"{"message":"422 Unprocessable Entity"}"#),
        (500, &[], r#"{"message":"500 Internal Server Error"}"#),
    ];
    for row in &rows {
        for yes in EVERY_YES {
            assert!(is_own(row, yes), "{yes:?}: {row:?}");
        }
    }
}

#[test]
fn each_success_of_the_coordinator_is_its_own_for_the_call_that_has_it() {
    const LOG: &[(&str, &str)] = &[
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Disposition", "infile; filename=\"7.log\""),
    ];
    let rows: [(Yes, Row); 15] = [
        (Yes::Taken, (200, &[], "200")),
        (Yes::Taken, (200, &[], "\"200\"\n")),
        (Yes::Taken, (200, &[("Job-Status", "running")], "")),
        (Yes::Taken, (202, &[("Range", "0-0")], "202")),
        (
            Yes::Job(JOB),
            (200, &[], r#"{"id":7,"status":"running","name":"x"}"#),
        ),
        (Yes::Log, (200, LOG, "")),
        (Yes::Log, (200, LOG, PAGE)),
        (Yes::Grant, (201, &[], r#"{"id":7}"#)),
        (Yes::Grant, (204, &[("X-GitLab-Last-Update", "5f0c")], "")),
        (Yes::Grant, (204, &[], "")),
        (Yes::Runner, (200, &[], "200")),
        (Yes::Runner, (200, &[], r#"{"id":12,"token":"glrt-x"}"#)),
        (Yes::Runner, (201, &[], r#"{"token":"x"}"#)),
        (Yes::List, (200, &[], "[]")),
        (Yes::List, (200, &[], r#"[{"key":"a","value":"b"}]"#)),
    ];
    for (yes, row) in &rows {
        assert!(is_own(row, *yes), "{yes:?}: {row:?}");
    }
}

/// The calls that tell how a job stands.
#[derive(Clone, Copy, Debug)]
enum Told {
    Get,
    Put,
    /// The empty one, of a log that had three bytes.
    Patch,
    /// By a user's token, of the same log.
    Log,
}

fn meaning(call: Told, row: &Row) -> String {
    let of = Call::get("http://x");
    let by = |yes| own(made(row), yes, &of);
    let probe = match call {
        Told::Get => LogProbe::Besides(seen(&of, &by(Yes::Job(JOB)))),
        Told::Put => LogProbe::Besides(standing(&of, &by(Yes::Taken))),
        Told::Patch => probed(&of, &by(Yes::Taken), 3),
        Told::Log => read(&of, &by(Yes::Log), 3),
    };
    let meaning = match probe {
        LogProbe::Besides(Standing::Active) => "active",
        LogProbe::Besides(Standing::Canceling) => "canceling",
        LogProbe::Besides(Standing::Over(_)) => "over",
        LogProbe::Besides(Standing::Refused(_)) => "refused",
        LogProbe::Besides(Standing::RefusedTwice(_)) => "refused twice",
        LogProbe::Besides(Standing::Unknown(_)) => "unknown",
        LogProbe::Grown => "grown",
        LogProbe::Unchanged => "unchanged",
    };
    meaning.to_owned()
}

#[rustfmt::skip]
#[test]
fn an_answer_about_a_job_means_what_the_coordinator_means() {
    const REFUSAL: &str = r#"{"message":"403 Forbidden"}"#;
    const TEXT: &[(&str, &str)] = &[("Content-Type", "text/plain"), ("Content-Disposition", "inline")];
    let rows: [(Told, Row, &str); 35] = [
        (Told::Get,   (200, &[], r#"{"id":7,"status":"running"}"#), "active"),
        (Told::Get,   (200, &[], r#"{"id":7,"status":"pending"}"#), "active"),
        (Told::Get,   (200, &[], r#"{"id":7,"status":"canceling"}"#), "canceling"),
        (Told::Get,   (200, &[], r#"{"id":7,"status":"success"}"#), "over"),
        (Told::Get,   (200, &[], r#"{"id":8,"status":"success"}"#), "unknown"),
        (Told::Get,   (200, &[], r#"{"status":"failed"}"#), "unknown"),
        (Told::Get,   (401, &[], r#"{"message":"401 Unauthorized"}"#), "refused"),
        (Told::Get,   (401, &[], r#"{"error":"401 Unauthorized"}"#), "refused"),
        (Told::Get,   (401, &[], r#"{"error":"invalid_token"}"#), "unknown"),
        (Told::Get,   (403, &[], REFUSAL), "unknown"),
        (Told::Get,   (401, &[], PAGE), "unknown"),
        (Told::Get,   (404, &[], r#"{"message":"404 Not Found"}"#), "unknown"),
        (Told::Get,   (500, &[], r#"{"message":"500 Internal Server Error"}"#), "unknown"),
        (Told::Put,   (200, &[], "200"), "active"),
        (Told::Put,   (200, &[("Job-Status", "running")], "200"), "active"),
        (Told::Put,   (200, &[("Job-Status", "canceling")], "200"), "canceling"),
        (Told::Put,   (200, &[("Job-Status", "canceled")], "200"), "over"),
        (Told::Put,   (403, &[("Job-Status", "success")], REFUSAL), "over"),
        (Told::Put,   (403, &[("Job-Status", "failed")], ""), "over"),
        (Told::Put,   (403, &[("Job-Status", "pending")], REFUSAL), "refused"),
        (Told::Put,   (403, &[], REFUSAL), "refused"),
        (Told::Put,   (401, &[], r#"{"message":"401 Unauthorized"}"#), "unknown"),
        (Told::Put,   (403, &[], PAGE), "unknown"),
        (Told::Put,   (200, &[], PAGE), "unknown"),
        (Told::Put,   (400, &[], r#"{"error":"token is missing"}"#), "unknown"),
        (Told::Patch, (202, &[("Range", "0-3"), ("Job-Status", "running")], "202"), "unchanged"),
        (Told::Patch, (202, &[("Range", "0-3"), ("Job-Status", "canceling")], "202"), "canceling"),
        (Told::Patch, (416, &[("Range", "0-9")], ""), "grown"),
        (Told::Patch, (416, &[("Range", "0-0")], ""), "unchanged"),
        (Told::Patch, (416, &[], PAGE), "unknown"),
        (Told::Patch, (409, &[], r#"{"message":"409 Conflict"}"#), "unknown"),
        (Told::Patch, (403, &[], REFUSAL), "refused"),
        (Told::Log,   (200, TEXT, "four"), "grown"),
        (Told::Log,   (200, TEXT, "3  "), "unchanged"),
        (Told::Log,   (200, &[], "a long page of something else"), "unknown"),
    ];
    for (call, row, means) in &rows {
        assert_eq!(meaning(*call, row), *means, "{call:?}: {row:?}");
    }
}
