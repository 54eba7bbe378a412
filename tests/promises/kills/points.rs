//! The steps of a job's life at which the program is killed.

use sandbox::AppPhase;

use super::Course::{self, Later, Long, NoFlavor, RefusedPush, Usual};
use super::Server::{Api, Coordinator, Git};
use super::{Moment, Server, Side, Written};

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
        side,
    }
}

const fn before(server: Server, method: &'static str, path: &'static str) -> Moment {
    request(server, method, path, Side::Before)
}

const fn after(server: Server, method: &'static str, path: &'static str) -> Moment {
    request(server, method, path, Side::After)
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
pub const TO_THE_COORDINATOR: [Point; 10] = [
    at("before PUT running", Usual, before(Coordinator, "PUT", JOB)),
    at("after PUT running", Usual, after(Coordinator, "PUT", JOB)),
    at("before the probe", Usual, before(Coordinator, "PATCH", LOG)),
    at("after the probe", Usual, after(Coordinator, "PATCH", LOG)),
    at("before the look", Long, before(Coordinator, "GET", LOOK)),
    at("after the look", Long, after(Coordinator, "GET", LOOK)),
    at(
        "before the words",
        NoFlavor,
        before(Coordinator, "PATCH", LOG),
    ),
    at(
        "after the words",
        NoFlavor,
        after(Coordinator, "PATCH", LOG),
    ),
    // The first PUT says that we have the job.
    at(
        "before PUT failed",
        NoFlavor,
        before(Coordinator, "PUT", "second"),
    ),
    at(
        "after PUT failed",
        NoFlavor,
        after(Coordinator, "PUT", "second"),
    ),
];

/// Some twice: the second time there is a failure to tell as well.
pub const TO_CLEVER_CLOUD: [Point; 16] = [
    at("before GET flavors", Usual, before(Api, "GET", FLAVORS)),
    at("after GET flavors", Usual, after(Api, "GET", FLAVORS)),
    at(
        "before the search for orphans",
        Later,
        before(Api, "GET", ALL),
    ),
    at("before GET instances", Usual, before(Api, "GET", INSTANCES)),
    at("after GET instances", Usual, after(Api, "GET", INSTANCES)),
    at("before POST application", Usual, before(Api, "POST", ALL)),
    at("after POST application", Usual, after(Api, "POST", ALL)),
    at("before GET application", Usual, before(Api, "GET", ONE)),
    at("after GET application", Usual, after(Api, "GET", ONE)),
    at("before GET info/refs", Usual, before(Git, "GET", REFS)),
    at("after GET info/refs", Usual, after(Git, "GET", REFS)),
    at("before the push", Usual, before(Git, "POST", PACK)),
    at("after the push", Usual, after(Git, "POST", PACK)),
    at("before DELETE", Usual, before(Api, "DELETE", ONE)),
    at("after DELETE", Usual, after(Api, "DELETE", ONE)),
    at(
        "after DELETE of a failure",
        RefusedPush,
        after(Api, "DELETE", ONE),
    ),
];

/// An event is logged a moment before the state file is written, and seen in it a moment after.
pub const AROUND_THE_STATE_FILE: [Point; 13] = [
    at(
        "provisioned, unwritten",
        Usual,
        Moment::Line("is provisioned"),
    ),
    at(
        "pushed, unwritten",
        Usual,
        Moment::Line("handed over; waiting"),
    ),
    at(
        "running, unwritten",
        Usual,
        Moment::Line("running, seen after"),
    ),
    at("over, unwritten", Usual, Moment::Line("over: ")),
    at("gone, unwritten", Usual, Moment::Line("is gone, after")),
    at(
        "failed, unwritten",
        NoFlavor,
        Moment::Line("failed to launch"),
    ),
    at("told, unwritten", NoFlavor, Moment::Line("have been told")),
    at("granted, written", Usual, Moment::File(Written::Granted)),
    at(
        "provisioned, written",
        Usual,
        Moment::File(Written::Provisioned),
    ),
    at("pushed, written", Usual, Moment::File(Written::Pushed)),
    at("running, written", Usual, Moment::File(Written::Running)),
    at("over, written", Usual, Moment::File(Written::Ended)),
    at("finished, written", Usual, Moment::File(Written::Finished)),
];

/// A git that was started goes on when its parent is killed.
pub const AROUND_GIT: [Point; 6] = [
    at("before git init", Usual, Moment::Git("init", Side::Before)),
    at("after git init", Usual, Moment::Git("init", Side::After)),
    at(
        "before git fast-import",
        Usual,
        Moment::Git("fast-import", Side::Before),
    ),
    at(
        "after git fast-import",
        Usual,
        Moment::Git("fast-import", Side::After),
    ),
    at("before git push", Usual, Moment::Git("push", Side::Before)),
    at("after git push", Usual, Moment::Git("push", Side::After)),
];

pub const WHILE_THE_MACHINE: [Point; 5] = [
    at("is ordered", Usual, Moment::Machine(AppPhase::Pushed)),
    at("boots", Usual, Moment::Machine(AppPhase::Booting)),
    at("runs", Usual, Moment::Machine(AppPhase::Running)),
    at("has ended", Usual, Moment::Machine(AppPhase::Exited)),
    at("is deleted", Usual, Moment::Machine(AppPhase::Deleted)),
];
