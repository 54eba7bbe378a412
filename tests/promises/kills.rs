//! Killed at any moment, the next start brings every job to its one end.

mod points;
mod random;
mod trap;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sandbox::{AppPhase, Fault, Hook, JobId, JobStatus, JobView};

use self::points::Point;
use self::trap::Trap;
use crate::scene::{PATIENCE, Scene};

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Such a request stands at a gate: the first behind those that are skipped.
    Request {
        server: Server,
        method: &'static str,
        path: &'static str,
        skipped: usize,
        side: Side,
    },
    /// This is in the log.
    Line(&'static str),
    /// The state file shows the job so far, at least.
    File(Written),
    /// The first such git process is held.
    Git(&'static str, Side),
    /// The job's machine is so far.
    Machine(AppPhase),
}

#[derive(Clone, Copy, Debug)]
enum Server {
    Coordinator,
    Api,
    Git,
}

/// Of the effect.
#[derive(Clone, Copy, Debug)]
enum Side {
    Before,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    Granted,
    Provisioned,
    Pushed,
    Running,
    Ended,
    Finished,
}

/// How the job's life would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Usual,
    /// It is queued only after the kill: before, its grant could be under way in that very moment.
    Later,
    /// It goes on until after the kill, so that it is certainly seen running.
    Long,
    /// It asks for what nobody offers: a failure without a machine.
    NoFlavor,
    /// Its push is declined: a failure with an application.
    RefusedPush,
    /// There is no room for it until after the kill.
    Held,
    /// It was held, and there is room before the kill.
    RoomAtLast,
}

impl Course {
    const fn flavor(self) -> &'static str {
        match self {
            Self::NoFlavor => "XXXL",
            Self::Held | Self::RoomAtLast => "3XL",
            Self::Usual | Self::Later | Self::Long | Self::RefusedPush => "XS",
        }
    }

    const fn fails(self) -> bool {
        matches!(self, Self::NoFlavor | Self::RefusedPush)
    }
}

#[test]
fn a_job_outlives_a_kill_around_each_request_to_the_coordinator() {
    killed_at_all(points::TO_THE_COORDINATOR);
}

#[test]
fn a_job_outlives_a_kill_around_each_request_to_clever_cloud() {
    killed_at_all(points::TO_CLEVER_CLOUD);
}

#[test]
fn a_job_outlives_a_kill_around_each_write_of_the_state_file() {
    killed_at_all(points::AROUND_THE_STATE_FILE);
}

#[test]
fn a_job_outlives_a_kill_while_it_is_held() {
    killed_at_all(points::WHILE_IT_IS_HELD);
}

#[test]
fn a_job_outlives_a_kill_around_each_git_process() {
    killed_at_all(points::AROUND_GIT);
}

#[test]
fn a_job_outlives_a_kill_while_its_machine_comes_and_goes() {
    killed_at_all(points::WHILE_THE_MACHINE);
}

/// A start soon after a kill asks for a job sooner than a living process would.
fn scene_of_kills() -> Scene {
    Scene::with(
        |coordinator| coordinator.shortest_rhythm = Duration::ZERO,
        |_| {},
    )
}

/// A few at the same time: most of a point's time is a job's patience with slow lists.
fn killed_at_all(points: &[Point]) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..points.len().min(8) {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    killed_at(point);
                }
            });
        }
    });
}

fn killed_at(point: &Point) {
    let Point {
        name,
        course,
        moment,
    } = *point;
    let mut scene = scene_of_kills();
    if course == Course::RefusedPush {
        scene
            .clever
            .set_quirks(|quirks| quirks.hook = Hook::Refuses);
    }
    if matches!(course, Course::Held | Course::RoomAtLast) {
        scene.quota_jobs = 1;
    }
    let trap = Trap::set(&mut scene, moment);
    let service = scene.start();
    if matches!(course, Course::Held | Course::RoomAtLast) {
        scene.submit_for("is in its way", &scene.lasting_script(), "XL");
        service.await_log("handed over");
    }
    let script = if course == Course::Long {
        scene.lasting_script()
    } else {
        "sleep 0.3".to_owned()
    };
    let submit = || scene.submit_for(name, &script, course.flavor());
    let early = (course != Course::Later).then(submit);
    if course == Course::RoomAtLast {
        service.await_log("held: its machine weighs");
        scene.let_end();
    }
    assert!(
        trap.wait(moment, &scene, &service, early.unwrap_or_default()),
        "{name} never comes: {}",
        service.whole_log()
    );
    let first_log = service.kill();
    trap.release();
    scene.let_end();
    let service = scene.start();
    let job = early.unwrap_or_else(submit);
    let ended = scene.await_end(job);
    scene.await_no_machines();
    scene.await_nothing_tracked(name);
    service.await_log("the quota is");
    let (exit, second_log) = service.stop();
    let logs = format!("{first_log}\nkilled {name}\n{second_log}");
    assert!(exit.success(), "{logs}");
    assert_one_end(&ended, course, &logs);
    if !course.fails() {
        scene.assert_started_once(job);
    }
    scene.assert_no_secret(&[ended], &logs);
    scene.assert_no_complaints_but_of_kills();
}

/// The verdict that the coordinator took; it refuses one that is told again.
fn assert_one_end(ended: &JobView, course: Course, logs: &str) {
    let verdicts = ended.verdicts();
    let taken = verdicts.iter().filter(|call| call.answered == 200).count();
    assert_eq!(taken, 1, "{:?}\n{logs}", ended.calls);
    let (status, words) = match course {
        Course::Usual | Course::Later | Course::Long | Course::Held | Course::RoomAtLast => {
            (JobStatus::Success, None)
        }
        Course::NoFlavor => (JobStatus::Failed, Some("this runner offers")),
        Course::RefusedPush => (JobStatus::Failed, Some("could not be handed over")),
    };
    assert_eq!(ended.status, status, "{logs}");
    if let Some(words) = words {
        let log = ended.log();
        assert_eq!(log.matches(words).count(), 1, "{log}\n{logs}");
    }
}

#[test]
fn a_job_that_comes_after_a_kill_during_the_request_for_it_is_not_lost() {
    let scene = Scene::new();
    let gate = scene.hold_job_request(Fault::HoldBefore);
    let service = scene.start();
    assert!(gate.wait_reached(PATIENCE));
    service.kill();
    gate.open();
    scene.await_that("the request has no end", || scene.count_job_requests() == 1);
    let job = scene.submit("granted later", "true");
    let _service = scene.start();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    scene.assert_started_once(job);
}

/// The one loss that no runner can avoid, and it is no more than that: the coordinator gives out
/// a job, and nobody is there any more to hear of it. GitLab fails it by itself after an hour.
#[test]
fn a_job_granted_to_a_dead_process_is_the_only_one_that_is_lost() {
    let scene = Scene::new();
    let gate = scene.hold_job_request(Fault::HoldAfter);
    let lost = scene.submit("lost", "true");
    let service = scene.start();
    assert!(gate.wait_reached(PATIENCE));
    service.kill();
    gate.open();
    let _service = scene.start();
    let next: JobId = scene.submit("next", "true");
    assert_eq!(scene.await_end(next).status, JobStatus::Success);
    scene.await_no_machines();
    let lost = scene.coordinator.job(lost);
    assert_eq!(lost.status, JobStatus::Running);
    assert!(lost.calls.is_empty(), "{:?}", lost.calls);
    assert!(scene.machine(lost.id).is_none());
}
