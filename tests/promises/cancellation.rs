//! A job that is not wanted any more loses its machine within ten seconds, whatever the service is
//! doing for it at that moment, and no machine boots for it after that.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::{AppPhase, Fault, Gate, JobId, JobStatus, JobView, Kind, MachineBehaviour, Rule};

use crate::scene::{PATIENCE, Scene};
use crate::service::Service;

/// A begun step of Clever Cloud's bill.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// What is erased is only refused, which must be heard twice, seconds apart.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);

/// How a job comes to be not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By its author; the coordinator is done with it.
    Canceled,
    /// The coordinator waits for its runner to say so.
    Canceling,
    /// By an administrator.
    Dropped,
    /// It is gone, and its token with it.
    Erased,
}

/// What goes on meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The application is there, its repository is not.
    AwaitingRepository,
    /// Nothing came of the push so far; another one would succeed.
    PushHangsBefore,
    /// No push ever succeeds.
    PushesHang,
    /// The machine has come of the push already, but not the answer.
    PushHangsAfter,
    /// The machine is ordered and not there yet.
    Queued,
    Booting,
    /// It runs, and its job was not heard of yet.
    Silent,
    Running,
}

impl Moment {
    const ALL: [Self; 8] = [
        Self::AwaitingRepository,
        Self::PushHangsBefore,
        Self::PushesHang,
        Self::PushHangsAfter,
        Self::Queued,
        Self::Booting,
        Self::Silent,
        Self::Running,
    ];

    const fn behaviour(self) -> MachineBehaviour {
        match self {
            Self::AwaitingRepository | Self::PushHangsBefore | Self::PushesHang => {
                MachineBehaviour::Normal
            }
            Self::Queued => MachineBehaviour::DeploymentNeverAppears,
            Self::Booting => MachineBehaviour::NeverBoots,
            Self::PushHangsAfter | Self::Silent => MachineBehaviour::HangsSilently,
            Self::Running => MachineBehaviour::HangsInJob,
        }
    }

    /// Returns a gate at which the push stands, where it does.
    fn prepare(self, scene: &mut Scene) -> Option<Gate> {
        scene.clever.set_machine_behaviour(self.behaviour());
        let gate = Gate::new();
        let push = Rule::on("POST", "*git-receive-pack");
        let rule = match self {
            Self::AwaitingRepository => {
                scene.runner += "cc_deployment_repo_timeout = 600";
                scene
                    .clever
                    .set_quirks(|quirks| quirks.repository_never_ready = true);
                return None;
            }
            Self::PushHangsBefore => push.with(Fault::HoldBefore(gate.clone())),
            Self::PushesHang => push.always().with(Fault::HoldBefore(gate.clone())),
            Self::PushHangsAfter => push.with(Fault::HoldAfter(gate.clone())),
            Self::Queued | Self::Booting | Self::Silent | Self::Running => return None,
        };
        scene.clever.git_faults().inject(rule);
        Some(gate)
    }

    /// Until it has come, and the service has only just looked and found nothing: its next look is
    /// as far away as it can be.
    fn wait(self, scene: &Scene, job: JobId, gate: Option<&Gate>) {
        if let Some(gate) = gate {
            assert!(gate.wait_reached(PATIENCE), "{self:?}: no push");
        }
        match self {
            Self::AwaitingRepository => scene.await_phase(job, AppPhase::Created),
            Self::PushHangsBefore | Self::PushesHang => {}
            Self::PushHangsAfter => scene.await_phase(job, AppPhase::Running),
            Self::Queued => await_look(scene, AppPhase::Pushed, "PATCH", "/trace"),
            Self::Booting => await_look(scene, AppPhase::Booting, "PATCH", "/trace"),
            Self::Silent => await_look(scene, AppPhase::Running, "PATCH", "/trace"),
            // The machine's own runner never makes that call.
            Self::Running => await_look(scene, AppPhase::Running, "GET", "/api/v4/job"),
        }
    }
}

