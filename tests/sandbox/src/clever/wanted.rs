//! Reading what a client wants an application to be. Clever page, 3.2, 3.4 and 3.5.
//!
//! What the real API refuses is refused. What it lets pass, but no runner should send, is a
//! complaint.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::flavors::{on_offer, regular_flavors};
use super::model::Spec;
use super::render::{DOCKER_VARIANT, HEPTAPOD_VARIANT, message};
use super::world::State;
use crate::http::Response;

/// Every field of the API's own description.
const FIELDS: [&str; 28] = [
    "name",
    "description",
    "zone",
    "deploy",
    "instanceType",
    "instanceVersion",
    "instanceVariant",
    "instanceLifetime",
    "minInstances",
    "maxInstances",
    "minFlavor",
    "maxFlavor",
    "env",
    "tags",
    "branch",
    "separateBuild",
    "buildFlavor",
    "cancelOnPush",
    "homogeneous",
    "stickySessions",
    "favourite",
    "archived",
    "shutdownable",
    "forceHttps",
    "oauthService",
    "oauthAppId",
    "publicGitRepositoryUrl",
    "applianceId",
];

const ZONES: [&str; 4] = ["par", "rbx", "mtl", "sgp"];

/// A refusal, and what to write down about the request.
pub(super) type Read<T> = Result<(T, Vec<String>), Response>;

/// For `POST applications`.
pub(super) fn new_application(body: &Value, state: &State) -> Read<Spec> {
    let fields = body
        .as_object()
        .ok_or_else(|| invalid("body", "an object is expected"))?;
    let mut odd = unknown_fields(fields);
    let name = text(fields, "name")?;
    if text(fields, "instanceType")? != "docker" {
        return Err(no_such_instance());
    }
    let instance_version = fields.get("instanceVersion").and_then(Value::as_str);
    if instance_version != Some(&state.instance_version) {
        return Err(no_such_instance());
    }
    let variant = fields.get("instanceVariant").and_then(Value::as_str);
    let variant = variant
        .filter(|variant| {
            let is_entitled = !state.quirks.without_heptapod_variant;
            *variant == DOCKER_VARIANT || *variant == HEPTAPOD_VARIANT && is_entitled
        })
        .ok_or_else(no_such_instance)?;
    if text(fields, "deploy")? != "git" {
        return Err(invalid("deploy", "only git can be deployed here"));
    }
    let zone = text(fields, "zone")?;
    if !ZONES.contains(&zone) {
        return Err(invalid("zone", "no such zone"));
    }
    let spec = Spec {
        name: name.to_owned(),
        description: optional_text(fields, "description")?
            .unwrap_or(name)
            .to_owned(),
        zone: zone.to_owned(),
        instance_version: state.instance_version.clone(),
        instance_variant: variant.to_owned(),
        lifetime: lifetime(fields)?.unwrap_or("REGULAR").to_owned(),
        min_flavor: flavor(fields, "minFlavor", variant, state)?,
        max_flavor: flavor(fields, "maxFlavor", variant, state)?,
        min_instances: count(fields, "minInstances")?,
        max_instances: count(fields, "maxInstances")?,
        env: fields
            .get("env")
            .map_or_else(|| Ok(BTreeMap::new()), environment)?,
    };
    odd.extend(oddities(&spec));
    Ok((spec, odd))
}

/// For `PUT applications/…`: what is absent keeps its value.
pub(super) fn changed_application(body: &Value, old: &Spec, state: &State) -> Read<Spec> {
    let fields = body
        .as_object()
        .ok_or_else(|| invalid("body", "an object is expected"))?;
    let mut odd = unknown_fields(fields);
    if fields.contains_key("env") {
        odd.push("`env` in a change of the application: what it does is not known".to_owned());
    }
    let mut spec = old.clone();
    for (field, target) in [
        ("name", &mut spec.name),
        ("description", &mut spec.description),
    ] {
        if let Some(value) = optional_text(fields, field)? {
            value.clone_into(target);
        }
    }
    if let Some(value) = lifetime(fields)? {
        value.clone_into(&mut spec.lifetime);
    }
    if fields.contains_key("minFlavor") {
        spec.min_flavor = flavor(fields, "minFlavor", &old.instance_variant, state)?;
    }
    if fields.contains_key("maxFlavor") {
        spec.max_flavor = flavor(fields, "maxFlavor", &old.instance_variant, state)?;
    }
    odd.extend(oddities(&spec));
    Ok((spec, odd))
}

