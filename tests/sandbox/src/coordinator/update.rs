//! `PUT /jobs/:id`: signs of life and verdicts.

use std::time::Instant;

use super::job::{Action, Job, JobId, JobStatus};
use super::known::{JOB_UPDATE, failure_reasons};
use super::reply::{Params, Reply, invalid, number, refusal};
use super::routes::{call, check_body};
use super::settings::Era;
use super::world::{State, World};
use crate::http::{Request, Response};

struct Update {
    state: String,
    failure_reason: Option<String>,
    exit_code: Option<i64>,
    /// Its sender says that it owns the whole log.
    has_checksum: bool,
    bytesize: Option<u64>,
}

pub fn update(world: &World, id: JobId, request: &Request) -> Reply {
    let params = Params::of(request)?;
    check_body(world, request, &JOB_UPDATE, &params);
    let token = token(world, request, &params)?;
    let update = Update::read(&params)?;
    check_verdict(world, request, &update);
    let mut state = world.lock();
    let job = authenticate(world, &mut state, id, token, request)?;
    let reply = decide(world, job, &update);
    let action = Action::Update {
        state: update.state,
        failure_reason: update.failure_reason,
        exit_code: update.exit_code,
    };
    job.remember(request, action, reply.status);
    Ok(reply)
}

/// The job that `token` and `id` name together. Not even that there is such a job is told.
pub fn authenticate<'a>(
    world: &World,
    state: &'a mut State,
    id: JobId,
    token: &str,
    request: &Request,
) -> Result<&'a mut Job, Response> {
    let job = state.jobs.get_mut(&id);
    match job.filter(|job| job.view.token == token) {
        Some(job) if !job.erased => Ok(job),
        Some(_) => Err(refusal(403, None)),
        None => {
            world.complain(format!("{}: the token is not that job's", call(request)));
            Err(refusal(403, None))
        }
    }
}

/// For a job that takes nothing any more, or not yet.
pub fn not_processing(world: &World, job: &Job) -> Response {
    let why = match world.settings.era {
        Era::Before17 => "Job is not running",
        Era::Current => "Job is not processing on runner",
    };
    refusal(403, Some(why)).with("Job-Status", job.view.status.as_str())
}

/// Older coordinators want the token in the body; the header alone is for newer ones.
fn token<'a>(world: &World, request: &'a Request, params: &'a Params) -> Result<&'a str, Response> {
    if let Some(token) = params.string("token")? {
        return Ok(token);
    }
    world.complain(format!("{}: no token in the body", call(request)));
    match (world.settings.era, request.header("JOB-TOKEN")) {
        (Era::Current, Some(token)) => Ok(token),
        _ => Err(invalid("token is missing")),
    }
}

impl Update {
    fn read(params: &Params) -> Result<Self, Response> {
        let output = params.object("output")?;
        let bytesize = output.and_then(|output| output.get("bytesize")?.as_u64());
        let has_checksum = output.is_some_and(|output| output.contains_key("checksum"));
        Ok(Self {
            state: params.string("state")?.unwrap_or_default().to_owned(),
            failure_reason: params.string("failure_reason")?.map(str::to_owned),
            exit_code: params.integer("exit_code")?,
            has_checksum: has_checksum || params.string("checksum")?.is_some(),
            bytesize,
        })
    }

    /// What is stored: unknown reasons are not.
    fn stored_reason(&self) -> &str {
        let reason = self.failure_reason.as_deref();
        reason
            .filter(|reason| failure_reasons().any(|known| known == *reason))
            .unwrap_or("unknown_failure")
    }
}

fn check_verdict(world: &World, request: &Request, update: &Update) {
    let what = call(request);
    match (update.state.as_str(), update.failure_reason.as_deref()) {
        ("failed", None) => world.complain(format!("{what}: failed without a failure_reason")),
        ("failed", Some(reason)) if update.stored_reason() != reason => {
            world.complain(format!("{what}: unknown failure_reason `{reason}`"));
        }
        ("running" | "success", Some(_)) => {
            world.complain(format!("{what}: a failure_reason for no failure"));
        }
        _ => {}
    }
}

fn decide(world: &World, job: &mut Job, update: &Update) -> Response {
    if job.is_waiting() {
        return acknowledge(world, job, &update.state);
    }
    if !job.view.status.is_executing() {
        return not_processing(world, job);
    }
    match update.state.as_str() {
        "running" => {
            world.touch(job);
            done(world, job)
        }
        "success" | "failed" => finish(world, job, update),
        _ => {
            let state = &update.state;
            world.complain(format!("state `{state}` for a job that is running"));
            refusal(400, Some("Unknown state"))
        }
    }
}

/// Two-phase commit: only an acknowledgement counts while a job waits for it.
fn acknowledge(world: &World, job: &mut Job, state: &str) -> Response {
    match state {
        "running" => {
            world.set_status(job, JobStatus::Running, None);
            done(world, job)
        }
        "pending" => {
            let patience = world.settings.two_phase.unwrap_or_default();
            job.waits_until = Some(Instant::now() + patience);
            world.wake();
            done(world, job)
        }
        _ => {
            world.complain(format!(
                "state `{state}` for a job that waits to be acknowledged"
            ));
            refusal(400, None)
        }
    }
}

fn finish(world: &World, job: &mut Job, update: &Update) -> Response {
    if update.has_checksum && job.storing_answers > 0 {
        job.storing_answers -= 1;
        return number(202).with("X-GitLab-Trace-Update-Interval", "1");
    }
    let size = job.view.trace.len() as u64;
    if update.bytesize.is_some_and(|bytesize| bytesize != size) {
        let id = job.view.id;
        world.complain(format!(
            "job {id}: its log has {size} bytes, not what the final update says"
        ));
    }
    job.view.exit_code = update.exit_code.filter(|code| *code != 0);
    match (job.view.status, update.state.as_str()) {
        (JobStatus::Canceling, _) => world.set_status(job, JobStatus::Canceled, None),
        (_, "success") => world.set_status(job, JobStatus::Success, None),
        _ => world.set_status(job, JobStatus::Failed, Some(update.stored_reason())),
    }
    done(world, job)
}

fn done(world: &World, job: &Job) -> Response {
    match world.settings.era {
        Era::Before17 => number(200),
        Era::Current => number(200).with("Job-Status", job.view.status.as_str()),
    }
}
