//! Calls about applications and their environments. Clever page, 3.2 to 3.6.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::model::{AppState, Application, Shown};
use super::render::{message, no_such_application, render_env, render_hosts};
use super::wanted;
use super::world::{Deletion, State, World};
use crate::http::{Request, Response};
use crate::journal::Source;

/// All of the organization's applications, those on their way out included, those created just
/// now perhaps not yet.
pub(super) fn list(world: &World, organization: &str) -> Response {
    let mut state = world.state();
    let lag = world.latencies.list_lag;
    let belongs = |application: &Application| {
        application.organization == organization && application.state != AppState::Gone
    };
    for application in state.applications.iter_mut().filter(|it| belongs(it)) {
        application.shown = match application.shown {
            _ if application.created.elapsed() >= lag => Shown::Listed,
            Shown::Listed => Shown::Listed,
            Shown::NoListYet | Shown::Hidden => Shown::Hidden,
        };
    }
    let listed = state.applications.iter().filter(|it| belongs(it));
    let list: Vec<Value> = listed
        .filter(|application| application.shown == Shown::Listed)
        .map(|application| {
            let mut object = world.render(&state, application);
            if state.quirks.lists_without_env
                && let Some(fields) = object.as_object_mut()
            {
                fields.remove("env");
            }
            object
        })
        .collect();
    drop(state);
    Response::json(200, &list.into())
}

pub(super) fn create(
    world: &Arc<World>,
    organization: &str,
    request: &Request,
    asked: Instant,
) -> Response {
    let Some(body) = request.json() else {
        return wanted::invalid("body", "not JSON");
    };
    let read = {
        let mut state = world.state();
        if state
            .quirks
            .creations_at_once
            .is_some_and(|limit| state.creations_under_way >= limit)
        {
            return message(
                503,
                -500,
                "Error from provider: [<html>503 Service Unavailable</html>]",
            );
        }
        state.creations_under_way += 1;
        wanted::new_application(&body, &state)
    };
    let response = read.map_or_else(
        |refusal| refusal,
        |(spec, odd)| {
            complain(world, odd);
            match world.create(organization, spec, asked) {
                Ok(id) => show(world, &id),
                Err(_) => Response::empty(503),
            }
        },
    );
    world.state().creations_under_way -= 1;
    response
}

/// `None` when there is no such call.
pub(super) fn handle(
    world: &Arc<World>,
    request: &Request,
    id: &str,
    rest: &[&str],
) -> Option<Response> {
    Some(match (request.method.as_str(), rest) {
        ("GET", []) => show(world, id),
        ("PUT", []) => change(world, id, request),
        ("DELETE", []) => delete(world, id),
        ("GET", ["env"]) => with(world, id, |_, application| {
            Response::json(200, &render_env(application))
        }),
        // Nothing can be linked to an application here.
        ("GET", ["addons" | "dependencies", "env"]) => {
            with(world, id, |_, _| Response::json(200, &json!([])))
        }
        ("GET", ["vhosts"]) => with(world, id, |_, application| {
            Response::json(200, &render_hosts(&application.id))
        }),
        ("GET", ["vhosts", "favourite"]) => with(world, id, |_, _| {
            message(404, 4021, "This application has no favourite domain")
        }),
        ("PUT", ["env"]) => replace_environment(world, id, request),
        ("PUT", ["env", name]) => set_variable(world, id, name, request),
        ("DELETE", ["env", name]) => {
            if let Some(application) = world.state().application(id) {
                application.spec.env.remove(*name);
            }
            show(world, id)
        }
        ("GET", ["branches"]) => with(world, id, |_, application| {
            let branches: Vec<&str> = application.commit.iter().map(|_| "master").collect();
            Response::json(200, &branches.into())
        }),
        _ => return None,
    })
}

/// An answer made of an application, or that there is none.
pub(super) fn with(
    world: &World,
    id: &str,
    answer: impl FnOnce(&State, &Application) -> Response,
) -> Response {
    let state = world.state();
    let mut applications = state.applications.iter();
    applications
        .find(|application| application.id == id && application.state != AppState::Gone)
        .map_or_else(no_such_application, |application| {
            answer(&state, application)
        })
}

fn show(world: &World, id: &str) -> Response {
    with(world, id, |state, application| {
        Response::json(200, &world.render(state, application))
    })
}

fn change(world: &World, id: &str, request: &Request) -> Response {
    let Some(body) = request.json() else {
        return wanted::invalid("body", "not JSON");
    };
    let odd = {
        let mut state = world.state();
        let Some(old) = state
            .application(id)
            .map(|application| application.spec.clone())
        else {
            return no_such_application();
        };
        match wanted::changed_application(&body, &old, &state) {
            Ok((spec, odd)) => {
                if let Some(application) = state.application(id) {
                    application.spec = spec;
                }
                odd
            }
            Err(refusal) => return refusal,
        }
    };
    complain(world, odd);
    show(world, id)
}

fn delete(world: &Arc<World>, id: &str) -> Response {
    let repeated_is_404 = world.state().quirks.second_deletion_not_found;
    match world.delete(id) {
        Some(Deletion::Repeated) if repeated_is_404 => no_such_application(),
        Some(Deletion::Done | Deletion::Repeated) => message(200, 302, "deleted"),
        None => no_such_application(),
    }
}

/// Replaces all of it, and answers with the whole application.
fn replace_environment(world: &World, id: &str, request: &Request) -> Response {
    let body = request.json().unwrap_or_default();
    let environment = match wanted::environment(&body) {
        Ok(environment) => environment,
        Err(refusal) => return refusal,
    };
    let bad = wanted::bad_names(&environment);
    if !bad.is_empty() {
        if request.parameter("check").as_deref() == Some("true") {
            return wanted::invalid_environment(&bad);
        }
        let what = format!(
            "variables with names that no shell takes: {}",
            bad.join(" ")
        );
        complain(world, vec![what]);
    }
    let mut too_late = Vec::new();
    if let Some(application) = world.state().application(id) {
        if application.commit.is_some() {
            let name = &application.spec.name;
            too_late.push(format!(
                "{name}: its machine does not see variables set after the push"
            ));
        }
        application.spec.env = environment;
    }
    complain(world, too_late);
    show(world, id)
}

fn set_variable(world: &World, id: &str, name: &str, request: &Request) -> Response {
    let body = request.json().unwrap_or_default();
    let Some(value) = body["value"].as_str() else {
        return wanted::invalid("value", "a string is expected");
    };
    if let Some(application) = world.state().application(id) {
        application
            .spec
            .env
            .insert(name.to_owned(), value.to_owned());
    }
    show(world, id)
}

fn complain(world: &World, odd: Vec<String>) {
    for what in odd {
        world.complain(Source::Clever, what);
    }
}
