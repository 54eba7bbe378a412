//! When credentials end: three kinds say so, each in a place of its own. Clever page, 1.2 to 1.4.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::Clever;
use super::keys::{Door, Key};
use super::render::message;
use super::world::World;
use crate::coordinator::tokens::iso;
use crate::http::{Request, Response};
use crate::ids::uuid;

/// What its owner knows of a credential.
#[derive(Clone, Debug)]
pub struct TokenEnd {
    pub key: Key,
    /// Whose; for the kinds that belong to an organization.
    pub organization: String,
    pub name: String,
    /// In seconds since 1970, both.
    pub made: u64,
    pub ends: u64,
}

impl Clever {
    /// From now on it is told when this credential ends. Whether it is good is another matter.
    pub fn tell_end(&self, end: TokenEnd) {
        self.world
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(end);
    }
}

impl World {
    fn ends_of(&self, is_it: impl Fn(&TokenEnd) -> bool) -> Vec<TokenEnd> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.iter().filter(|end| is_it(end)).cloned().collect()
    }

    fn knows(&self, is_it: impl Fn(&Key) -> bool) -> bool {
        let state = self.state();
        let mut all = state.organizations.iter();
        all.any(|organization| organization.role_of(&is_it).is_some())
    }
}

/// `GET /v2/self/tokens/current`: times are in milliseconds.
pub(super) fn of_pair(world: &World, request: &Request) -> Response {
    let shown = |key: &Key| matches!(key, Key::OAuth { .. }) && key.opens(Door::Api, request);
    if !world.knows(shown) {
        return not_connected();
    }
    let end = world.ends_of(|end| shown(&end.key)).pop();
    let milliseconds = |seconds: u64| seconds * 1000;
    Response::json(
        200,
        &json!({
            "creationDate": end.as_ref().map(|end| milliseconds(end.made)),
            "expirationDate": end.as_ref().map(|end| milliseconds(end.ends)),
            "rights": {"almighty": true},
        }),
    )
}

/// `GET /api-tokens` at the bridge, where a pair is good as well: times are texts.
pub(super) fn of_api_tokens(world: &World, request: &Request) -> Response {
    let shown = |key: &Key| {
        [Door::Api, Door::Bridge]
            .iter()
            .any(|door| key.opens(*door, request))
    };
    if !world.knows(shown) {
        return not_connected();
    }
    let ends = world.ends_of(|end| matches!(end.key, Key::ApiToken(_)));
    let list = ends.iter().map(|end| {
        json!({
            "apiTokenId": format!("api_token_{}", uuid()),
            "name": end.name,
            "creationDate": iso(end.made),
            "expirationDate": iso(end.ends),
            "state": "ACTIVE",
        })
    });
    Response::json(200, &list.collect::<Value>())
}

/// `GET /v2/organisations/{id}/service-tokens`
pub(super) fn of_service_tokens(world: &World, organization: &str) -> Response {
    let is_its = |end: &TokenEnd| end.organization == organization;
    let ends = world.ends_of(|end| matches!(end.key, Key::ServiceToken(_)) && is_its(end));
    let list = ends.iter().map(|end| {
        json!({
            "id": uuid(),
            "name": end.name,
            "status": "ACTIVE",
            "role": "MANAGER",
            "createdAt": iso(end.made),
            "expiredAt": iso(end.ends),
        })
    });
    Response::json(200, &list.collect::<Value>())
}

fn not_connected() -> Response {
    message(401, 2001, "Not connected")
}