/// An object of strings.
pub(super) fn environment(value: &Value) -> Result<BTreeMap<String, String>, Response> {
    let pairs = value
        .as_object()
        .ok_or_else(|| invalid("env", "an object is expected"))?;
    pairs
        .iter()
        .map(|(name, value)| match value {
            Value::String(value) => Ok((name.clone(), value.clone())),
            _ => Err(invalid(name, "a string is expected")),
        })
        .collect()
}

/// The names that no shell could use; refused only by a checking request.
pub(super) fn bad_names(environment: &BTreeMap<String, String>) -> Vec<&str> {
    let is_bad = |name: &&str| {
        let mut bytes = name.bytes();
        !bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    environment
        .keys()
        .map(String::as_str)
        .filter(is_bad)
        .collect()
}

pub(super) fn invalid_environment(names: &[&str]) -> Response {
    let fields: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!("invalid name")))
        .collect();
    let text = "Application environment is invalid";
    Response::json(
        400,
        &json!({"id": 557, "message": text, "type": "error", "fields": fields}),
    )
}

/// What a runner's application is, if it is not to cost for ever.
fn oddities(spec: &Spec) -> Vec<String> {
    let mut odd = Vec::new();
    if !spec.is_task() {
        odd.push(format!(
            "application {} is {}: its machine is restarted for ever",
            spec.name, spec.lifetime
        ));
    }
    if (spec.min_instances, spec.max_instances) != (1, 1) {
        odd.push(format!(
            "application {} is not for exactly one machine",
            spec.name
        ));
    }
    if spec.min_flavor != spec.max_flavor {
        odd.push(format!("application {} may change its flavor", spec.name));
    }
    odd
}

fn unknown_fields(fields: &Map<String, Value>) -> Vec<String> {
    fields
        .keys()
        .filter(|name| !FIELDS.contains(&name.as_str()))
        .map(|name| format!("unknown field `{name}` in a request about an application"))
        .collect()
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, Response> {
    optional_text(fields, name)?
        .filter(|value| !value.is_empty())
        .ok_or_else(|| invalid(name, "required"))
}

fn optional_text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Response> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(invalid(name, "a string is expected")),
    }
}

fn count(fields: &Map<String, Value>, name: &str) -> Result<u64, Response> {
    fields
        .get(name)
        .and_then(Value::as_u64)
        .filter(|count| (1..=40).contains(count))
        .ok_or_else(|| invalid(name, "a number from 1 to 40 is expected"))
}

fn lifetime(fields: &Map<String, Value>) -> Result<Option<&str>, Response> {
    match optional_text(fields, "instanceLifetime")? {
        Some(value) if !["REGULAR", "MIGRATION", "TASK"].contains(&value) => {
            Err(invalid("instanceLifetime", "no such lifetime"))
        }
        value => Ok(value),
    }
}

/// Each type has flavors of its own.
fn flavor(
    fields: &Map<String, Value>,
    name: &str,
    variant: &str,
    state: &State,
) -> Result<Value, Response> {
    let regular = regular_flavors();
    let offered = if variant == DOCKER_VARIANT {
        &regular
    } else {
        &state.flavors
    };
    on_offer(offered, text(fields, name)?)
        .cloned()
        .ok_or_else(|| invalid(name, "no such flavor"))
}

fn no_such_instance() -> Response {
    message(400, 9017, "The specified instance does not exist")
}

/// The id of such a refusal is not known.
pub(super) fn invalid(field: &str, why: &str) -> Response {
    let body = json!({
        "id": 400, "message": "The request is invalid", "type": "error",
        "fields": {field: why},
    });
    Response::json(400, &body)
}
