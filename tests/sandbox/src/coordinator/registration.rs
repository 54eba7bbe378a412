//! `POST /runners`, `POST /runners/verify` and `DELETE /runners`: how a runner gets its token, asks if
//! it is good, and is forgotten.

use serde_json::{Value, json};

use super::Registration;
use super::known::{REGISTRATION, VERIFICATION};
use super::reply::{Params, Reply, invalid, message, refusal};
use super::routes::{call, check_body};
use super::runner::{Runner, RunnerSpec};
use super::settings::Era;
use super::tokens;
use super::world::World;
use crate::http::{Request, Response};

const SHORTEST_TIMEOUT: i64 = 600;

pub fn register(world: &World, request: &Request) -> Reply {
    let params = Params::of(request)?;
    check_body(world, request, &REGISTRATION, &params);
    let given = params.required("token")?;
    check_values(&params)?;
    if given.starts_with("glrt-") {
        world.complain(format!(
            "{}: a runner's token, not for registering",
            call(request)
        ));
    }
    let Some(wanted) = &world.settings.registration_token else {
        let reason = "runner registration disallowed";
        return Err(Response::json(
            410,
            &json!({"message": "410 Gone", "reason": reason}),
        ));
    };
    if given != wanted {
        return Err(message(403, "403 Forbidden - invalid token supplied"));
    }
    let token = tokens::runner_token();
    let mut state = world.lock();
    let id = state.runners.len() as u64 + 1;
    let mut runner = Runner::new(id, RunnerSpec::new(&token));
    runner.paused =
        params.boolean("paused")? == Some(true) || params.boolean("active")? == Some(false);
    runner.spec.run_untagged = params.boolean("run_untagged")?.unwrap_or(true);
    runner.spec.tags = params.list("tag_list")?;
    state.runners.push(runner);
    state.registrations.push(Registration {
        body: Value::Object(params.0),
        token: token.clone(),
    });
    let answer = json!({"id": id, "token": token, "token_expires_at": null});
    Ok(Response::json(201, &answer))
}

fn check_values(params: &Params) -> Result<(), Response> {
    if params.0.contains_key("active") && params.0.contains_key("paused") {
        return Err(invalid("active, paused are mutually exclusive"));
    }
    let timeout = params.integer("maximum_timeout")?;
    if timeout.is_some_and(|timeout| timeout < SHORTEST_TIMEOUT) {
        return Err(invalid("maximum_timeout needs to be at least 10 minutes"));
    }
    let level = params.string("access_level")?;
    match level {
        None | Some("not_protected" | "ref_protected") => Ok(()),
        Some(_) => Err(invalid("access_level does not have a valid value")),
    }
}

pub fn verify(world: &World, request: &Request) -> Reply {
    let params = Params::of(request)?;
    check_body(world, request, &VERIFICATION, &params);
    let token = params.required("token")?;
    let mut state = world.lock();
    let runner = state.runner(token).ok_or_else(|| refusal(403, None))?;
    Ok(match world.settings.era {
        Era::Before17 => Response::text(200, "200"),
        Era::Current => Response::json(
            200,
            &json!({
                "id": runner.id,
                "token": token,
                "token_expires_at": runner.spec.token_ends.map(|at| crate::times::iso_of_ms(at * 1000)),
            }),
        ),
    })
}

/// For everybody who has this token.
pub fn unregister(world: &World, request: &Request) -> Reply {
    let params = Params::of(request)?;
    check_body(world, request, &VERIFICATION, &params);
    let token = params.required("token")?;
    let mut state = world.lock();
    let before = state.runners.len();
    state.runners.retain(|runner| runner.spec.token != token);
    if state.runners.len() == before {
        return Err(refusal(403, None));
    }
    Ok(Response::empty(204))
}
