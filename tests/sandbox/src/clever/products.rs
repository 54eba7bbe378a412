//! The public catalogue: flavors, machine types, prices, zones. Clever page, 2 and 5.
//!
//! Everybody may read it. Credentials don't belong here: some kinds are refused, and sending any
//! is a complaint.

use serde_json::{Value, json};

use super::flavors::{CONTEXT, build_flavor, name_of, regular_flavors};
use super::keys::Door;
use super::render::{DOCKER_VARIANT, message};
use super::world::World;
use crate::http::{Request, Response};
use crate::journal::Source;

pub(super) fn handle(world: &World, door: Door, request: &Request, path: &[&str]) -> Response {
    let is_known = || {
        let state = world.state();
        let mut all = state.organizations.iter();
        all.any(|it| it.role_of(|key| key.opens(door, request)).is_some())
    };
    if let Some(credentials) = request.header("Authorization")
        // The bridge lets nobody in without one.
        && !(door == Door::Bridge && is_known())
    {
        let what = format!("credentials were sent to {}, which is public", request.path);
        world.complain(Source::Clever, what);
        if credentials.starts_with("Bearer ") {
            return message(401, 2001, "Not connected");
        }
    }
    match path {
        ["v2", "products", "flavors"] => Response::json(200, &flavors(world, request)),
        ["v2", "products", "instances"] => Response::json(200, &instances(world)),
        ["v2", "products", "instances", which] => one_instance(world, which),
        ["v4", "billing", "price-system"] => Response::json(200, &price_system(world, request)),
        ["v4", "products", "zones"] => Response::json(200, &zones()),
        _ => {
            let what = format!("{} {} does not exist", request.method, request.path);
            world.complain(Source::Clever, what);
            Response::empty(404)
        }
    }
}

fn flavors(world: &World, request: &Request) -> Value {
    match request.parameter("context").as_deref() {
        Some(CONTEXT) => world.state().flavors.clone().into(),
        Some(_) => json!([]),
        None => regular_flavors().into(),
    }
}

/// Several items of type `docker`, one of them named `Docker`; the variant for runners is absent.
fn instances(world: &World) -> Value {
    let version = world.state().instance_version.clone();
    let item = |kind: &str, version: &str, name: &str, slug: &str, variant: &str| {
        json!({
            "type": kind, "version": version, "name": name, "enabled": true, "comingSoon": false,
            "variant": {
                "id": variant, "slug": slug, "name": name, "deployType": kind,
                "logo": format!("https://assets.clever-cloud.com/logos/{slug}.svg"),
            },
            "description": name, "maxInstances": 40, "tags": [], "deployments": ["git"],
            "flavors": regular_flavors(),
            "defaultFlavor": regular_flavors()[2],
            "buildFlavor": build_flavor(),
        })
    };
    json!([
        item(
            "node",
            "20250130",
            "Node",
            "node",
            "11111111-aaaa-4bbb-8ccc-000000000001"
        ),
        item(
            "docker",
            "20241106",
            "Docker ML",
            "ml_docker",
            "11111111-aaaa-4bbb-8ccc-000000000002"
        ),
        item("docker", &version, "Docker", "docker", DOCKER_VARIANT),
        item(
            "python",
            "20250130",
            "Python",
            "python",
            "11111111-aaaa-4bbb-8ccc-000000000003"
        ),
    ])
}

fn one_instance(world: &World, which: &str) -> Response {
    let all = instances(world);
    let found = all.as_array().into_iter().flatten().find(|item| {
        let (kind, version) = (item["type"].as_str(), item["version"].as_str());
        which
            == format!(
                "{}-{}",
                kind.unwrap_or_default(),
                version.unwrap_or_default()
            )
    });
    found.map_or_else(
        || message(404, 9017, "The specified instance does not exist"),
        |item| Response::json(200, item),
    )
}

/// Prices are joined to flavors by `slug_id`; the names here are in lower case.
fn price_system(world: &World, request: &Request) -> Value {
    let runtime: Vec<Value> = (world.state().flavors.iter())
        .chain(&regular_flavors())
        .enumerate()
        .map(|(number, flavor)| {
            json!({
                "runtime_policy_id": format!("0a0b0c0d-0000-4000-8000-{number:012x}"),
                "source": "apps",
                "flavor": name_of(flavor).to_lowercase(),
                "time_unit": "PT1H",
                "price": flavor["price"],
                "slug_id": flavor["price_id"],
            })
        })
        .collect();
    json!({
        "zone_id": request.parameter("zone_id").unwrap_or_else(|| "par".to_owned()),
        "currency": request.parameter("currency").unwrap_or_else(|| "EUR".to_owned()),
        "runtime": runtime,
        "countable": [],
    })
}

fn zones() -> Value {
    json!([{
        "id": "7d1f6a52-0000-4000-8000-00000000aaaa", "name": "par", "country": "France",
        "countryCode": "FR", "city": "Paris", "displayName": null, "lat": 48.8667, "lon": 2.3333,
        "tags": ["for:applications", "infra:clever-cloud"],
    }])
}
