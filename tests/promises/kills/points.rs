//! The steps of a job's life at which the program is killed.

use sandbox::AppPhase;

use super::Course::{self, Held, Later, Long, NoFlavor, RefusedPush, RoomAtLast, Usual};
use super::Moment::{self, File, Git as GitStep, Line, Machine};
use super::Server::{Api, Coordinator, Git};
use super::Side::{self, After, Before};
use super::{Server, Written};

pub struct Point {
    pub name: &'static str,
    pub course: Course,
    pub moment: Moment,
}

const fn at(name: &'static str, course: Course, moment: Moment) -> Point {
    Point {
        name,
        course,
        moment,
    }
}

const fn request(server: Server, method: &'static str, path: &'static str, side: Side) -> Moment {
    Moment::Request {
        server,
        method,
        path,
        skipped: 0,
        side,
    }
}

const fn before(server: Server, method: &'static str, path: &'static str) -> Moment {
    request(server, method, path, Before)
}

const fn after(server: Server, method: &'static str, path: &'static str) -> Moment {
    request(server, method, path, After)
}

/// The one after the first.
const fn second(moment: Moment) -> Moment {
    match moment {
        Moment::Request {
            server,
            method,
            path,
            side,
            ..
        } => Moment::Request {
            server,
            method,
            path,
            skipped: 1,
            side,
        },
        other => other,
    }
}

const JOB: &str = "*/jobs/8*";
const LOG: &str = "*/jobs/*/trace";
const LOOK: &str = "/api/v4/job";
const FLAVORS: &str = "*/products/flavors*";
const INSTANCES: &str = "*/products/instances";
const ALL: &str = "*/applications";
const ONE: &str = "*/applications/app_*";
const REFS: &str = "*/info/refs*";
const PACK: &str = "*git-receive-pack";

/// Before a request has its effect, and after that but before its answer is here.
#[rustfmt::skip]
pub const TO_THE_COORDINATOR: &[Point] = &[
    at("before PUT running", Usual,    before(Coordinator, "PUT", JOB)),
    at("after PUT running",  Usual,    after(Coordinator, "PUT", JOB)),
    at("before the probe",   Usual,    before(Coordinator, "PATCH", LOG)),
    at("after the probe",    Usual,    after(Coordinator, "PATCH", LOG)),
    at("before the look",    Long,     before(Coordinator, "GET", LOOK)),
    at("after the look",     Long,     after(Coordinator, "GET", LOOK)),
    at("before the words",   NoFlavor, before(Coordinator, "PATCH", LOG)),
    at("after the words",    NoFlavor, after(Coordinator, "PATCH", LOG)),
    // The first PUT says that we have the job.
    at("before PUT failed",  NoFlavor, second(before(Coordinator, "PUT", JOB))),
    at("after PUT failed",   NoFlavor, second(after(Coordinator, "PUT", JOB))),
];

/// Some twice: the second time there is a failure to tell as well.
#[rustfmt::skip]
pub const TO_CLEVER_CLOUD: &[Point] = &[
    at("before GET flavors",            Usual,       before(Api, "GET", FLAVORS)),
    at("after GET flavors",             Usual,       after(Api, "GET", FLAVORS)),
    at("before the search for orphans", Later,       before(Api, "GET", ALL)),
    at("before GET instances",          Usual,       before(Api, "GET", INSTANCES)),
    at("after GET instances",           Usual,       after(Api, "GET", INSTANCES)),
    at("before POST application",       Usual,       before(Api, "POST", ALL)),
    at("after POST application",        Usual,       after(Api, "POST", ALL)),
    at("before GET application",        Usual,       before(Api, "GET", ONE)),
    at("after GET application",         Usual,       after(Api, "GET", ONE)),
    at("before GET info/refs",          Usual,       before(Git, "GET", REFS)),
    at("after GET info/refs",           Usual,       after(Git, "GET", REFS)),
    at("before the push",               Usual,       before(Git, "POST", PACK)),
    at("after the push",                Usual,       after(Git, "POST", PACK)),
    at("before GET refs of a failure",  RefusedPush, before(Git, "GET", REFS)),
    at("after a declined push",         RefusedPush, after(Git, "POST", PACK)),
    at("before DELETE",                 Usual,       before(Api, "DELETE", ONE)),
    at("after DELETE",                  Usual,       after(Api, "DELETE", ONE)),
    at("after DELETE of a failure",     RefusedPush, after(Api, "DELETE", ONE)),
];

/// An event is logged a moment before the state file is written, and seen in it a moment after.
#[rustfmt::skip]
pub const AROUND_THE_STATE_FILE: &[Point] = &[
    at("provisioned, unwritten", Usual,    Line("is provisioned")),
    at("pushed, unwritten",      Usual,    Line("handed over; waiting")),
    at("running, unwritten",     Long,     Line("running, seen after")),
    at("over, unwritten",        Usual,    Line("over: ")),
    at("gone, unwritten",        Usual,    Line("is gone, after")),
    at("failed, unwritten",      NoFlavor, Line("failed to launch")),
    at("told, unwritten",        NoFlavor, Line("have been told")),
    at("granted, written",       Usual,    File(Written::Granted)),
    at("provisioned, written",   Usual,    File(Written::Provisioned)),
    at("pushed, written",        Usual,    File(Written::Pushed)),
    at("running, written",       Long,     File(Written::Running)),
    at("over, written",          Usual,    File(Written::Ended)),
    at("finished, written",      Usual,    File(Written::Finished)),
];

/// It is on disk before it is held, and its machine has a weight only when there is room.
#[rustfmt::skip]
pub const WHILE_IT_IS_HELD: &[Point] = &[
    at("held, unwritten",                Held,       Line("held: its machine weighs")),
    at("held, written",                  Held,       File(Written::Granted)),
    at("room at last, before its POST",  RoomAtLast, second(before(Api, "POST", ALL))),
    at("room at last, after its POST",   RoomAtLast, second(after(Api, "POST", ALL))),
];

/// A git that was started hears that its parent is gone, and what it still says is read by nobody.
#[rustfmt::skip]
pub const AROUND_GIT: &[Point] = &[
    at("before git version",     Usual, GitStep("version", Before)),
    at("before git fast-import", Usual, GitStep("fast-import", Before)),
    at("after git fast-import",  Usual, GitStep("fast-import", After)),
    at("before git send-pack",   Usual, GitStep("send-pack", Before)),
    at("after git send-pack",    Usual, GitStep("send-pack", After)),
];

#[rustfmt::skip]
pub const WHILE_THE_MACHINE: &[Point] = &[
    at("is ordered", Usual, Machine(AppPhase::Pushed)),
    at("boots",      Usual, Machine(AppPhase::Booting)),
    at("runs",       Usual, Machine(AppPhase::Running)),
    at("has ended",  Usual, Machine(AppPhase::Exited)),
    at("is deleted", Usual, Machine(AppPhase::Deleted)),
];
