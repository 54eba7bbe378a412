//! `/v4/logs`: what an application's machines say, as a stream of events. Clever page, 7.2.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::model::{Application, LogLine};
use super::world::World;
use crate::http::Request;
use crate::stop::Stop;
use crate::times::{iso_of_ms, now_ms};

/// A client that hears nothing for twice as long gives up.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How soon a stream notices that its server is taken down.
const LOOK: Duration = Duration::from_millis(200);
/// All of a stream has been sent that is not to go on.
const OVER: usize = usize::MAX;

/// The next events of the stream that the request asked for, `seen` of the application's lines into it.
/// Nothing at its end.
pub(super) fn more(
    world: &World,
    request: &Request,
    application: &str,
    seen: &mut usize,
    stop: &Stop,
) -> Option<Vec<u8>> {
    if *seen == OVER {
        return None;
    }
    let wanted = Wanted::read(request);
    *seen = (*seen).max(wanted.first);
    let due = Instant::now() + HEARTBEAT;
    loop {
        let events = world.state().application(application).map(|application| {
            let events = wanted.events(application, *seen);
            *seen = application.log.len();
            events
        });
        let mut events = events.unwrap_or_default();
        if let Some(limit) = wanted.limit
            && events.len() >= limit
        {
            events.truncate(limit);
            return Some(end(&events, "LIMIT_REACHED", seen));
        }
        if wanted
            .until
            .as_ref()
            .is_some_and(|until| *until <= iso_of_ms(now_ms()))
        {
            return Some(end(&events, "UNTIL_REACHED", seen));
        }
        if !events.is_empty() {
            return Some(events.concat().into_bytes());
        }
        if Instant::now() >= due || stop.is_stopped() {
            return Some(event("HEARTBEAT", None, &json!({})).into_bytes());
        }
        let has_grown = || {
            let mut state = world.state();
            let application = state.application(application);
            application.is_some_and(|application| application.log.len() > *seen)
        };
        world.journal.wait_until(LOOK, has_grown);
    }
}

/// What the query asks for.
struct Wanted {
    /// The first line that a client which comes back has not seen.
    first: usize,
    deployment: Option<String>,
    instance: Option<String>,
    filter: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
}

impl Wanted {
    fn read(request: &Request) -> Self {
        let last_seen = request.header("Last-Event-ID");
        let last_seen = last_seen.and_then(|id| id.rsplit('-').next()?.parse::<usize>().ok());
        Self {
            first: last_seen.map_or(0, |last| last + 1),
            deployment: request.parameter("deploymentId"),
            instance: request.parameter("instanceId"),
            filter: request.parameter("filter"),
            since: request.parameter("since"),
            until: request.parameter("until"),
            limit: request
                .parameter("limit")
                .and_then(|limit| limit.parse().ok()),
        }
    }

    fn events(&self, application: &Application, seen: usize) -> Vec<String> {
        let lines = application.log.iter().enumerate().skip(seen);
        let described = lines.map(|(number, line)| (number, describe(application, number, line)));
        let is_meant = |line: &Value| {
            let is = |wanted: &Option<String>, field: &str| {
                wanted.as_ref().is_none_or(|wanted| line[field] == **wanted)
            };
            let date = line["date"].as_str().unwrap_or_default();
            let message = line["message"].as_str().unwrap_or_default();
            is(&self.deployment, "deploymentId")
                && is(&self.instance, "instanceId")
                && self
                    .since
                    .as_ref()
                    .is_none_or(|since| date >= since.as_str())
                && self
                    .until
                    .as_ref()
                    .is_none_or(|until| date < until.as_str())
                && self
                    .filter
                    .as_ref()
                    .is_none_or(|filter| message.contains(filter))
        };
        described
            .filter(|(_, line)| is_meant(line))
            .map(|(_, line)| event("APPLICATION_LOG", line["id"].as_str(), &line))
            .collect()
    }
}

fn describe(application: &Application, number: usize, line: &LogLine) -> Value {
    let deployment = &application.deployments[line.deployment];
    let mut instances = application.instances.iter();
    let instance = instances.find(|instance| instance.deployment == line.deployment);
    json!({
        "id": format!("{}-{number}", line.at_ms),
        "applicationId": application.id,
        "commitId": deployment.commit,
        "deploymentId": deployment.uuid,
        "instanceId": instance.map(|instance| &instance.id),
        "date": iso_of_ms(line.at_ms),
        "zone": application.spec.zone,
        "region": application.spec.zone,
        "pid": 811, "facility": "user", "severity": "info", "priority": 14, "version": 1,
        "service": line.service,
        "message": line.message,
    })
}

fn event(name: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}

fn end(events: &[String], ended_by: &str, seen: &mut usize) -> Vec<u8> {
    *seen = OVER;
    let end = event("END_OF_STREAM", None, &json!({"endedBy": ended_by}));
    (events.concat() + &end).into_bytes()
}
