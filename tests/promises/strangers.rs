//! Only the coordinator's own word counts: what stands between it and the program ends no job, takes
//! no verdict and empties no queue, whatever it says, and is told.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::Gate;
use sandbox::{AppPhase, Coordinator, Fault, JobStatus, Kind, MachineBehaviour, Rule, Stranger};

use crate::scene::{PATIENCE, Scene};
use crate::service::Service;
use crate::{cancellation, tenants};

/// What the program calls itself: its machines reach the coordinator on another way.
const OURS: &str = "heptapod-paas-runner/";
/// The longest that a lagging replica, or a sign-in that has expired, is played for.
const OUTAGE: Duration = Duration::from_secs(10);
/// For a job that has ended, when one kind of call never works.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);

/// Stands in front of the coordinator, for these calls of the program.
fn stand_between(scene: &Scene, method: &'static str, path: &str, says: Fault) {
    let rule = Rule::on(method, path).of(OURS).always();
    scene.coordinator.faults().inject(rule.with(says));
}

/// When such requests were made, and answered.
fn answers(scene: &Scene, wanted: &str, end: &str) -> Vec<Instant> {
    let entries = scene.journal.entries().into_iter();
    let times = entries.filter_map(|entry| match &entry.kind {
        Kind::Request { method, path, .. } if method == wanted && path.ends_with(end) => {
            Some(entry.at)
        }
        _ => None,
    });
    times.collect()
}

fn lines<'a>(log: &'a str, text: &'a str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(text)).collect()
}

