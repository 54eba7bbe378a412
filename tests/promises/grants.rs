//! A job that was granted is run, or its author hears why not, whatever its answer looks like.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use heptapod_paas_runner::agent::Agents;
use heptapod_paas_runner::http::{Call, Http};
use heptapod_paas_runner::shutdown;
use heptapod_paas_runner::trust::Trust;
use sandbox::{Fault, JobSpec, JobStatus, Response, Rule};

use crate::scene::Scene;

/// What something on the way does to an answer.
type Alteration = fn(Response) -> Response;

const MANY: &str = "Set-Cookie";

/// As many headers of 3 KB as a balancer, a content policy and a tracker set.
fn with_cookies(response: Response, count: usize) -> Response {
    let cookie = format!("sticky={}", "x".repeat(3000));
    (0..count).fold(response, |response, _| response.with(MANY, &cookie))
}

#[test]
fn heads_of_up_to_64_kib_are_read_and_long_tokens_sent() {
    let scene = Scene::with(|gitlab| gitlab.job_token_bytes = Some(20 << 10), |_| {});
    let long: Alteration = |response| with_cookies(response, 3);
    let longest: Alteration = |response| with_cookies(response, 21);
    for (faults, alter) in [
        (scene.coordinator.faults(), long),
        (scene.clever.faults().clone(), longest),
    ] {
        faults.inject(Rule::on_any("*").always().with(Fault::Alter(alter)));
    }
    let service = scene.start();
    let run = scene.submit("run", "true");
    assert_eq!(scene.await_end(run).status, JobStatus::Success);
    // Its author is told by a PATCH and a PUT of ours.
    let failed = scene.submit_cheap("failed");
    let ended = scene.await_end(failed);
    assert!(ended.log().contains("XXXL"), "{:?}", ended.log());
    scene.await_no_machines();
    scene.await_nothing_tracked("both over");
    scene.assert_no_complaints();
    let too_long: Alteration = |response| with_cookies(response, 22);
    let too_many: Alteration =
        |response| (0..129).fold(response, |response, _| response.with(MANY, "x"));
    for (alter, words) in [
        (too_long, "the answer's head has more than 64 KiB"),
        (too_many, "the answer's head has more than 128 headers"),
    ] {
        let faults = scene.coordinator.faults();
        faults.clear();
        let asked = Rule::on("POST", "*/jobs/request").always();
        faults.inject(asked.with(Fault::Alter(alter)));
        service.await_log(words);
    }
}