/// Waits until the scene's only job was looked at in this phase.
fn await_look(scene: &Scene, phase: AppPhase, method: &str, path: &str) {
    let looked = scene.journal.wait_for(PATIENCE, |entries| {
        let reached = entries.iter().position(|entry| match entry.kind {
            Kind::Application { state, .. } => state == phase,
            _ => false,
        });
        entries[reached?..].iter().find_map(|entry| {
            let Kind::Request {
                method: by,
                path: at,
                ..
            } = &entry.kind
            else {
                return None;
            };
            (by == method && at.ends_with(path)).then_some(())
        })
    });
    looked.unwrap_or_else(|| scene.give_up(&format!("no look while {phase:?}")));
}

/// With the pauses between two looks that an operator gets who doesn't set any.
pub fn start(scene: &Scene) -> Service {
    scene.start_changed(&[
        ("job_progress_poll_interval = 0.2\n", ""),
        (
            "[runners.paas_job_trace_watch]\npoll_step = 0.1\ntimeout_seconds = 30\n",
            "",
        ),
    ])
}

/// Returns when that was.
fn end_job(scene: &Scene, job: JobId, end: End) -> Instant {
    let now = Instant::now();
    match end {
        End::Canceled | End::Canceling => scene.coordinator.cancel(job),
        End::Dropped => scene.coordinator.drop_job(job),
        End::Erased => scene.coordinator.erase(job),
    }
    now
}

#[test]
fn a_canceled_job_loses_its_machine_within_a_billing_step_whatever_goes_on() {
    let mut cases: Vec<_> = Moment::ALL.map(|moment| (moment, End::Canceled)).into();
    // Once its own runner has begun, that one ends a job which is `canceling`.
    let before = Moment::ALL.into_iter().filter(|it| *it != Moment::Running);
    cases.extend(before.map(|moment| (moment, End::Canceling)));
    all_lose_their_machine(&cases);
}

#[test]
fn a_job_that_an_administrator_ends_or_erases_loses_its_machine_as_soon() {
    all_lose_their_machine(&[
        (Moment::AwaitingRepository, End::Dropped),
        (Moment::AwaitingRepository, End::Erased),
        (Moment::PushHangsBefore, End::Dropped),
        (Moment::Queued, End::Erased),
        (Moment::Running, End::Erased),
        (Moment::Booting, End::Dropped),
        (Moment::Running, End::Dropped),
    ]);
}

/// At the same time, for most of it is waiting.
fn all_lose_their_machine(cases: &[(Moment, End)]) {
    thread::scope(|scope| {
        for &(moment, end) in cases {
            scope.spawn(move || loses_its_machine(moment, end));
        }
    });
}

fn loses_its_machine(moment: Moment, end: End) {
    let how = format!("{moment:?}, {end:?}");
    let graceful = end == End::Canceling;
    let mut scene = Scene::with(|it| it.cancel_gracefully = Some(graceful), |_| {});
    let gate = moment.prepare(&mut scene);
    let service = start(&scene);
    let job = scene.submit("unwanted", "true");
    moment.wait(&scene, job, gate.as_ref());
    let ended = end_job(&scene, job, end);
    scene.await_phase(job, AppPhase::Deleted);
    let reached = phases(&scene, job);
    let deleted = reached.iter().find(|it| it.0 == AppPhase::Deleted);
    let took = deleted.unwrap().1.duration_since(ended);
    let log = service.whole_log();
    let settles = if end == End::Erased {
        SETTLED_WITHIN
    } else {
        Duration::ZERO
    };
    assert!(took <= NOTICED_WITHIN + settles, "{how}: {took:?}\n{log}");
    scene.await_no_machines();
    service.await_log("is gone, after");
    assert_told(&scene.coordinator.job(job), end, &how);
    scene.assert_no_complaints();
    if let Some(gate) = gate {
        let_pushes_through(&scene, &gate);
    }
    let late = phases(&scene, job).into_iter().filter(|it| it.1 > ended);
    let late: Vec<_> = late.map(|(phase, _)| phase).collect();
    let nothing_begins = !late.contains(&AppPhase::Pushed) && !late.contains(&AppPhase::Booting);
    assert!(nothing_begins, "{how}: {late:?}\n{}", service.whole_log());
}