fn all_at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Reads and writes, each answered in its own way.
type Outage = (&'static str, fn() -> Fault, fn() -> Fault);

#[rustfmt::skip]
const OUTAGES: [Outage; 9] = [
    ("a sign-in proxy",         || Stranger::SignIn.says(401),       || Stranger::SignIn.says(401)),
    ("gateways",                || Stranger::AccessDenied.says(403), || Stranger::Unauthorized.says(401)),
    ("a gateway's routes",      || Stranger::NoRoute.says(404),      || Stranger::Empty.says(404)),
    ("a page for everything",   || Stranger::Maintenance.says(200),  || Stranger::Maintenance.says(200)),
    ("a redirection",           || Stranger::Redirect.says(302),     || Stranger::Redirect.says(307)),
    ("a firewall and a proxy",  || Stranger::Empty.says(401),        || Stranger::SignIn.says(403)),
    ("a replica without a primary", || Coordinator::refusal(401),    || Stranger::Text.says(503)),
    ("a replica and a firewall",    || Coordinator::refusal(401),    || Stranger::SignIn.says(403)),
    ("the same words for all calls", || Coordinator::refusal(401),   || Coordinator::refusal(401)),
];

#[test]
fn no_job_ends_by_the_word_of_a_stranger() {
    all_at_once(&OUTAGES, |&(name, reads, writes)| {
        let scene = Scene::new();
        let service = scene.start();
        let job = scene.submit_lasting("suspected");
        service.await_log("running, seen");
        for (method, says) in [
            ("GET", reads),
            ("PUT", writes),
            ("PATCH", writes),
            ("POST", writes),
        ] {
            stand_between(&scene, method, "*", says());
        }
        let begin = Instant::now();
        scene.await_that(&format!("{name}: no looks for so long"), || {
            let looks = answers(&scene, "GET", "/api/v4/job");
            looks.last().is_some_and(|last| *last >= begin + OUTAGE)
        });
        assert!(
            scene.machine(job).unwrap().has_machine(),
            "{name}: {}",
            service.whole_log()
        );
        scene.coordinator.faults().clear();
        service.await_log("looking whether the job has ended: it works again");
        scene.let_end();
        assert_eq!(scene.await_end(job).status, JobStatus::Success, "{name}");
        scene.await_no_machines();
        scene.assert_started_once(job);
        assert_eq!(scene.coordinator.job(job).verdicts().len(), 1, "{name}");
        let log = service.whole_log();
        let told = lines(&log, "WARN");
        let told = told.iter().filter(|line| line.contains("has ended:"));
        assert_eq!(told.count(), 1, "{name}: {log}");
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Finished,
    Canceled,
    /// With its project; or its token was revoked.
    Erased,
}

/// A kind of call, and how it is refused for a job's whole life.
type Refused = (&'static str, &'static str, fn() -> Fault);

#[rustfmt::skip]
const KINDS: [Refused; 3] = [
    ("GET",   "*/api/v4/job", || Stranger::SignIn.says(403)),
    ("PUT",   "*/jobs/*",     || Stranger::AccessDenied.says(403)),
    ("PATCH", "*/trace",      || Stranger::Empty.says(405)),
];

#[test]
fn a_job_that_has_ended_is_noticed_whichever_kind_of_call_is_refused() {
    let ends = [End::Finished, End::Canceled, End::Erased];
    let cases = KINDS.map(|kind| ends.map(|end| (kind, end)));
    all_at_once(cases.as_flattened(), |&(kind, end)| {
        let scene = Scene::new();
        stand_between(&scene, kind.0, kind.1, kind.2());
        let service = cancellation::start(&scene);
        let job = scene.submit_lasting("watched");
        let what = format!("{} refused, {end:?}", kind.0);
        scene.await_that(&format!("{what}: it never runs"), || {
            !scene.coordinator.job(job).trace.is_empty()
        });
        match end {
            End::Finished => {
                scene.let_end();
                scene.await_end(job);
            }
            End::Canceled => scene.coordinator.cancel(job),
            End::Erased => scene.coordinator.erase(job),
        }
        let ended = Instant::now();
        scene.await_phase(job, AppPhase::Deleted);
        let took = ended.elapsed();
        service.await_log("over: ");
        let log = service.whole_log();
        assert!(took <= NOTICED_WITHIN, "{what}: {took:?}: {log}");
        scene.await_no_machines();
        scene.assert_started_once(job);
        assert_eq!(lines(&log, "over: ").len(), 1, "{what}: {log}");
    });
}

#[test]
fn a_job_that_is_canceled_on_its_way_to_a_machine_is_noticed_though_its_greeting_is_refused() {
    let mut scene = Scene::new();
    scene.runner = "cc_deployment_repo_timeout = 600".to_owned();
    scene
        .clever
        .set_quirks(|quirks| quirks.repository_never_ready = true);
    stand_between(&scene, "PUT", "*/jobs/*", Stranger::Redirect.says(302));
    let service = cancellation::start(&scene);
    let job = scene.submit("unwanted", "true");
    scene.await_phase(job, AppPhase::Created);
    scene.coordinator.cancel(job);
    service.await_log("over: the coordinator says that it is canceled");
    scene.await_no_machines();
    let log = service.whole_log();
    let told = lines(&log, "telling the coordinator that we have the job");
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains(Stranger::SIGN_IN), "{log}");
}

/// Both take long: the last of the tries comes after a quarter of a minute.
#[test]
fn a_verdict_arrives_without_its_words_where_no_words_do() {
    let cases = [Stranger::SignIn.says(403), Stranger::Maintenance.says(200)];
    all_at_once(&cases, |says| {
        let scene = Scene::new();
        stand_between(&scene, "PATCH", "*/trace", says.clone());
        let service = scene.start();
        let job = scene.submit_cheap("without words");
        let ended = scene.await_end(job);
        assert_eq!(ended.status, JobStatus::Failed);
        assert_eq!((ended.log().as_str(), ended.verdicts().len()), ("", 1));
        scene.await_nothing_tracked("told");
        service.await_log("without words for the job's author");
        let log = service.whole_log();
        assert_eq!(lines(&log, "writing to the job's log").len(), 1, "{log}");
    });
}

#[test]
fn words_and_a_verdict_that_a_stranger_takes_are_delivered_afterwards() {
    let cases = [
        (Stranger::Maintenance, 200),
        (Stranger::Empty, 200),
        (Stranger::AccessDenied, 400),
        (Stranger::NoRoute, 404),
        (Stranger::Redirect, 302),
        (Stranger::SignIn, 403),
    ];
    all_at_once(&cases, |&(stranger, status)| {
        let scene = Scene::new();
        for call in [
            Rule::on("PATCH", "*/trace"),
            // Behind the greeting.
            Rule::on("PUT", "*/jobs/*").after(1),
        ] {
            let rule = call.of(OURS).with(stranger.says(status));
            scene.coordinator.faults().inject(rule);
        }
        let _service = scene.start();
        let job = scene.submit_cheap("told twice");
        let ended = scene.await_end(job);
        assert_eq!(ended.status, JobStatus::Failed, "{stranger:?}");
        let words = ended.log().matches("XXXL").count();
        let verdicts = ended.verdicts().len();
        assert_eq!((words, verdicts), (1, 1), "{stranger:?}");
        scene.await_nothing_tracked("told");
    });
}

#[test]
fn a_queue_is_not_empty_because_a_stranger_says_so() {
    let cases = [
        (
            Stranger::Maintenance,
            200,
            "status 200 (a page, \"Back soon\", from corp-gate, via 1.1 corp)",
        ),
        (Stranger::Empty, 200, "status 200 (empty"),
        (Stranger::AccessDenied, 200, "status 200 (access_denied"),
        (Stranger::SignIn, 201, "status 201 (a page, \"Sign in"),
        (Stranger::Redirect, 302, Stranger::SIGN_IN),
        (Stranger::Unauthorized, 403, "status 403 (Unauthorized"),
        (Stranger::NoRoute, 409, "status 409 (no Route matched"),
    ];
    all_at_once(&cases, |&(stranger, status, words)| {
        let scene = Scene::new();
        // The second and third say nothing new.
        let rule = Rule::on("POST", "*/jobs/request").times(3);
        scene
            .coordinator
            .faults()
            .inject(rule.with(stranger.says(status)));
        let service = scene.start();
        let job = scene.submit_cheap("waits");
        assert_eq!(scene.await_end(job).status, JobStatus::Failed);
        service.await_log("the coordinator is back");
        let log = service.whole_log();
        let told = lines(&log, "asking for a job: ");
        assert_eq!(told.len(), 1, "{words}: {log}");
        for part in [words, "not the coordinator's own", "WARN"] {
            assert!(told[0].contains(part), "{part}: {told:?}");
        }
        for secret in ["back=secret", "me:word", "check `token`"] {
            assert!(!log.contains(secret), "{log}");
        }
    });
}

#[test]
fn a_group_is_not_unknown_because_a_stranger_says_so() {
    let cases = [
        (Stranger::Maintenance, 404),
        (Stranger::NoRoute, 404),
        (Stranger::SignIn, 401),
        (Stranger::AccessDenied, 403),
        (Stranger::SignIn, 200),
    ];
    all_at_once(&cases, |&(stranger, status)| {
        let scene = tenants::two_tenants();
        let rule = Rule::on("GET", "*/custom_attributes").of(OURS);
        scene
            .coordinator
            .faults()
            .inject(rule.with(stranger.says(status)));
        let service = tenants::start(&scene);
        let job = tenants::submit(&scene, "acme/x");
        let ended = scene.await_end(job);
        let log = service.whole_log();
        assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
        scene.await_no_machines();
    });
}

#[test]
fn a_job_does_not_run_because_a_stranger_shows_another_text_than_its_log() {
    let cases = [Stranger::SignIn.says(200), Stranger::Text.says(200)];
    all_at_once(&cases, |says| {
        let scene = Scene::new();
        scene
            .coordinator
            .add_user("glpat-reader", sandbox::Access::Reporter);
        let gate = Gate::new();
        let held = MachineBehaviour::HeldBeforeJob(gate.clone());
        scene.clever.set_machine_behaviour(held);
        stand_between(&scene, "GET", "*/trace", says.clone());
        let service = start_with_reader(&scene);
        let job = scene.submit("unseen", "true");
        scene.await_phase(job, AppPhase::Running);
        await_more_answers(&scene, "GET", "/trace", 3);
        assert!(!service.whole_log().contains("running, seen"));
        gate.open();
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.await_no_machines();
        let log = service.whole_log();
        assert_eq!(lines(&log, "reading the job's log").len(), 1, "{log}");
    });
}

/// With a token that may read all logs.
fn start_with_reader(scene: &Scene) -> Service {
    scene.start_changed(&[(
        "poll_step = 0.1",
        "poll_step = 0.1\ntoken = \"glpat-reader\"",
    )])
}

fn await_more_answers(scene: &Scene, method: &str, end: &str, count: usize) {
    let before = answers(scene, method, end).len();
    let more = || answers(scene, method, end).len() >= before + count;
    if !scene.journal.wait_until(PATIENCE, more) {
        scene.give_up(&format!("no {count} more answers to {method}"));
    }
}
