//! Every endpoint fails in every way, and each time only what must happens.
//!
//! In each cell of the table one job meets one fault, and another job, which is submitted when that
//! has happened, must not notice; it asks for a machine that nobody offers, and is told so. Whatever
//! the cell says: the service goes on, nothing is asked for in a tight loop, no redirect is followed,
//! no secret is logged, and nothing is left behind.

mod table;

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sandbox::{Coordinator, Fault, Faults, Gate, JobId, JobStatus, JobView, Kind, Response, Rule};

use self::table::{
    Endpoint, FAULTS, FAULTS_OF_GIT, Job, NO_FLAVOR, Outcome, QUICKLY_IMPATIENT, SLOW_FAULTS,
    Server, What,
};
use crate::scene::{PATIENCE, Scene};
use crate::service::Service;

fn each_fault_at(endpoint: Endpoint) {
    let of_git = match endpoint.server() {
        Server::Git => FAULTS_OF_GIT.as_slice(),
        Server::Coordinator | Server::Api => &[],
    };
    let all = FAULTS.iter().chain(of_git);
    let cells: Vec<_> = all.map(|what| (endpoint, *what)).collect();
    check_all(&cells, if endpoint.waits() { 10 } else { 3 });
}

/// A row is a test: its name, and where the faults are.
macro_rules! each_fault {
    ($($name:ident: $endpoint:ident,)*) => {$(
        #[test]
        fn $name() {
            each_fault_at(Endpoint::$endpoint);
        }
    )*};
}

each_fault! {
    a_fault_at_the_request_for_a_job_does_only_what_it_must: JobRequest,
    a_fault_at_the_greeting_does_only_what_it_must: PutRunning,
    a_fault_at_the_probe_does_only_what_it_must: Probe,
    a_fault_at_the_look_does_only_what_it_must: Look,
    a_fault_at_the_words_does_only_what_it_must: Words,
    a_fault_at_the_verdict_does_only_what_it_must: PutFailed,
    a_fault_at_the_flavors_does_only_what_it_must: Flavors,
    a_fault_at_the_instances_does_only_what_it_must: Instances,
    a_fault_at_the_creation_does_only_what_it_must: Creation,
    a_fault_at_one_application_does_only_what_it_must: Application,
    a_fault_at_the_list_of_applications_does_only_what_it_must: List,
    a_fault_at_the_search_for_orphans_does_only_what_it_must: Orphans,
    a_fault_at_the_deletion_does_only_what_it_must: Deletion,
    a_fault_at_the_branches_of_the_git_remote_does_only_what_it_must: Refs,
    a_fault_at_the_push_does_only_what_it_must: Pack,
}

/// All at once: they do nothing but wait.
#[test]
fn an_answer_that_does_not_come_in_time_does_only_what_it_must() {
    let cells = QUICKLY_IMPATIENT.map(|at| SLOW_FAULTS.map(|what| (at, what)));
    check_all(cells.as_flattened(), cells.as_flattened().len());
}

fn check_all(cells: &[(Endpoint, What)], at_once: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((at, what)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(*at, *what);
                }
            });
        }
    });
}

fn check(at: Endpoint, what: What) {
    let scene = Scene::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let outage = inject(&scene, at, what, &elsewhere);
    let service = scene.start();
    let first = submit_first(&scene, at);
    match outage {
        Some(gate) => refuse_connections(&scene, at, &service, &gate),
        None => await_requests(&scene, at, at.skipped() + 1),
    }
    scene.let_end();
    let first = first.unwrap_or_else(|| scene.submit_cheap("asked for again"));
    let neighbor = scene.submit_cheap("neighbor");
    let neighbor = scene.await_end(neighbor);
    let context = format!("the neighbor of {at:?} {what:?}");
    assert_outcome(&neighbor, Outcome::Fails(NO_FLAVOR), &context);
    let outcome = table::outcome(at, what);
    if outcome != Outcome::Untold {
        scene.await_end(first);
    }
    scene.await_no_machines();
    scene.await_nothing_tracked(&format!("{at:?} {what:?}"));
    let first = scene.coordinator.job(first);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{at:?} {what:?}: {log}");
    assert_outcome(&first, outcome, &format!("{at:?} {what:?}: {log}"));
    if outcome == Outcome::Succeeds {
        scene.assert_started_once(first.id);
    }
    assert_patience(&scene, at, what);
    elsewhere.set_nonblocking(true).unwrap();
    let visit = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(visit, Err(io::ErrorKind::WouldBlock), "{at:?}: followed");
    scene.assert_no_secret(&[first, neighbor], &log);
}

