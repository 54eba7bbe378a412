//! Which call is which, and what holds for all of them: addresses, credentials, unknown fields.

use std::sync::Arc;

use super::known::Fields;
use super::lookup;
use super::registration::{register, unregister, verify};
use super::reply::{Params, Reply, invalid, refusal};
use super::request::request_job;
use super::trace::append;
use super::update::update;
use super::world::World;
use crate::http::{Passage, Request, Response, Service};
use crate::journal::Source;

/// The coordinator as its clients see it.
pub struct Front(pub Arc<World>);

/// Whose credentials belong to a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Runner,
    Job,
    User,
}

impl Service for Front {
    fn handle(&self, request: &Request) -> Response {
        let world = &self.0;
        world.settle(&mut world.lock());
        if request.header("User-Agent").is_none() {
            world.complain(format!("{}: no User-Agent", call(request)));
        }
        route(world, request).unwrap_or_else(|refusal| refusal)
    }

    fn source(&self) -> Source {
        self.0.source()
    }

    fn observe(&self, request: &Request, passage: Passage) {
        if request.method == "POST" && request.path.ends_with("/jobs/request") {
            let rhythm = self.0.settings.shortest_rhythm;
            let wrong = self.0.lock().asking.observe(request, passage, rhythm);
            if let Some(wrong) = wrong {
                self.0.complain(wrong);
            }
        }
    }
}

fn route(world: &World, request: &Request) -> Reply {
    let prefix = world.settings.relative_url.as_deref().unwrap_or_default();
    let below = request.path.strip_prefix(prefix);
    let Some(path) = below.and_then(|path| path.strip_prefix("/api/v4/")) else {
        return unknown(world, request);
    };
    // As routers do.
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let allow = |caller| check_credentials(world, request, caller);
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["jobs", "request"]) => {
            allow(Caller::Runner);
            request_job(world, request)
        }
        ("PUT", ["jobs", id]) => {
            allow(Caller::Job);
            update(world, number(id)?, request)
        }
        ("PATCH", ["jobs", id, "trace"]) => {
            allow(Caller::Job);
            append(world, number(id)?, request)
        }
        ("GET", ["job"]) => {
            allow(Caller::Job);
            lookup::job_of_token(world, request)
        }
        ("GET", ["projects", project, "jobs", id, "trace"]) => {
            allow(Caller::User);
            lookup::trace(world, request, project, number(id)?)
        }
        ("GET", ["projects", project, "jobs", id]) => {
            allow(Caller::User);
            lookup::job(world, request, project, number(id)?)
        }
        ("GET", ["groups", group, "custom_attributes"]) => {
            allow(Caller::User);
            lookup::attributes(world, request, group)
        }
        ("GET", ["groups", group, "custom_attributes", key]) => {
            allow(Caller::User);
            lookup::attribute(world, request, group, key)
        }
        ("GET", ["groups", .., "custom_attributes"]) => lookup::slashes_in_group(world, request),
        ("POST", ["runners"]) => {
            allow(Caller::Runner);
            register(world, request)
        }
        ("DELETE", ["runners"]) => {
            allow(Caller::Runner);
            unregister(world, request)
        }
        ("POST", ["runners", "verify"]) => {
            allow(Caller::Runner);
            verify(world, request)
        }
        ("GET", ["version"]) => {
            allow(Caller::User);
            lookup::version(world, request)
        }
        ("GET", ["runners", "router", "discovery"]) => Err(Response::empty(501)),
        _ => unknown(world, request),
    }
}

fn number(segment: &str) -> Result<u64, Response> {
    segment.parse().map_err(|_| invalid("id is invalid"))
}

fn unknown(world: &World, request: &Request) -> Reply {
    world.complain(format!("{}: there is no such call", call(request)));
    Err(refusal(404, None))
}

/// A credential that a call has no use for is one more place where it can leak.
fn check_credentials(world: &World, request: &Request, caller: Caller) {
    let places = [
        ("PRIVATE-TOKEN", vec![Caller::User]),
        ("JOB-TOKEN", vec![Caller::Job]),
        ("RUNNER-TOKEN", vec![Caller::Runner]),
        ("Authorization", vec![Caller::User, Caller::Job]),
    ];
    for (header, callers) in places {
        if request.header(header).is_some() && !callers.contains(&caller) {
            world.complain(format!(
                "{}: a {header} that it does not take",
                call(request)
            ));
        }
    }
    for parameter in ["token", "job_token", "private_token"] {
        if request.parameter(parameter).is_some() {
            let what = call(request);
            world.complain(format!(
                "{what}: a token in the address, where proxies log it"
            ));
        }
    }
}

/// Complains about fields that the API does not know, and about JSON that is not called so.
pub fn check_body(world: &World, request: &Request, fields: &Fields, params: &Params) {
    for field in fields.unknown(&params.0) {
        world.complain(format!("{}: unknown field `{field}`", call(request)));
    }
    if request.media_type().as_deref() != Some("application/json") {
        world.complain(format!(
            "{}: Content-Type is not application/json",
            call(request)
        ));
    }
}

/// For complaints.
pub fn call(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}
