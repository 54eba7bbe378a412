//! A machine that died is noticed within a minute, and nobody waits for its job for an hour; one
//! that only can't be seen is left alone.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::{AppPhase, Fault, Gate, JobId, JobStatus, Kind, MachineBehaviour, Rule};

use crate::scene::{PATIENCE, Scene};
use crate::service::Service;

/// From its machine's end to the job's: two looks, 30 s and 15 s apart, and what a busy computer
/// adds to that.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// Until so much has happened: far more than the looks take.
const LOOKS_PATIENCE: Duration = Duration::from_secs(120);

/// Jobs may take long until they are seen running here: that they did not start is not what is to
/// be told of their machines. And many are watched at the same time, so not too often.
fn start_patiently(scene: &Scene) -> Service {
    scene.start_changed(&[
        ("timeout_seconds = 30", "timeout_seconds = 600"),
        ("poll_step = 0.1", "poll_step = 1"),
        (
            "job_progress_poll_interval = 0.2",
            "job_progress_poll_interval = 1",
        ),
    ])
}

/// When the application of the job was in this phase.
fn moment_of(scene: &Scene, job: JobId, phase: AppPhase) -> Instant {
    let wanted = scene.machine_name(job);
    let entries = scene.journal.entries();
    let found = entries.iter().find(|entry| match &entry.kind {
        Kind::Application { name, state } => *name == wanted && *state == phase,
        _ => false,
    });
    found.unwrap_or_else(|| scene.give_up("no such moment")).at
}

fn await_log(scene: &Scene, job: JobId, words: &str) {
    let written = || scene.coordinator.job(job).log().contains(words);
    assert!(scene.journal.wait_until(PATIENCE, written), "no {words}");
}

