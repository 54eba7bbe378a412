//! A panic in one job's thread is that job's alone: it goes on from what is known, and where it
//! can't, its author is told. The others notice nothing.
//!
//! The program has no place where a test could make it panic. So here a job's life runs on a
//! thread of the test, with the real executor behind one that panics when it is told to, and with
//! the real coordinator client, against the same servers as everywhere.

mod panicking_executor;

use std::fs;
use std::slice;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use heptapod_paas_runner::agent::Agents;
use heptapod_paas_runner::config::Config;
use heptapod_paas_runner::coordinator::{Grant, Queue};
use heptapod_paas_runner::deploy::scratch::Scratch;
use heptapod_paas_runner::executor::Executor;
use heptapod_paas_runner::http::Http;
use heptapod_paas_runner::job::context::{JobContext, Policy, Report};
use heptapod_paas_runner::job::hearing::Hearing;
use heptapod_paas_runner::job::life::live;
use heptapod_paas_runner::job::{Job, Phase};
use heptapod_paas_runner::money::Spending;
use heptapod_paas_runner::payload::Payload;
use heptapod_paas_runner::quota::{Limits, Quota};
use heptapod_paas_runner::runner::{self, Installation, Runner};
use heptapod_paas_runner::shutdown::{self, Stop, Stopper};
use heptapod_paas_runner::spacing::LaunchSpacing;
use heptapod_paas_runner::trust::Trust;
use heptapod_paas_runner::weight::Weight;
use sandbox::{Gate, JobId, JobSpec, JobStatus, MachineBehaviour};

use self::panicking_executor::{Break, Call, PanickingExecutor, Side};
use crate::scene::Scene;

/// Longer than any life here: pauses after panics, a look at the machine, a list that lags.
const LIFETIME: Duration = Duration::from_secs(180);

/// All that a dispatcher would have heard, in its order.
#[derive(Default)]
struct Reports(Mutex<Vec<Job>>);

impl Reports {
    fn so_far(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(standing).collect()
    }
}

impl Report for Reports {
    fn note(&self, job: &Job) {
        self.0.lock().unwrap().push(job.clone());
    }

    fn write_down(&self, job: &Job) {
        self.note(job);
    }

    fn slow(&self) {}
}

/// How a job stands, in a word.
fn standing(job: &Job) -> &'static str {
    let history = &job.machine.history;
    match (&job.phase, job.machine.may_exist()) {
        (Phase::Held(_), _) => "held",
        (Phase::Pending(_), _) if history.handed_over.is_some() => "handed over",
        (Phase::Pending(_), true) => "provisioned",
        (Phase::Pending(_), false) => "granted",
        (Phase::Launched, _) => "running",
        (Phase::Ended { untold: Some(_) }, true) => "over, with machine and untold failure",
        (Phase::Ended { untold: None }, true) => "over, with machine",
        (Phase::Ended { untold: Some(_) }, false) => "over, with untold failure",
        (Phase::Ended { untold: None }, false) => OVER,
    }
}

const OVER: &str = "over";

/// What the program makes of a scene's configuration, without its main thread.
struct BareProgram {
    runner: Arc<Runner>,
    spacing: LaunchSpacing,
    policy: Policy,
    max_age: Duration,
    stop: Stop,
}

impl BareProgram {
    fn of(scene: &Scene) -> (Self, Stopper) {
        fs::write(scene.config_path(), scene.configuration()).unwrap();
        let mut config = Config::load(&scene.config_path()).unwrap();
        // A life that waits for a panic in a look at the machine waits longer than usual.
        config.runners[0].trace_watch.timeout = LIFETIME;
        let (stopper, stop) = shutdown::channel();
        let scratch = Scratch::open(scene.folder.path().join("pushes")).unwrap();
        let http = Http::new(Agents::new(Arc::default(), Trust::default()), stop.clone());
        let installation = Installation::of(&config.state_file, None, scratch, http);
        let quota = Quota::new(Limits {
            jobs: config.concurrent,
            launching: config.max_launching,
            holds: config.holds_jobs,
        });
        let runners = runner::all(config.runners, &quota, 1.0, &installation, &[]);
        let program = Self {
            runner: runners.into_iter().next().unwrap(),
            spacing: LaunchSpacing::new(config.launch_spacing),
            policy: Policy {
                progress_interval: config.progress_interval,
                hold_at_most: config.hold_at_most,
                longest_job: config.longest_job,
                keep_finished: config.keep_finished,
                decommission_launch_failures: config.decommission_launch_failures,
            },
            max_age: config.max_machine_age,
            stop,
        };
        (program, stopper)
    }

