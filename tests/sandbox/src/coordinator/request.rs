//! `POST /jobs/request`: the long poll in front, the queue behind it.

use std::time::Instant;

use serde_json::{Map, Value};

use super::job::JobStatus;
use super::known::JOB_REQUEST;
use super::payload::lacking_feature;
use super::reply::{Params, Reply, invalid, refusal};
use super::routes::{call, check_body};
use super::runner::JobRequest;
use super::world::{Grant, State, World};
use crate::http::{Request, Response};

/// What the long poll takes.
const BODY_LIMIT: usize = 32 << 10;
/// What the journal says when a long poll begins to wait.
const HELD: &str = "a request for a job is held";
const SYSTEM_ID_LIMIT: usize = 64;

/// What a request says, checked.
struct Asked {
    token: String,
    system_id: Option<String>,
    last_update: Option<String>,
    features: Map<String, Value>,
}

pub fn request_job(world: &World, request: &Request) -> Reply {
    if world.settings.long_poll.is_some() && request.body.len() > BODY_LIMIT {
        return Err(Response::text(413, "Request Entity Too Large"));
    }
    let params = Params::of(request)?;
    check_body(world, request, &JOB_REQUEST, &params);
    let asked = Asked::read(&params)?;
    check_identity(world, request, &asked);
    let is_json = request.media_type().as_deref() == Some("application/json");
    let held = is_json && hold(world, &asked);
    let reply = if held {
        Response::empty(204)
    } else {
        scan(world, request, &asked)?
    };
    Ok(match world.settings.long_poll {
        Some(_) => reply.with("Gitlab-Ci-Builds-Polling", "yes"),
        None => reply,
    })
}

impl Asked {
    fn read(params: &Params) -> Result<Self, Response> {
        let system_id = params.string("system_id")?;
        if system_id.is_some_and(|id| id.len() > SYSTEM_ID_LIMIT) {
            return Err(invalid("system_id is too long (maximum is 64 characters)"));
        }
        let features = match params.object("info")?.and_then(|info| info.get("features")) {
            None => Map::new(),
            Some(Value::Object(features)) => features.clone(),
            Some(_) => return Err(invalid("info[features] is invalid")),
        };
        Ok(Self {
            token: params.required("token")?.to_owned(),
            system_id: system_id.map(str::to_owned),
            last_update: params.string("last_update")?.map(str::to_owned),
            features,
        })
    }

    fn announces(&self, feature: &str) -> bool {
        self.features.get(feature) == Some(&Value::Bool(true))
    }
}

/// The coordinator would take any of this; a good client has it right.
fn check_identity(world: &World, request: &Request, asked: &Asked) {
    let what = call(request);
    match asked.system_id.as_deref() {
        None => world.complain(format!("{what}: no system_id, so it shares `<legacy>`")),
        Some(id) if !is_system_id(id) => {
            world.complain(format!(
                "{what}: system_id `{id}` is not like s_0123456789ab"
            ));
        }
        Some(_) => {}
    }
    for (feature, value) in &asked.features {
        if !value.is_boolean() {
            world.complain(format!("{what}: feature `{feature}` is not a boolean"));
        }
    }
}

fn is_system_id(id: &str) -> bool {
    let tail = id.strip_prefix("s_").or_else(|| id.strip_prefix("r_"));
    tail.is_some_and(|tail| tail.len() == 12 && tail.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Holds a request whose `last_update` is still true. False when it goes on to the queue at once;
/// one that was held never does.
fn hold(world: &World, asked: &Asked) -> bool {
    let (Some(patience), Some(given)) = (world.settings.long_poll, &asked.last_update) else {
        return false;
    };
    let deadline = Instant::now() + patience;
    let mut state = world.lock();
    let is_still_true = |state: &mut State| {
        let runner = state.runner(&asked.token);
        runner.is_some_and(|runner| runner.last_update == *given)
    };
    if !is_still_true(&mut state) {
        return false;
    }
    let journal = &world.settings.journal;
    journal.note(world.source(), HELD);
    while is_still_true(&mut state) && !state.releases_held && Instant::now() < deadline {
        state = world.wait(state, Some(deadline));
    }
    true
}

fn scan(world: &World, request: &Request, asked: &Asked) -> Reply {
    let mut state = world.lock();
    let Some(runner) = state.runner(&asked.token) else {
        return Err(refusal(403, None));
    };
    runner.requests.push(JobRequest {
        at: Instant::now(),
        system_id: asked.system_id.clone(),
        last_update: asked.last_update.clone(),
        features: asked.features.clone(),
        headers: request.headers.clone(),
        connection: request.connection,
    });
    let last_update = runner.last_update.clone();
    let unchanged = asked.last_update.as_ref() == Some(&last_update);
    let payload = if runner.paused || unchanged {
        None
    } else {
        pick(world, &mut state, asked)
    };
    Ok(match payload {
        Some(payload) => Response::json(201, &payload),
        None => Response::empty(204).with("X-GitLab-Last-Update", last_update),
    })
}

/// The first job of the queue that this runner may take and can do. Those it can't do fail.
fn pick(world: &World, state: &mut State, asked: &Asked) -> Option<Value> {
    loop {
        let State { jobs, runners, .. } = &mut *state;
        let runner = runners
            .iter()
            .find(|runner| runner.spec.token == asked.token)?;
        let job = jobs
            .values_mut()
            .find(|job| job.is_queued() && runner.may_take(&job.spec))?;
        if let Some(feature) = lacking_feature(&job.spec, &asked.features) {
            let id = job.view.id;
            world.complain(format!("job {id} fails for lack of feature `{feature}`"));
            world.set_status(job, JobStatus::Failed, Some("runner_unsupported"));
            continue;
        }
        let id = job.view.id;
        let grant = Grant {
            runner_token: asked.token.clone(),
            system_id: asked.system_id.clone(),
            cancels_gracefully: asked.announces("cancel_gracefully"),
            acknowledges: asked.announces("two_phase_job_commit"),
        };
        return Some(world.grant(state, id, grant));
    }
}
