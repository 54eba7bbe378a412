//! A panic in one job's thread is that job's alone: it goes on from what is known, and where it
//! can't, its author is told. The others notice nothing.
//!
//! The program has no place where a test could make it panic. So here a job's life runs on a
//! thread of the test, with the real executor behind one that panics when it is told to, and with
//! the real coordinator client, against the same servers as everywhere.

mod brittle;

use std::fs;
use std::slice;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use heptapod_paas_runner::config::{Config, ExecutorSettings, RunnerName, TraceWatch};
use heptapod_paas_runner::coordinator::{Coordinator, Grant, RunnerIdentity};
use heptapod_paas_runner::deploy::InnerRunner;
use heptapod_paas_runner::deploy::git::Workshop;
use heptapod_paas_runner::executor::clever::CleverDocker;
use heptapod_paas_runner::executor::{Doubt, MachineName, Resource};
use heptapod_paas_runner::http::Http;
use heptapod_paas_runner::job::Job;
use heptapod_paas_runner::job::life::{Policy, Report, World, live};
use heptapod_paas_runner::launches::Launches;
use heptapod_paas_runner::payload::Payload;
use heptapod_paas_runner::shutdown::{self, Stop, Stopper};
use heptapod_paas_runner::trust;
use sandbox::{Gate, JobId, JobSpec, JobStatus, MachineBehaviour};

use self::brittle::{Break, Brittle, Call, Side};
use crate::scene::Scene;

/// Longer than any life here: pauses after panics, a look at the machine, a list that lags.
const LIFETIME: Duration = Duration::from_secs(180);

/// What a dispatcher would have heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Provisioned,
    Pushed,
    Running,
    /// With what is left: a machine, a verdict that nobody was told yet.
    Ended {
        machine: bool,
        verdict: bool,
    },
}

/// What was told, in its order.
#[derive(Default)]
struct Notebook(Mutex<Vec<News>>);

impl Notebook {
    fn write(&self, news: News) {
        self.0.lock().unwrap().push(news);
    }

    fn read(&self) -> Vec<News> {
        self.0.lock().unwrap().clone()
    }
}

impl Report for Notebook {
    fn provisioned(&self, _: Resource, _: Doubt) {
        self.write(News::Provisioned);
    }

    fn pushed(&self, _: Resource) {
        self.write(News::Pushed);
    }

    fn slow(&self) {}

    fn running(&self) {
        self.write(News::Running);
    }

    fn ended(&self, left: Job) {
        self.write(News::Ended {
            machine: left.may_have_a_machine(),
            verdict: left.verdict.is_some(),
        });
    }
}

/// What the program makes of a town's configuration, without its main thread.
struct House {
    coordinator: Coordinator,
    executor: CleverDocker,
    identity: RunnerIdentity,
    runner: RunnerName,
    trace_watch: TraceWatch,
    launches: Launches,
    policy: Policy,
    max_age: Duration,
    stop: Stop,
}

impl House {
    fn of(town: &Scene) -> (Self, Stopper) {
        fs::write(town.config_path(), town.configuration()).unwrap();
        let mut config = Config::load(&town.config_path()).unwrap();
        let settings = config.runners.remove(0);
        let ExecutorSettings::CleverDocker(clever) = settings.executor else {
            panic!("the town's runner is one of Clever Cloud's");
        };
        let (stopper, stop) = shutdown::channel();
        let http = Http::new(trust::roots(None), stop.clone());
        let coordinator = Coordinator::new(http.clone(), &settings.url);
        let inner = InnerRunner {
            image: settings.main_image,
            configuration: settings.inner_configuration,
            authorities: None,
        };
        let workshop = Workshop::open(town.folder.path().join("pushes")).unwrap();
        let executor = CleverDocker::new(
            clever,
            http.for_another_service(),
            coordinator.clone(),
            workshop,
            inner,
            "the mark of this installation".to_owned(),
        );
        let house = Self {
            coordinator,
            executor,
            identity: RunnerIdentity {
                token: settings.token,
                system_id: "r_0123456789ab".to_owned(),
            },
            runner: settings.unique_name,
            trace_watch: TraceWatch {
                // Whoever waits for a panic in a look at the machine waits longer than usual.
                timeout: LIFETIME,
                ..settings.trace_watch
            },
            launches: Launches::new(config.launch_spacing),
            policy: Policy {
                progress_interval: config.progress_interval,
                keep_finished: config.keep_finished,
                decommission_launch_failures: config.decommission_launch_failures,
            },
            max_age: config.max_machine_age,
            stop,
        };
        (house, stopper)
    }

    fn take_job(&self) -> Payload {
        match self.coordinator.request_job(&self.identity, None) {
            Grant::Job(payload) => *payload,
            other => panic!("no job, but {other:?}"),
        }
    }