    fn executor(&self) -> &dyn Executor {
        self.runner.executor.as_ref()
    }

    fn take_job(&self) -> Payload {
        let runner = &self.runner;
        let mut queue = Queue::default();
        match runner
            .coordinator
            .request_job(&runner.identity, &mut queue, false)
        {
            Grant::Job(payload) => *payload,
            other => panic!("no job, but {other:?}"),
        }
    }

    fn live(&self, executor: &PanickingExecutor<'_>, payload: Payload) -> Vec<&'static str> {
        let reports = Reports::default();
        let reservation = self.runner.share.take_over(Weight::ZERO, None);
        let spending = Spending::default();
        let context = JobContext {
            coordinator: &self.runner.coordinator,
            executor,
            trace_watch: &self.runner.trace_watch,
            spacing: &self.spacing,
            purse: &spending,
            policy: self.policy,
            stop: &self.stop,
            report: &reports,
            admission: &reservation,
            hearing: Hearing::default(),
        };
        let mut job = Job::granted(&self.runner.unique_name, payload, self.max_age);
        let lived = live(&mut job, &context);
        assert!(lived.is_ok(), "it did not end: {:?}", reports.so_far());
        reports.so_far()
    }
}

/// A job and how its life went.
struct Life {
    job: JobId,
    reports: Vec<&'static str>,
    panics_left: usize,
    calls: Vec<(Call, usize)>,
}

/// The lives of as many jobs as there are breaks, at the same time; the jobs are waiting already.
fn live_at_once(scene: &Scene, breaks: &[Break]) -> Vec<Life> {
    let (program, stopper) = BareProgram::of(scene);
    let program = &program;
    let (done, lives) = mpsc::channel();
    thread::scope(|scope| {
        for breaks in breaks {
            let (payload, done) = (program.take_job(), done.clone());
            scope.spawn(move || {
                let job = payload.credentials.id.0;
                let executor = PanickingExecutor::new(program.executor(), breaks.clone());
                let reports = program.live(&executor, payload);
                let calls = [Call::Provision, Call::Launch, Call::Decommission];
                let _ = done.send(Life {
                    job,
                    reports,
                    panics_left: executor.panics_left(),
                    calls: calls.map(|call| (call, executor.count(call))).into(),
                });
            });
        }
        let next = || lives.recv_timeout(LIFETIME).ok();
        let all: Vec<_> = breaks.iter().map_while(|_| next()).collect();
        // Ends the others, and their threads, so that it can be told.
        drop(stopper);
        assert_eq!(all.len(), breaks.len(), "some lives did not end");
        all
    })
}

fn breaking(call: Call, side: Side, times: usize) -> Break {
    Break {
        call,
        side,
        times,
        done: Gate::new(),
    }
}

fn submit(scene: &Scene, script: &str) -> JobId {
    let spec = JobSpec::new("panics", [script]).flavor("XS");
    scene.coordinator.submit(spec)
}

/// All at the same time: most of their time is pauses.
fn at_once(breaks: &[(Call, Side, usize)], test: impl Fn(Break) + Sync) {
    thread::scope(|scope| {
        for &(call, side, times) in breaks {
            let test = &test;
            scope.spawn(move || test(breaking(call, side, times)));
        }
    });
}

#[test]
fn after_a_panic_a_job_goes_on_from_what_is_known() {
    at_once(
        &[
            (Call::Provision, Side::Before, 1),
            (Call::Provision, Side::After, 1),
            (Call::Provision, Side::After, 2),
            (Call::Launch, Side::Before, 1),
            (Call::Launch, Side::After, 1),
            (Call::Launch, Side::After, 2),
            (Call::IsLost, Side::Before, 1),
            (Call::IsLost, Side::After, 1),
            (Call::Decommission, Side::Before, 1),
            (Call::Decommission, Side::After, 1),
            // Giving the job up is no way to get rid of its machine.
            (Call::Decommission, Side::Before, 4),
        ],
        goes_on,
    );
}

fn goes_on(breaks: Break) {
    let how = breaks.to_string();
    let scene = Scene::new();
    if breaks.call != Call::Decommission {
        // A job that is over would not be gone on with, and the machine of one that is heard of is
        // not looked at.
        let held = MachineBehaviour::HeldBeforeJob(breaks.done.clone());
        scene.clever.set_machine_behaviour(held);
    }
    let job = submit(&scene, "true");
    let lives = live_at_once(&scene, &[breaks]);
    let Life {
        reports,
        panics_left,
        ..
    } = &lives[0];
    assert_eq!(*panics_left, 0, "{how}: there were too few panics");
    let ended = scene.coordinator.job(job);
    assert_eq!(ended.status, JobStatus::Success, "{how}: {}", ended.log());
    assert_eq!(ended.verdicts().len(), 1, "{how}: the job's own");
    assert_eq!(reports.last(), Some(&OVER), "{how}: {reports:?}");
    scene.assert_started_once(job);
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_job_that_makes_us_panic_again_and_again_is_given_up_and_its_author_is_told() {
    at_once(
        &[
            (Call::Provision, Side::Before, usize::MAX),
            (Call::Provision, Side::After, usize::MAX),
            (Call::Launch, Side::Before, usize::MAX),
            (Call::Launch, Side::After, usize::MAX),
        ],
        |breaks| {
            let scene = Scene::new();
            submit(&scene, "sleep 1000");
            let lives = live_at_once(&scene, slice::from_ref(&breaks));
            assert_given_up(&scene, &lives[0], &breaks);
        },
    );
}

fn assert_given_up(scene: &Scene, life: &Life, breaks: &Break) {
    let how = format!("{breaks}: {:?}", life.reports);
    let ended = scene.coordinator.job(life.job);
    assert_eq!(ended.status, JobStatus::Failed, "{how}");
    assert_eq!(ended.exit_code, Some(103), "{how}");
    assert_eq!(ended.verdicts().len(), 1, "{how}: {:?}", ended.calls);
    let log = ended.log();
    let words = "\x1b[31mThis runner made a mistake with the job.";
    assert_eq!(log.matches(words).count(), 1, "{how}: {log}");
    let tries = life.calls.iter().find(|(call, _)| *call == breaks.call);
    assert_eq!(tries.unwrap().1, 3, "{how}");
    // First with what is left to be done: whoever comes after a crash would have to do it.
    let first = life
        .reports
        .iter()
        .find(|standing| standing.starts_with("over"));
    let all_is_left = "over, with machine and untold failure";
    assert_eq!(first, Some(&all_is_left), "{how}");
    assert_eq!(life.reports.last(), Some(&OVER), "{how}");
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_job_beside_one_that_panics_notices_nothing() {
    let scene = Scene::new();
    submit(&scene, "true");
    submit(&scene, "sleep 3");
    let breaks = [
        breaking(Call::Provision, Side::After, usize::MAX),
        breaking(Call::Launch, Side::Before, 0),
    ];
    let lives = live_at_once(&scene, &breaks);
    let (healthy, broken): (Vec<_>, Vec<_>) = lives.iter().partition(|life| life.panics_left == 0);
    assert_given_up(&scene, broken[0], &breaks[0]);
    let healthy = healthy[0];
    let ended = scene.coordinator.job(healthy.job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    let usual = [
        "provisioned",
        "handed over",
        "running",
        "over, with machine",
        OVER,
    ];
    assert_eq!(healthy.reports, usual);
    assert!(healthy.calls.iter().all(|(_, times)| *times == 1));
    scene.assert_started_once(healthy.job);
}
