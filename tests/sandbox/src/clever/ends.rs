//! When credentials end: three kinds say so, each in a place of its own. Clever page, 1.2 to 1.4.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::Clever;
use super::keys::Key;
use super::world::World;
use crate::http::Response;
use crate::ids::uuid;
use crate::times::iso_of_ms;

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

    /// Of one credential, if that was told.
    pub(super) fn end_of(&self, is_it: impl Fn(&Key) -> bool) -> Option<TokenEnd> {
        self.ends_of(|end| is_it(&end.key)).pop()
    }
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
            "createdAt": iso_of_ms(end.made * 1000),
            "expiredAt": iso_of_ms(end.ends * 1000),
        })
    });
    Response::json(200, &list.collect::<Value>())
}