    fn live(&self, executor: &Brittle<'_>, payload: Payload) -> Vec<News> {
        let notebook = Notebook::default();
        let world = World {
            name: MachineName::of(&self.runner, payload.credentials.id),
            coordinator: &self.coordinator,
            executor,
            trace_watch: &self.trace_watch,
            launches: &self.launches,
            policy: self.policy,
            stop: &self.stop,
            report: &notebook,
        };
        let mut job = Job::granted(payload, self.max_age);
        let lived = live(&mut job, &world);
        assert!(lived.is_ok(), "it did not end: {:?}", notebook.read());
        notebook.read()
    }
}

/// A job and how its life went.
struct Life {
    job: JobId,
    news: Vec<News>,
    panics_left: usize,
    calls: Vec<(Call, usize)>,
}

/// The lives of as many jobs as there are breaks, at the same time; the jobs are waiting already.
fn live_at_once(town: &Scene, breaks: &[Break]) -> Vec<Life> {
    let (house, stopper) = House::of(town);
    let house = &house;
    let (done, lives) = mpsc::channel();
    thread::scope(|scope| {
        for breaks in breaks {
            let (payload, done) = (house.take_job(), done.clone());
            scope.spawn(move || {
                let job = payload.credentials.id.0;
                let executor = Brittle::new(&house.executor, breaks.clone());
                let news = house.live(&executor, payload);
                let calls = [Call::Provision, Call::Launch, Call::Decommission];
                let _ = done.send(Life {
                    job,
                    news,
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

fn submit(town: &Scene, script: &str) -> JobId {
    let spec = JobSpec::new("panics", [script]).flavor("XS");
    town.coordinator.submit(spec)
}

const OVER: News = News::Ended {
    machine: false,
    verdict: false,
};

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
            (Call::HasEnded, Side::Before, 1),
            (Call::HasEnded, Side::After, 1),
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
    let town = Scene::new();
    if breaks.call != Call::Decommission {
        // A job that is over would not be gone on with, and the machine of one that is heard of is
        // not looked at.
        let held = MachineBehaviour::HeldBeforeJob(breaks.done.clone());
        town.clever.set_machine_behaviour(held);
    }
    let job = submit(&town, "true");
    let lives = live_at_once(&town, &[breaks]);
    let Life {
        news, panics_left, ..
    } = &lives[0];
    assert_eq!(*panics_left, 0, "{how}: there were too few panics");
    let ended = town.coordinator.job(job);
    assert_eq!(ended.status, JobStatus::Success, "{how}: {}", ended.log());
    assert_eq!(ended.verdicts().len(), 1, "{how}: the job's own");
    assert_eq!(news.last(), Some(&OVER), "{how}: {news:?}");
    town.assert_started_once(job);
    town.await_no_machines();
    town.assert_no_complaints();
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
            let town = Scene::new();
            submit(&town, "sleep 1000");
            let lives = live_at_once(&town, slice::from_ref(&breaks));
            assert_given_up(&town, &lives[0], &breaks);
        },
    );
}

fn assert_given_up(town: &Scene, life: &Life, breaks: &Break) {
    let how = format!("{breaks}: {:?}", life.news);
    let ended = town.coordinator.job(life.job);
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
        .news
        .iter()
        .find(|news| matches!(news, News::Ended { .. }));
    let all_is_left = News::Ended {
        machine: true,
        verdict: true,
    };
    assert_eq!(first, Some(&all_is_left), "{how}");
    assert_eq!(life.news.last(), Some(&OVER), "{how}");
    town.await_no_machines();
    town.assert_no_complaints();
}

#[test]
fn a_job_beside_one_that_panics_notices_nothing() {
    let town = Scene::new();
    submit(&town, "true");
    submit(&town, "sleep 3");
    let breaks = [
        breaking(Call::Provision, Side::After, usize::MAX),
        breaking(Call::Launch, Side::Before, 0),
    ];
    let lives = live_at_once(&town, &breaks);
    let (healthy, broken): (Vec<_>, Vec<_>) = lives.iter().partition(|life| life.panics_left == 0);
    assert_given_up(&town, broken[0], &breaks[0]);
    let healthy = healthy[0];
    let ended = town.coordinator.job(healthy.job);
    assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
    let machine_left = News::Ended {
        machine: true,
        verdict: false,
    };
    let usual = [
        News::Provisioned,
        News::Pushed,
        News::Running,
        machine_left,
        OVER,
    ];
    assert_eq!(healthy.news, usual);
    assert!(healthy.calls.iter().all(|(_, times)| *times == 1));
    town.assert_started_once(healthy.job);
}
