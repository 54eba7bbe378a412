//! `PATCH /jobs/:id/trace`: the log, byte by byte.

use std::time::Instant;

use super::job::{Action, Job, JobId, JobStatus};
use super::reply::{Reply, invalid, message, number, refusal};
use super::routes::call;
use super::update::{authenticate, not_processing};
use super::world::World;
use crate::http::{Request, Response};

/// How an inner runner calls itself.
const INNER_RUNNER: &str = "gitlab-runner ";

pub fn append(world: &World, id: JobId, request: &Request) -> Reply {
    check_form(world, request);
    let in_query = request.parameter("token");
    let token = in_query.as_deref().or_else(|| request.header("JOB-TOKEN"));
    let token = token.ok_or_else(|| invalid("token is missing"))?;
    let mut state = world.lock();
    let job = authenticate(world, &mut state, id, token, request)?;
    let start = request.header("Content-Range").map(first_number);
    let reply = decide(world, job, start, request);
    let action = Action::Append {
        start: start.unwrap_or_default(),
        bytes: request.body.len(),
    };
    job.remember(request, action, reply.status);
    Ok(reply)
}

fn check_form(world: &World, request: &Request) {
    let what = call(request);
    if request.media_type().as_deref() != Some("text/plain") {
        world.complain(format!("{what}: Content-Type is not text/plain"));
    }
    let has_length = ["Content-Length", "Transfer-Encoding"]
        .iter()
        .any(|header| request.header(header).is_some());
    if !has_length {
        world.complain(format!("{what}: a body without a length"));
    }
    let range = request.header("Content-Range").unwrap_or_default();
    let is_range = range.split_once('-').is_some_and(|(start, _)| {
        !start.is_empty() && start.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !is_range {
        world.complain(format!("{what}: Content-Range `{range}`"));
    }
}

/// Only the number before the dash is read.
fn first_number(range: &str) -> u64 {
    let digits = range
        .trim_start()
        .split(|c: char| !c.is_ascii_digit())
        .next();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

fn decide(world: &World, job: &mut Job, start: Option<u64>, request: &Request) -> Response {
    if !job.view.status.is_executing() && !job.is_waiting() {
        return not_processing(world, job);
    }
    let Some(start) = start else {
        return message(400, "400 Missing header Content-Range");
    };
    let end = start.saturating_add(request.body.len() as u64);
    if end > world.settings.trace_limit {
        world.set_status(job, JobStatus::Failed, Some("trace_size_exceeded"));
        return refusal(403, None);
    }
    check_order(world, job, start, request);
    let size = job.view.trace.len() as u64;
    if size != start {
        let error = serde_json::json!({"error": "416 Range Not Satisfiable"});
        return Response::json(416, &error).with("Range", format!("0-{size}"));
    }
    write(job, request);
    world.touch(job);
    number(202)
        .with("Range", format!("0-{}", job.view.trace.len()))
        .with("Job-Status", job.view.status.as_str())
        .with(
            "X-GitLab-Trace-Update-Interval",
            world.trace_update_interval(),
        )
}

/// The two ways to spoil the log of another, who is known by its `User-Agent`.
fn check_order(world: &World, job: &Job, start: u64, request: &Request) {
    let (id, size) = (job.view.id, job.view.trace.len() as u64);
    let client = request.header("User-Agent").unwrap_or_default();
    let others_wrote = job.writers.iter().any(|writer| writer != client);
    if !others_wrote {
        return;
    }
    if request.body.is_empty() && start == size {
        world.complain(format!(
            "job {id}: a matching empty PATCH keeps it alive, though its runner has begun"
        ));
    }
    let begins = !job.writers.iter().any(|writer| writer == client);
    if client.starts_with(INNER_RUNNER) && begins && start < size {
        world.complain(format!(
            "job {id}: its runner's first {size} bytes are lost, others wrote before it"
        ));
    }
}

fn write(job: &mut Job, request: &Request) {
    if request.body.is_empty() {
        return;
    }
    let body = mask(&request.body, job.view.token.as_bytes());
    job.view.trace.extend_from_slice(&body);
    job.view.first_log.get_or_insert_with(Instant::now);
    let client = request.header("User-Agent").unwrap_or_default();
    if !job.writers.iter().any(|writer| writer == client) {
        job.writers.push(client.to_owned());
    }
}

/// As many `x` instead of the job's token.
fn mask(body: &[u8], token: &[u8]) -> Vec<u8> {
    let mut masked = body.to_vec();
    let mut from = 0;
    while let Some(found) = body[from..]
        .windows(token.len())
        .position(|window| window == token)
    {
        let start = from + found;
        from = start + token.len();
        masked[start..from].fill(b'x');
    }
    masked
}