/// In the words for the job's author, and for the administrator.
type Told = [&'static str; 2];

const STOPPED: Told = [
    "\x1b[31mThe job's machine stopped without a result. It may have been out of memory: a larger \
     CI_CLEVER_CLOUD_FLAVOR may help.",
    "its machine has ended and the coordinator has no result",
];
const NOT_STARTED: &str =
    "\x1b[31mClever Cloud could not start the job's machine. Please retry the job later";

/// What everybody is told of a machine that ended without a result.
fn assert_told_of_death(
    scene: &Scene,
    service: &Service,
    job: JobId,
    how: &str,
    [words, told]: Told,
) {
    let ended = scene.await_end_within(LOOKS_PATIENCE, job);
    let died = moment_of(scene, job, AppPhase::Exited);
    let noticed = ended.finished.unwrap().duration_since(died);
    assert!(noticed < NOTICED_WITHIN, "{how}: after {noticed:?}");
    assert_eq!(ended.status, JobStatus::Failed, "{how}");
    assert_eq!(ended.exit_code, Some(103), "{how}");
    assert_eq!(ended.verdicts().len(), 1, "{how}: {:?}", ended.calls);
    let log = ended.log();
    assert_eq!(log.matches(words).count(), 1, "{how}: {log}");
    let reason = ended.failure_reason.as_deref();
    assert_eq!(reason, Some("runner_system_failure"), "{how}");
    let line = service.await_log(told);
    assert!(line.contains(&format!("job={job} ")), "{how}: {line}");
    scene.await_no_machines();
    scene.assert_started_once(job);
    scene.assert_no_complaints();
}

/// All at the same time: nearly all of it is the pause between two looks.
#[test]
fn a_machine_that_dies_fails_its_job_within_a_minute_and_everybody_is_told() {
    thread::scope(|scope| {
        for (behaviour, how, told) in [
            (
                MachineBehaviour::BuildFails,
                "its image can't be built",
                [
                    NOT_STARTED,
                    "before the job began: the deployment ended as FAIL: no credit is left",
                ],
            ),
            (
                MachineBehaviour::CrashesAtStart,
                "its container crashes",
                [
                    NOT_STARTED,
                    "before the job began: its container ended at once",
                ],
            ),
            (
                MachineBehaviour::ExitsWithoutReporting,
                "it never reports",
                STOPPED,
            ),
        ] {
            scope.spawn(move || dies_by_itself(behaviour, how, told));
        }
        scope.spawn(dies_in_its_job);
        scope.spawn(dies_while_the_service_is_down);
    });
}

fn dies_by_itself(behaviour: MachineBehaviour, how: &str, told: Told) {
    let scene = Scene::new();
    scene.clever.set_machine_behaviour(behaviour);
    let service = start_patiently(&scene);
    let job = scene.submit("dies", "true");
    assert_told_of_death(&scene, &service, job, how, told);
}

fn dies_in_its_job() {
    let (scene, service, job, gate) = mortal();
    gate.open();
    assert_told_of_death(&scene, &service, job, "in its job", STOPPED);
    let log = scene.coordinator.job(job).log();
    assert!(log.contains("\nbegun"), "what it wrote is kept: {log}");
}

fn dies_while_the_service_is_down() {
    let (scene, service, job, gate) = mortal();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    gate.open();
    scene.await_phase(job, AppPhase::Exited);
    let service = start_patiently(&scene);
    assert_told_of_death(&scene, &service, job, "while nobody watched", STOPPED);
}

/// A job that was seen running, on a machine that dies when the gate opens.
fn mortal() -> (Scene, Service, JobId, Gate) {
    let (scene, gate) = (Scene::new(), Gate::new());
    let mortal = MachineBehaviour::DiesInJob(gate.clone());
    scene.clever.set_machine_behaviour(mortal);
    let service = start_patiently(&scene);
    let job = scene.submit("dies", "echo begun; sleep 1000");
    service.await_log("running, seen after");
    await_log(&scene, job, "\nbegun");
    (scene, service, job, gate)
}

/// An answer's status and body.
type Answer = (u16, &'static str);

/// What makes a machine look as if it were gone, and is no proof of that.
struct Disguise {
    how: &'static str,
    behaviour: MachineBehaviour,
    /// The API's answers about machines and about deployments, where they are not as usual.
    instances: Option<Answer>,
    deployments: Option<Answer>,
}

const NOT_FOUND: Answer = (404, r#"{"id": 4004, "message": "no", "type": "error"}"#);
const PROXY: Answer = (404, "<html><body>404 Not Found</body></html>");
const OUT_OF_ORDER: Answer = (503, "<html><body>503</body></html>");
const NONE: Answer = (200, "[]");

impl Disguise {
    const fn of_the_living(
        how: &'static str,
        instances: Option<Answer>,
        deployments: Option<Answer>,
    ) -> Self {
        Self {
            how,
            behaviour: MachineBehaviour::Normal,
            instances,
            deployments,
        }
    }

    const fn of_the_unborn(how: &'static str, behaviour: MachineBehaviour) -> Self {
        Self {
            how,
            behaviour,
            instances: None,
            deployments: None,
        }
    }

    fn put_on(&self, scene: &Scene) {
        scene.clever.set_machine_behaviour(self.behaviour.clone());
        let answers = [
            ("instances", self.instances),
            ("deployments", self.deployments),
        ];
        for (about, answer) in answers {
            let Some((code, body)) = answer else { continue };
            let fault = Fault::Status {
                code,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            };
            let rule = Rule::on("GET", format!("*/applications/app_*/{about}"));
            scene.clever.faults().inject(rule.always().with(fault));
        }
    }
}

fn is_left_alone(disguise: &Disguise) {
    let how = disguise.how;
    let scene = Scene::new();
    disguise.put_on(&scene);
    let _service = start_patiently(&scene);
    let job = scene.submit("unseen", "echo begun; sleep 1000");
    await_two_looks(&scene, job, how);
    let unharmed = scene.coordinator.job(job);
    assert_eq!(unharmed.status, JobStatus::Running, "{how}");
    assert!(!unharmed.log().contains("stopped without"), "{how}");
    let machine = scene.machine(job).unwrap();
    assert!(!machine.is_deleted(), "{how}: {machine:?}");
    scene.coordinator.cancel(job);
    scene.await_no_machines();
    let verdicts = scene.coordinator.job(job).verdicts().len();
    assert_eq!(verdicts, 0, "{how}");
}

/// Waits until the service has looked for the job's machine twice, and has then gone on to ask the
/// coordinator for the job, more often than it would to tell of a failure; or until the job is over.
fn await_two_looks(scene: &Scene, job: JobId, how: &str) {
    let name = scene.machine_name(job);
    let is_look = |method: &str, path: &str| method == "GET" && path.ends_with("/instances");
    let is_question = |method: &str, path: &str| {
        (method == "GET" && path.ends_with("/api/v4/job"))
            || (method == "PATCH" && path.ends_with(&format!("/jobs/{job}/trace")))
    };
    let looked = scene.journal.wait_for(LOOKS_PATIENCE, |entries| {
        let pushed = entries.iter().position(|entry| match &entry.kind {
            Kind::Application { name: of, state } => *of == name && *state == AppPhase::Pushed,
            _ => false,
        });
        let (mut looks, mut questions) = (0, 0);
        entries[pushed?..].iter().find_map(|entry| {
            match &entry.kind {
                Kind::Request { method, path, .. } => {
                    looks += usize::from(is_look(method, path));
                    questions += usize::from(looks >= 2 && is_question(method, path));
                }
                Kind::JobStatus { job: of, .. } if *of == job => return Some(()),
                _ => {}
            }
            (questions >= 3).then_some(())
        })
    });
    looked.unwrap_or_else(|| scene.give_up(&format!("{how}: no two looks at the machine")));
}

/// A busy platform takes minutes until a pushed job has a machine, and some machines boot slowly:
/// what is not there yet has not died either.
#[test]
fn a_machine_that_cannot_be_seen_or_is_not_there_yet_is_left_alone() {
    let held = MachineBehaviour::HeldBeforeJob(Gate::new());
    let held_unseen = Disguise {
        instances: Some(NOT_FOUND),
        ..Disguise::of_the_unborn("it has no job yet and is not found", held)
    };
    let disguises = [
        Disguise::of_the_living("machines are not found", Some(NOT_FOUND), None),
        Disguise::of_the_living("a proxy finds no machines", Some(PROXY), None),
        Disguise::of_the_living("the API is out of order", Some(OUT_OF_ORDER), None),
        Disguise::of_the_living("no machine is shown", Some(NONE), None),
        Disguise::of_the_living("nothing is shown", Some(NONE), Some(NONE)),
        Disguise::of_the_living("nothing is found", Some(NONE), Some(NOT_FOUND)),
        Disguise::of_the_unborn("nothing came yet", MachineBehaviour::DeploymentNeverAppears),
        Disguise::of_the_unborn("it boots for long", MachineBehaviour::NeverBoots),
        held_unseen,
    ];
    thread::scope(|scope| {
        for disguise in &disguises {
            scope.spawn(|| is_left_alone(disguise));
        }
    });
}
