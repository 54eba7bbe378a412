//! The API's front door: who calls, which way the request goes. Clever page, 1 and 3.1.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::json;

use super::keys::{Door, Key};
use super::render::message;
use super::settings::Role;
use super::world::World;
use super::{applications, deployments, ends, logs, person, products};
use crate::http::{Passage, Request, Response, Service, decode};
use crate::ids::uuid;
use crate::journal::Source;
use crate::stop::Stop;

pub(super) struct Api {
    pub world: Arc<World>,
    pub door: Door,
    /// When the request arrived that a connection carries now.
    pub arrivals: Mutex<HashMap<u64, Instant>>,
}

impl Service for Api {
    fn handle(&self, request: &Request) -> Response {
        let path = request.path.trim_matches('/').split('/').map(decode);
        let path: Vec<_> = path.collect();
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        self.check_form(request);
        let response = match path.as_slice() {
            ["v2", "organisations", organization, rest @ ..] => {
                self.in_organization(request, organization, rest)
            }
            ["v2", "self" | "summary", ..] => {
                person::handle(&self.world, self.door, request, &path[1..])
                    .unwrap_or_else(|| self.no_such_call(request))
            }
            ["api-tokens", rest @ ..] if self.door == Door::Bridge => {
                person::api_tokens(&self.world, request, rest)
                    .unwrap_or_else(|| self.no_such_call(request))
            }
            [
                "v4",
                "logs",
                "organisations",
                organization,
                "applications",
                id,
                "logs",
            ] => self.logs(request, organization, id),
            _ if request.method == "GET" => {
                products::handle(&self.world, self.door, request, &path)
            }
            _ => self.no_such_call(request),
        };
        response.with("Sozu-Id", uuid())
    }

    fn source(&self) -> Source {
        Source::Clever
    }

    fn more(&self, request: &Request, seen: &mut usize, stop: &Stop) -> Option<Vec<u8>> {
        let application = request.path.split('/').nth(6)?;
        logs::more(&self.world, request, application, seen, stop)
    }

    fn observe(&self, request: &Request, passage: Passage) {
        let mut arrivals = self.arrivals();
        match passage {
            Passage::Arrived => arrivals.insert(request.connection, Instant::now()),
            Passage::Answered | Passage::Lost => arrivals.remove(&request.connection),
        };
    }
}

impl Api {
    fn arrivals(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrival(&self, request: &Request) -> Instant {
        let arrival = self.arrivals().get(&request.connection).copied();
        arrival.unwrap_or_else(Instant::now)
    }

    /// What no client should send, whatever the answer.
    fn check_form(&self, request: &Request) {
        let method = request.method.as_str();
        let call = format!("{method} {}", request.path);
        if !request.body.is_empty() && matches!(method, "GET" | "DELETE") {
            self.complain(format!("{call} came with a body"));
        }
        if !request.body.is_empty() && request.media_type().as_deref() != Some("application/json") {
            self.complain(format!("{call} came with a body that is not called JSON"));
        }
    }

    fn in_organization(&self, request: &Request, organization: &str, rest: &[&str]) -> Response {
        let role = match self.authorize(request, organization) {
            Ok(role) => role,
            Err(refusal) => return refusal,
        };
        let deletes = request.method == "DELETE" && matches!(rest, ["applications", _]);
        if role == Role::Accounting || (deletes && role == Role::Developer) {
            return message(403, 4003, "You don't have the right to do that");
        }
        let world = &self.world;
        match (request.method.as_str(), rest) {
            (method, ["applications"]) => match method {
                "GET" => applications::list(world, organization),
                "POST" => applications::create(world, organization, request, self.arrival(request)),
                _ => self.no_such_call(request),
            },
            (_, ["applications", id, rest @ ..]) => {
                if let Err(refusal) = self.check_owner(organization, id) {
                    return refusal;
                }
                applications::handle(world, request, id, rest)
                    .or_else(|| deployments::handle(world, request, id, rest))
                    .unwrap_or_else(|| self.no_such_call(request))
            }
            ("GET", ["members"]) => {
                let state = world.state();
                let asking = |key: &Key| key.opens(self.door, request);
                let known = state.organization(organization);
                known.map_or_else(
                    || self.no_such_call(request),
                    |known| person::members(known, asking),
                )
            }
            ("GET", ["service-tokens"]) => ends::of_service_tokens(world, organization),
            ("GET", ["deployments"]) => deployments::of_all(world, organization, request),
            _ => self.no_such_call(request),
        }
    }

    /// The head of a stream, for a person who may look into the organization.
    fn logs(&self, request: &Request, organization: &str, id: &str) -> Response {
        let refusal = |status: u16, text: &str| {
            let body = json!({
                "apiRequestId": uuid(), "code": "clever.core.refused", "context": {"type": "empty"},
                "error": text,
            });
            Response::json(status, &body)
        };
        let mut state = self.world.state();
        let opens = |key: &Key| key.is_persons() && key.opens(self.door, request);
        let role = state
            .organization(organization)
            .and_then(|it| it.role_of(opens));
        if role.is_none() {
            return refusal(401, "Not connected");
        }
        match state.application(id) {
            Some(application) if application.organization == organization => Response::events(),
            _ => refusal(404, "No such application"),
        }
    }

    /// The caller's role in the organization.
    fn authorize(&self, request: &Request, organization: &str) -> Result<Role, Response> {
        let not_connected = || message(401, 2001, "Not connected");
        if request.header("Authorization").is_none() {
            return Err(not_connected());
        }
        let opens = |key: &Key| key.opens(self.door, request);
        let (is_known, role) = {
            let state = self.world.state();
            let organization = state.organization(organization);
            let role = organization.and_then(|organization| organization.role_of(opens));
            let mut all = state.organizations.iter();
            (all.any(|it| it.role_of(opens).is_some()), role)
        };
        if let Some(role) = role {
            return Ok(role);
        }
        if !is_known {
            return Err(not_connected());
        }
        self.complain(format!(
            "{organization} was spoken to with another organization's token"
        ));
        Err(message(403, 4003, "You don't have the right to do that"))
    }

    /// 4002 is not about credentials: the application is not this organization's.
    fn check_owner(&self, organization: &str, id: &str) -> Result<(), Response> {
        let owner = {
            let mut state = self.world.state();
            state
                .application(id)
                .map(|application| application.organization.clone())
        };
        if owner.is_some_and(|owner| owner != organization) {
            self.complain(format!(
                "{id} was looked for at {organization}, which does not own it"
            ));
            return Err(message(403, 4002, "This application id is not yours"));
        }
        Ok(())
    }

    fn no_such_call(&self, request: &Request) -> Response {
        self.complain(format!(
            "{} {} does not exist",
            request.method, request.path
        ));
        Response::empty(404)
    }

    fn complain(&self, what: String) {
        self.world.complain(Source::Clever, what);
    }
}
