//! Calls that only look: a job by its token, and what users may see.

use std::time::Instant;

use serde_json::{Value, json};

use super::Access;
use super::job::{Action, Job, JobId};
use super::payload::{PIPELINE, SHA};
use super::reply::{Reply, message, refusal};
use super::routes::call;
use super::world::{State, World};
use crate::http::{Request, Response, decode};
use crate::times::iso_of;

/// `GET /job`
pub fn job_of_token(world: &World, request: &Request) -> Reply {
    let in_query = request
        .parameter("job_token")
        .or_else(|| request.parameter("token"));
    let token = in_query
        .as_deref()
        .or_else(|| request.header("JOB-TOKEN"))
        .or_else(|| bearer(request))
        .ok_or_else(|| refusal(401, None))?;
    let mut state = world.lock();
    if state.users.contains_key(token) {
        return Err(message(404, "404 Job Not Found"));
    }
    let Some(job) = state.job_of_token(token) else {
        return Err(refusal(401, None));
    };
    let reply = look(job);
    job.remember(request, Action::Look, reply.status);
    Ok(reply)
}

fn look(job: &mut Job) -> Response {
    if !job.view.status.is_executing() && !job.is_waiting() {
        return refusal(401, None);
    }
    if job.lagging_looks > 0 {
        job.lagging_looks -= 1;
        return refusal(401, None);
    }
    Response::json(200, &describe(job))
}

/// `GET /projects/:id/jobs/:job_id`
pub fn job(world: &World, request: &Request, project: &str, id: JobId) -> Reply {
    let mut state = world.lock();
    let job = readable_job(&mut state, request, project, id)?;
    Ok(Response::json(200, &describe(job)))
}

/// `GET /projects/:id/jobs/:job_id/trace`
pub fn trace(world: &World, request: &Request, project: &str, id: JobId) -> Reply {
    let mut state = world.lock();
    let job = readable_job(&mut state, request, project, id)?;
    if job.view.trace.is_empty() && world.settings.missing_trace_is_404 {
        return Err(refusal(404, None));
    }
    let response = Response {
        status: 200,
        headers: Vec::new(),
        body: job.view.trace.clone(),
    };
    Ok(response.with("Content-Type", "text/plain").with(
        "Content-Disposition",
        format!("inline; filename=\"job_{id}.log\""),
    ))
}

/// `GET /version`, for any user.
pub fn version(world: &World, request: &Request) -> Reply {
    access(&world.lock(), request)?;
    Ok(Response::json(
        200,
        &json!({"version": "17.5.1", "revision": "a1b2c3"}),
    ))
}

/// `GET /groups/:id/custom_attributes`
pub fn attributes(world: &World, request: &Request, group: &str) -> Reply {
    let mut state = world.lock();
    let attributes = group_attributes(&mut state, request, group)?;
    let list = attributes
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}));
    Ok(Response::json(200, &list.collect()))
}

/// `GET /groups/:id/custom_attributes/:key`
pub fn attribute(world: &World, request: &Request, group: &str, key: &str) -> Reply {
    let mut state = world.lock();
    let attributes = group_attributes(&mut state, request, group)?;
    let key = decode(key);
    let value = attributes.get(&key).ok_or_else(|| refusal(404, None))?;
    Ok(Response::json(200, &json!({"key": key, "value": value})))
}

/// A group's path in an address must be one segment: its slashes are written `%2F`.
pub fn slashes_in_group(world: &World, request: &Request) -> Reply {
    world.complain(format!("{}: a `/` that is not encoded", call(request)));
    Err(refusal(404, None))
}

type Attributes = std::collections::BTreeMap<String, String>;

fn group_attributes<'a>(
    state: &'a mut State,
    request: &Request,
    group: &str,
) -> Result<&'a Attributes, Response> {
    let access = access(state, request)?;
    let attributes = state.groups.get(&decode(group));
    let attributes = attributes.ok_or_else(|| message(404, "404 Group Not Found"))?;
    match access {
        Access::Administrator => Ok(attributes),
        Access::Reporter | Access::Guest | Access::Stranger => Err(refusal(403, None)),
    }
}

fn readable_job<'a>(
    state: &'a mut State,
    request: &Request,
    project: &str,
    id: JobId,
) -> Result<&'a Job, Response> {
    let no_project = || message(404, "404 Project Not Found");
    let access = access(state, request)?;
    let path = state
        .project_path(&decode(project))
        .ok_or_else(no_project)?;
    match access {
        Access::Administrator | Access::Reporter => {}
        Access::Guest => return Err(refusal(403, None)),
        Access::Stranger => return Err(no_project()),
    }
    let job = state.job(id).filter(|job| job.view.project == path);
    job.ok_or_else(|| refusal(404, None))
}

fn access(state: &State, request: &Request) -> Result<Access, Response> {
    let token = request
        .header("PRIVATE-TOKEN")
        .or_else(|| bearer(request))
        .unwrap_or_default();
    let access = state.users.get(token).copied();
    access.ok_or_else(|| refusal(401, None))
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("Authorization")?.strip_prefix("Bearer ")
}

fn describe(job: &Job) -> Value {
    let time = |at: Option<Instant>| at.map(iso_of);
    json!({
        "id": job.view.id,
        "status": job.view.status.as_str(),
        "stage": job.spec.stage,
        "name": job.view.name,
        "ref": "main",
        "tag": false,
        "coverage": null,
        "allow_failure": job.spec.allow_failure,
        "created_at": iso_of(job.view.queued),
        "started_at": time(job.view.granted),
        "finished_at": time(job.view.finished),
        "erased_at": null,
        "duration": job.view.granted.map(|at| at.elapsed().as_secs_f64()),
        "queued_duration": 0.1,
        "user": {"id": 5, "username": "wile", "name": "Wile E."},
        "commit": {"id": SHA, "short_id": &SHA[..8], "title": "Fix the valve"},
        "pipeline": {"id": PIPELINE, "ref": "main", "sha": SHA, "status": "running"},
        "web_url": "",
        "project": {"ci_job_token_scope_enabled": false},
        "artifacts": [],
        "runner": null,
        "runner_manager": null,
        "artifacts_expire_at": null,
        "archived": false,
        "tag_list": job.spec.tags,
    })
}