/// What was on its way to the git remote when the push was given up arrives there after all.
fn let_pushes_through(scene: &Scene, gate: &Gate) {
    let pushes = || {
        let is_push = |path: &str| path.ends_with("/git-receive-pack");
        scene.journal.count_requests("POST", is_push)
    };
    let before = pushes();
    gate.open();
    assert!(scene.journal.wait_until(PATIENCE, || pushes() > before));
}

/// What became of the job's application, and when.
fn phases(scene: &Scene, job: JobId) -> Vec<(AppPhase, Instant)> {
    let wanted = scene.machine_name(job);
    let entries = scene.journal.entries().into_iter();
    let phases = entries.filter_map(|entry| match entry.kind {
        Kind::Application { name, state } if name == wanted => Some((state, entry.at)),
        _ => None,
    });
    phases.collect()
}

/// A coordinator that is done with a job is told nothing; one that waits for a word gets it, once.
fn assert_told(job: &JobView, end: End, how: &str) {
    let verdicts = job.verdicts();
    let words = job
        .log()
        .matches("The job was canceled before it started.")
        .count();
    if end == End::Canceling {
        assert_eq!((verdicts.len(), words), (1, 1), "{how}: {:?}", job.calls);
        assert_eq!(job.status, JobStatus::Canceled, "{how}");
    } else {
        assert_eq!((verdicts.len(), words), (0, 0), "{how}: {:?}", job.calls);
    }
}

/// A job that was canceled while all creations were refused, as by an overloaded platform; and when.
fn canceled_while_creations_fail() -> (Scene, Service, JobId, Instant) {
    let scene = Scene::new();
    let refuse = Rule::on("POST", "*/applications").always();
    scene.clever.faults().inject(refuse.with(Fault::html(503)));
    let service = start(&scene);
    let job = scene.submit("unwanted", "true");
    service.await_log("trying again in");
    let ended = end_job(&scene, job, End::Canceled);
    (scene, service, job, ended)
}

#[test]
fn nothing_is_created_for_a_job_that_was_canceled_while_creations_failed() {
    let (scene, service, job, ended) = canceled_while_creations_fail();
    service.await_log("over: the coordinator says that it is canceled");
    assert!(ended.elapsed() <= NOTICED_WITHIN, "{:?}", ended.elapsed());
    scene.clever.faults().clear();
    let next = scene.submit("next", "true");
    assert_eq!(scene.await_end(next).status, JobStatus::Success);
    service.await_log(&format!("machine {} is gone", scene.machine_name(job)));
    assert!(scene.machine(job).is_none(), "{}", service.whole_log());
    scene.await_no_machines();
    scene.assert_no_complaints();
}

/// Whether the creation then comes before the cancellation is noticed is a matter of luck.
#[test]
fn nothing_boots_for_a_job_that_was_canceled_when_creations_began_to_work_again() {
    let (scene, service, job, ended) = canceled_while_creations_fail();
    scene.clever.faults().clear();
    service.await_log("over: the coordinator says that it is canceled");
    assert!(ended.elapsed() <= NOTICED_WITHIN, "{:?}", ended.elapsed());
    service.await_log(&format!("machine {} is gone", scene.machine_name(job)));
    scene.await_no_machines();
    let boots = phases(&scene, job).into_iter();
    let boots = boots.filter(|(phase, _)| *phase == AppPhase::Booting);
    assert_eq!(boots.count(), 0, "{}", service.whole_log());
}