/// A gate stands for an outage, which begins when the request has come.
fn inject(scene: &Scene, at: Endpoint, what: What, elsewhere: &TcpListener) -> Option<Gate> {
    if at == Endpoint::List {
        // A list is asked for when an answer was lost.
        let lost = Rule::on("POST", "*/applications").with(Fault::CutAfter);
        scene.clever.faults().inject(lost);
    }
    let gate = Gate::new();
    let fault = match what {
        What::Refusal(code) => refusal(at.server(), code),
        What::Status(code) => Fault::status(code),
        What::TooMany(seconds) => Fault::too_many(seconds),
        What::Html(code) => Fault::html(code),
        What::Refused => Fault::HoldBefore(gate.clone()),
        What::CutBefore => Fault::CutBefore,
        What::CutAfter => Fault::CutAfter,
        What::Truncated => Fault::Truncate(3),
        What::Garbage => Fault::Replace(Response::text(at.success(), "\u{1}\u{fffd}{]<")),
        What::WrongTypes => Fault::Replace(Response::text(at.success(), at.wrong_types())),
        What::TooMuch => Fault::Endless,
        What::Redirect => Fault::Status {
            code: 302,
            headers: vec![(
                "Location".to_owned(),
                format!("http://{}/", elsewhere.local_addr().unwrap()),
            )],
            body: Vec::new(),
        },
        What::Challenge => Fault::Status {
            code: 401,
            headers: vec![("WWW-Authenticate".to_owned(), "Basic realm=git".to_owned())],
            body: Vec::new(),
        },
        What::WrongType => Fault::Replace(Response::text(200, NO_BRANCH)),
        What::NoPackets => git_answer(at, "<html>"),
        What::OpenPackets => git_answer(at, NO_BRANCH.trim_end_matches('0')),
        What::Hang => Fault::Hang,
        What::Trickle => Fault::Trickle(Duration::from_secs(1)),
    };
    let (method, path) = at.request();
    let rule = Rule::on(method, path).after(at.skipped()).with(fault);
    faults(scene, at).inject(rule);
    matches!(what, What::Refused).then_some(gate)
}

/// As the service itself says it.
fn refusal(server: Server, code: u16) -> Fault {
    match server {
        Server::Coordinator => Coordinator::refusal(code),
        Server::Api if code == 404 => Fault::clever(code, 4004),
        Server::Api => Fault::clever(code, code.into()),
        Server::Git => Fault::status(code),
    }
}

/// What a git remote says of an empty repository.
const NO_BRANCH: &str = "001f# service=git-receive-pack\n0000\
    004c0000000000000000000000000000000000000000 capabilities^{}\0 report-status\n0000";

fn git_answer(at: Endpoint, body: &str) -> Fault {
    let body = body.as_bytes().to_vec();
    let answer = Response {
        body,
        ..Response::empty(200)
    };
    Fault::Replace(answer.with("Content-Type", at.git_type()))
}

fn faults(scene: &Scene, at: Endpoint) -> Faults {
    match at.server() {
        Server::Git => scene.clever.git_faults().clone(),
        Server::Coordinator => scene.coordinator.faults(),
        Server::Api => scene.clever.faults().clone(),
    }
}

/// None, where a job would be lost with the answer: the coordinator gave it out and nobody heard.
fn submit_first(scene: &Scene, at: Endpoint) -> Option<JobId> {
    if at == Endpoint::List {
        let searched = || requests(scene, at) >= at.skipped();
        assert!(scene.journal.wait_until(PATIENCE, searched));
    }
    Some(match at.job() {
        Job::Lost => return None,
        Job::Cheap => scene.submit_cheap("first"),
        Job::Long => scene.submit_lasting("first"),
        Job::Usual => scene.submit("first", "sleep 0.3"),
    })
}

fn requests(scene: &Scene, at: Endpoint) -> usize {
    let (method, _) = at.request();
    scene.journal.count_requests(method, |path| at.is(path))
}

fn await_requests(scene: &Scene, at: Endpoint, count: usize) {
    scene.await_that(&format!("{at:?} never comes"), || {
        requests(scene, at) >= count
    });
}

/// The request under way is cut, all others are refused, until the service has noticed.
fn refuse_connections(scene: &Scene, at: Endpoint, service: &Service, gate: &Gate) {
    assert!(gate.wait_reached(PATIENCE));
    let patience = Duration::from_secs(3);
    match at.server() {
        Server::Git => {
            scene.clever.suspend_git();
            service.find_log("onnect", patience);
            scene.clever.resume_git();
        }
        Server::Coordinator => {
            scene.coordinator.suspend();
            service.find_log("refused", patience);
            scene.coordinator.resume();
        }
        Server::Api => {
            scene.clever.suspend();
            service.find_log("refused", patience);
            scene.clever.resume();
        }
    }
}

fn assert_outcome(job: &JobView, outcome: Outcome, context: &str) {
    let verdicts = job.verdicts();
    let taken = verdicts.iter().filter(|call| call.answered == 200).count();
    let log = job.log();
    match outcome {
        Outcome::Succeeds => assert_eq!((job.status, taken), (JobStatus::Success, 1), "{context}"),
        Outcome::Fails(words) => {
            assert_eq!((job.status, taken), (JobStatus::Failed, 1), "{context}");
            assert_eq!(log.matches(words).count(), 1, "{log:?}\n{context}");
        }
        Outcome::FailsInSilence => {
            assert_eq!((job.status, taken), (JobStatus::Failed, 1), "{context}");
            assert_eq!(log, "", "{context}");
        }
        Outcome::Untold => assert_eq!((job.status, taken), (JobStatus::Running, 0), "{context}"),
    }
}

/// A loop without pauses makes thousands of requests in a second.
fn assert_patience(scene: &Scene, at: Endpoint, what: What) {
    let (wanted, _) = at.request();
    let entries = scene.journal.entries();
    let times: Vec<_> = entries
        .iter()
        .filter(|entry| {
            matches!(&entry.kind, Kind::Request { method, path, .. }
                if method == wanted && at.is(path))
        })
        .map(|entry| entry.at)
        .collect();
    let hasty = times
        .windows(20)
        .find(|times| times[19] - times[0] < Duration::from_millis(400));
    assert!(hasty.is_none(), "{at:?} {what:?}: {}", scene.journal);
}