/// A grant with something else in its body.
fn changed(mut grant: Response, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Response {
    if grant.status == 201 {
        grant.body = change(grant.body);
    }
    grant
}

/// A grant with more variables, which come first.
fn with_variables(grant: Response, variables: &[u8]) -> Response {
    const LIST: &[u8] = b"\"variables\":[";
    changed(grant, |body| {
        let start = body.windows(LIST.len()).position(|part| part == LIST);
        let (head, rest) = body.split_at(start.expect("variables") + LIST.len());
        [head, variables, rest].concat()
    })
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Runs a job whose grant meets this.
fn end_of(scene: &Scene, what: &str, fault: Fault) -> sandbox::JobView {
    let faults = scene.coordinator.faults();
    faults.inject(Rule::on("POST", "*/jobs/request").always().with(fault));
    let job = scene.submit(what, "true");
    let ended = scene.await_end(job);
    faults.clear();
    ended
}

#[test]
fn a_damaged_grant_is_mended_and_run() {
    let alterations: [(&str, Alteration); 6] = [
        ("no UTF-8", |grant| {
            with_variables(grant, b"{\"key\":\"A\xff\",\"value\":\"caf\xe9\"},")
        }),
        ("halves of characters", |grant| {
            let grant =
                with_variables(grant, br#"{"key":"A\ud800","\udfff":"","value":"\ud83d"},"#);
            changed(grant, |body| [br#"{"\ud800":1,"#, &body[1..]].concat())
        }),
        ("control codes", |grant| {
            with_variables(grant, b"{\"key\":\"A\",\"value\":\"\0\x01\n\"},")
        }),
        ("a byte order mark", |grant| {
            changed(grant, |body| [b"\xef\xbb\xbf", &body[..]].concat())
        }),
        ("no JSON by its header", |mut grant| {
            grant.headers.retain(|(name, _)| name != "Content-Type");
            grant.with("Content-Type", "text/html")
        }),
        ("packed", |grant| {
            changed(grant, |body| packed(&body)).with("Content-Encoding", "gzip")
        }),
    ];
    let scene = Scene::new();
    let service = scene.start();
    for (what, alter) in alterations {
        let ended = end_of(&scene, what, Fault::Alter(alter));
        let log = service.whole_log();
        assert_eq!(ended.status, JobStatus::Success, "{what}: {log}");
    }
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_grant_that_can_not_be_used_is_failed_in_words() {
    let alter = |alter: Alteration| Fault::Alter(alter);
    let cases = [
        ("cut", "broke off", Fault::Truncate(200)),
        (
            "endless",
            "more than 67108864 bytes",
            alter(|grant| {
                changed(grant, |mut body| {
                    body.truncate(body.len() - 1);
                    body.resize((64 << 20) + 1, b' ');
                    body
                })
            }),
        ),
        (
            "a number as text",
            "no numeric `id`",
            alter(|grant| {
                changed(grant, |body| {
                    let text = String::from_utf8(body).unwrap();
                    let (id, rest) = text.split_once(',').unwrap();
                    format!("{}\",{rest}", id.replace(':', ":\"")).into_bytes()
                })
            }),
        ),
        (
            "two of them",
            "no JSON object",
            alter(|grant| changed(grant, |body| body.repeat(2))),
        ),
        (
            "padded",
            "no JSON object",
            alter(|grant| changed(grant, |body| [&body[..], b"\0\0"].concat())),
        ),
        (
            "deep",
            "nested too deeply",
            alter(|grant| {
                let deep = format!(",\"x\":{}{}}}", "[".repeat(999), "]".repeat(999));
                changed(grant, |body| {
                    [&body[..body.len() - 1], deep.as_bytes()].concat()
                })
            }),
        ),
        (
            "half packed",
            "broke off (gzip",
            alter(|grant| {
                changed(grant, |body| {
                    let packed = packed(&body);
                    packed[..packed.len() * 3 / 4].to_vec()
                })
                .with("Content-Encoding", "gzip")
            }),
        ),
    ];
    let scene = Scene::new();
    let service = scene.start();
    for (what, words, fault) in cases {
        let ended = end_of(&scene, what, fault);
        let log = ended.log();
        assert_eq!(ended.status, JobStatus::Failed, "{what}");
        assert!(log.contains(words), "{what}: {log:?}");
        assert!(!log.contains(&ended.token), "{what}: {log:?}");
    }
    assert!(scene.clever.ever_created().is_empty(), "nothing was made");
    scene.await_nothing_tracked("all are failed");
    let line = service.await_log("was granted, but the answer broke off");
    assert!(line.contains("WARN"), "one answer passes: {line}");
    // Not even a crash makes us forget to say so.
    let silent = Rule::on_any("*/jobs/8*").always();
    let faults = scene.coordinator.faults();
    faults.inject(silent.with(Fault::html(503)));
    faults.inject(
        Rule::on("POST", "*/jobs/request")
            .always()
            .with(Fault::Truncate(200)),
    );
    let job = scene.submit("late", "true");
    service.await_log("writing to the job's log: status 503");
    service.kill();
    faults.clear();
    let service = scene.start();
    let ended = scene.await_end(job);
    assert!(ended.log().contains("broke off"), "{:?}", ended.log());
    // One of which nothing is known is told to the operator, at least.
    faults.inject(
        Rule::on("POST", "*/jobs/request")
            .always()
            .with(Fault::Truncate(5)),
    );
    scene.coordinator.submit(JobSpec::new("lost", ["true"]));
    service.await_log("it granted a job that can't be read");
    let log = service.whole_log();
    assert!(!log.contains(&ended.token), "{log}");
}

#[test]
fn a_held_call_ends_by_silence_and_not_by_length() {
    let scene = Scene::new();
    let (_stopper, stop) = shutdown::channel();
    let http = Http::new(Agents::new(Arc::default(), Trust::default()), stop);
    let url = format!("{}/api/v4/version", scene.coordinator.url());
    let ask = |silence| {
        let started = Instant::now();
        let call = Call::get(&url)
            .within(Duration::from_secs(600))
            .held(silence);
        (http.send(&call), started.elapsed())
    };
    let silence = Duration::from_millis(500);
    let faults = scene.coordinator.faults();
    faults.inject(Rule::on("GET", "*").times(1).with(Fault::Hang));
    let (answer, took) = ask(silence);
    let why = answer.err().expect("nothing came").to_string();
    assert_eq!(why, "not a byte has come for 500ms");
    assert!(took >= silence, "{took:?}");
    let slow = Fault::Trickle(Duration::from_millis(10));
    faults.inject(Rule::on("GET", "*").times(1).with(slow));
    let (answer, took) = ask(silence);
    assert!(answer.is_ok_and(|answer| answer.cut.is_none()), "it came");
    assert!(took > silence, "{took:?}: the test must last");
}
