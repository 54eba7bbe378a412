//! Calls about deployments and instances. Clever page, 3.7, 3.8 and 7.1.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::applications::with;
use super::model::AppState;
use super::render::{message, render_deployment, render_deployments, render_instance};
use super::world::World;
use crate::http::{Request, Response};

/// `None` when there is no such call.
pub(super) fn handle(
    world: &Arc<World>,
    request: &Request,
    id: &str,
    rest: &[&str],
) -> Option<Response> {
    Some(match (request.method.as_str(), rest) {
        ("GET", ["deployments"]) => with(world, id, |_, application| {
            let mut list = render_deployments(application);
            list.truncate(limit(request).unwrap_or(10));
            Response::json(200, &list.into())
        }),
        ("GET", ["deployments", uuid]) => one(world, id, uuid),
        ("DELETE", ["deployments", uuid, "instances"]) => cancel(world, id, Some(uuid)),
        ("GET", ["instances"]) => instances(world, request, id),
        ("POST", ["instances"]) => redeploy(world, id),
        ("DELETE", ["instances"]) => cancel(world, id, None),
        _ => return None,
    })
}

/// Deployments of all the organization's applications: an object, keyed by application.
pub(super) fn of_all(world: &World, organization: &str, request: &Request) -> Response {
    let state = world.state();
    let mut all = Map::new();
    let applications = state.applications.iter();
    for application in applications.filter(|it| it.organization == organization) {
        let mut list = render_deployments(application);
        list.truncate(limit(request).unwrap_or(10));
        if application.state != AppState::Gone && !list.is_empty() {
            all.insert(application.id.clone(), list.into());
        }
    }
    drop(state);
    Response::json(200, &Value::Object(all))
}

fn limit(request: &Request) -> Option<usize> {
    request.parameter("limit")?.parse().ok()
}

fn one(world: &World, id: &str, uuid: &str) -> Response {
    with(world, id, |_, application| {
        let mut deployments = application.deployments.iter().enumerate();
        deployments
            .find(|(_, deployment)| deployment.visible && deployment.uuid == uuid)
            .map_or_else(no_such_deployment, |(number, deployment)| {
                Response::json(200, &render_deployment(number, deployment))
            })
    })
}

fn no_such_deployment() -> Response {
    message(404, 4004, "The deployment can't be found.")
}

fn instances(world: &World, request: &Request, id: &str) -> Response {
    let of = request.parameter("deploymentId");
    let with_deleted = request.parameter("withDeleted").is_some();
    with(world, id, |_, application| {
        let listed = application.instances.iter().filter(|instance| {
            let deployment = &application.deployments[instance.deployment];
            (with_deleted || instance.ended.is_none())
                && of.as_ref().is_none_or(|of| *of == deployment.uuid)
        });
        let list: Value = listed
            .map(|instance| render_instance(application, instance))
            .collect();
        Response::json(200, &list)
    })
}

/// Deploys the last commit once more.
fn redeploy(world: &Arc<World>, id: &str) -> Response {
    let never_pushed = || {
        message(
            400,
            4014,
            "You cannot redeploy an application that was never deployed; did you git push?",
        )
    };
    world
        .deploy(id, "redeploy")
        .map_or_else(never_pushed, |uuid| {
            let body = json!({
                "id": 320,
                "message": "The application has successfully been queued for redeploy.",
                "type": "success",
                "deploymentId": uuid,
            });
            Response::json(200, &body)
        })
}

/// Stops the machine, whatever it does, when it works on `uuid` (or on anything).
fn cancel(world: &World, id: &str, uuid: Option<&&str>) -> Response {
    let mut state = world.state();
    let Some(application) = state.application(id) else {
        return super::render::no_such_application();
    };
    let mut deployments = application.deployments.iter();
    let is_meant =
        deployments.any(|it| !it.state.is_over() && uuid.is_none_or(|uuid| it.uuid == **uuid));
    if uuid.is_some() && !is_meant {
        return message(400, 4004, "The deployment is over.");
    }
    application.queue.clear();
    application.machines.clear();
    message(200, 303, "The application has been stopped.")
}
