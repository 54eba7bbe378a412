//! What a person sees of themselves: profile, tokens, and all that they may look at. Clever page, 1.2,
//! 1.3 and 3.1.
//!
//! There is one person here. An OAuth pair is theirs, so is an API token; other credentials belong to
//! organizations.

use serde_json::{Value, json};

use super::keys::{CONSUMER, Door, Key};
use super::model::{AppState, Organization};
use super::render::{DOCKER_VARIANT, message};
use super::settings::Role;
use super::world::{State, World};
use crate::http::{Request, Response};
use crate::ids::uuid;
use crate::times::{iso_of_ms, now_ms};

pub(super) const USER: &str = "user_6e5d4c3b-0000-4000-8000-000000000001";
const FOUNDER: &str = "user_0a1b2c3d-0000-4000-8000-000000000002";
const NAME: &str = "CI robot";
const DAY_MS: u64 = 86_400_000;
/// After the dance; there is no refresh.
const PAIR_DAYS: u64 = 90;
/// The longest that there is, and what it is when nothing is said.
const API_TOKEN_DAYS: u64 = 365;

/// What the bridge tells of an API token. The token itself is shown once.
pub(super) struct ApiToken {
    token: String,
    shown: Value,
}

impl ApiToken {
    fn shown(&self, world: &World) -> Value {
        let mut shown = self.shown.clone();
        let is_it = |key: &Key| matches!(key, Key::ApiToken(token) if *token == self.token);
        if let Some(end) = world.end_of(is_it) {
            shown["name"] = end.name.into();
            shown["creationDate"] = iso_of_ms(end.made * 1000).into();
            shown["expirationDate"] = iso_of_ms(end.ends * 1000).into();
        }
        shown
    }
}

/// Below `/v2/self`, and the summary.
pub(super) fn handle(
    world: &World,
    door: Door,
    request: &Request,
    path: &[&str],
) -> Option<Response> {
    let state = world.state();
    let owned = organizations_of(&state, |key| key.is_persons() && key.opens(door, request));
    if owned.is_empty() {
        return Some(message(401, 2001, "Not connected"));
    }
    Some(match (request.method.as_str(), path) {
        ("GET", ["self"]) => Response::json(200, &profile()),
        ("GET", ["self", "tokens", "current"]) => Response::json(200, &pair(world, request)),
        ("GET", ["self", "tokens"]) => Response::json(200, &json!([pair(world, request)])),
        ("GET", ["summary"]) => Response::json(200, &summary(&state, &owned)),
        _ => return None,
    })
}

/// `/api-tokens` at the bridge, which only a pair opens.
pub(super) fn api_tokens(world: &World, request: &Request, path: &[&str]) -> Option<Response> {
    let mut state = world.state();
    let is_pair = |key: &Key| matches!(key, Key::OAuth { .. }) && key.opens(Door::Api, request);
    let owned = organizations_of(&state, is_pair);
    if owned.is_empty() {
        let body = json!({"code": "invalid-credential", "error": "Not connected"});
        return Some(Response::json(401, &body));
    }
    Some(match (request.method.as_str(), path) {
        ("GET", []) => {
            let shown: Vec<_> = known(&mut state, &owned)
                .iter()
                .map(|it| it.shown(world))
                .collect();
            Response::json(200, &shown.into())
        }
        ("POST", []) => create(&mut state, &owned, &request.json().unwrap_or_default()),
        ("PUT", [id]) => rename(&mut state, &owned, id, &request.json().unwrap_or_default()),
        ("DELETE", [id]) => revoke(&mut state, &owned, id),
        _ => return None,
    })
}

/// Those of which one of these keys is, with what it may do there.
fn organizations_of(state: &State, is_it: impl Fn(&Key) -> bool) -> Vec<(String, Role)> {
    let all = state.organizations.iter();
    all.filter_map(|it| Some((it.id.clone(), it.role_of(&is_it)?)))
        .collect()
}

/// Who is in an organization, for anybody who may look into it: its founder, and the person, if a key of
/// theirs is good there. The shape is that of the official JavaScript client (`organisation-transform`).
pub(super) fn members(organization: &Organization, asking: impl Fn(&Key) -> bool) -> Response {
    let mut members = vec![json!({
        "member": {"id": FOUNDER, "email": "founder@example.test", "name": "Founder", "avatar": null,
                   "preferredMFA": "TOTP"},
        "role": "ADMIN", "job": null,
    })];
    let role = organization.role_of(|key| key.is_persons() && asking(key));
    members.extend(role.map(|role| {
        let mut member = profile();
        let kept = ["id", "email", "name", "avatar", "preferredMFA"];
        if let Some(fields) = member.as_object_mut() {
            fields.retain(|field, _| kept.contains(&field.as_str()));
        }
        json!({"member": member, "role": in_capitals(role), "job": null})
    }));
    Response::json(200, &members.into())
}

fn in_capitals(role: Role) -> String {
    format!("{role:?}").to_uppercase()
}

fn profile() -> Value {
    json!({
        "id": USER, "email": "ci.robot@example.test", "name": NAME, "phone": "", "address": "",
        "city": "", "zipcode": "", "country": "FR", "avatar": null,
        "creationDate": 1_600_000_000_000_u64, "lang": "EN", "emailValidated": true, "oauthApps": [],
        "admin": false, "canPay": true, "preferredMFA": "NONE", "hasPassword": true,
    })
}

/// The pair that the request was signed with.
fn pair(world: &World, request: &Request) -> Value {
    let header = request.header("Authorization").unwrap_or_default();
    let token = header
        .split("oauth_token=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let now = now_ms();
    let shown = |key: &Key| matches!(key, Key::OAuth { .. }) && key.opens(Door::Api, request);
    let end = world.end_of(shown);
    let (made, ends) = end.map_or((now, now + PAIR_DAYS * DAY_MS), |end| {
        (end.made * 1000, end.ends * 1000)
    });
    json!({
        "token": token, "consumer": {"name": "Clever Tools", "key": CONSUMER.0},
        "creationDate": made, "expirationDate": ends, "lastUtilisation": now,
        "ip": "127.0.0.1", "rights": {"almighty": true},
    })
}

/// A light entry for each application, below its owner.
fn summary(state: &State, owned: &[(String, Role)]) -> Value {
    let organizations: Vec<Value> = owned
        .iter()
        .map(|(id, role)| {
            let of_it = state.applications.iter();
            let of_it = of_it.filter(|it| it.organization == *id && it.state != AppState::Gone);
            let applications: Vec<Value> = of_it
                .map(|it| {
                    let is_plain = it.spec.instance_variant == DOCKER_VARIANT;
                    json!({
                        "id": it.id, "name": it.spec.name, "state": it.state.as_str(),
                        "instanceType": "docker",
                        "variantSlug": if is_plain { "docker" } else { "heptapod-docker-runner" },
                        "commit": it.commit,
                    })
                })
                .collect();
            json!({
                "id": id, "name": id, "avatar": null, "role": in_capitals(*role),
                "canPay": true, "applications": applications,
                "addons": [], "consumers": [], "providers": [],
            })
        })
        .collect();
    let mut user = profile();
    for nothing in ["applications", "addons", "consumers", "providers"] {
        user[nothing] = json!([]);
    }
    json!({"user": user, "organisations": organizations})
}

/// Of all API tokens that are good for these organizations. One that nobody described has a name anyway.
fn known<'a>(state: &'a mut State, owned: &[(String, Role)]) -> Vec<&'a mut ApiToken> {
    let organizations = state
        .organizations
        .iter()
        .filter(|it| owned.iter().any(|(id, _)| *id == it.id));
    let keys = organizations.flat_map(|it| &it.keys);
    let tokens: Vec<String> = keys
        .filter_map(|(key, _)| match key {
            Key::ApiToken(token) => Some(token.clone()),
            _ => None,
        })
        .collect();
    for token in &tokens {
        if !state.api_tokens.iter().any(|it| it.token == *token) {
            state.api_tokens.push(describe(token.clone(), &json!({})));
        }
    }
    let described = state.api_tokens.iter_mut();
    described.filter(|it| tokens.contains(&it.token)).collect()
}

fn describe(token: String, body: &Value) -> ApiToken {
    let now = now_ms();
    let expires = body["expirationDate"].as_str().map(str::to_owned);
    let shown = json!({
        "apiTokenId": format!("api_tokens_{}", uuid()),
        "name": body["name"].as_str().unwrap_or("unnamed"),
        "description": body["description"].as_str().unwrap_or_default(),
        "creationDate": iso_of_ms(now),
        "expirationDate": expires.unwrap_or_else(|| iso_of_ms(now + API_TOKEN_DAYS * DAY_MS)),
        "ip": "127.0.0.1",
        "state": "ACTIVE",
    });
    ApiToken { token, shown }
}

fn create(state: &mut State, owned: &[(String, Role)], body: &Value) -> Response {
    let is_given = |field: &str| body[field].as_str().is_some_and(|value| !value.is_empty());
    if !["email", "password", "name"].into_iter().all(is_given) {
        let body = json!({"code": "invalid-credential", "error": "Invalid credentials"});
        return Response::json(400, &body);
    }
    let token = format!("{}{}", uuid(), uuid()).replace('-', "");
    for (id, role) in owned {
        let organization = state.organizations.iter_mut().find(|it| it.id == *id);
        if let Some(organization) = organization {
            organization
                .keys
                .push((Key::ApiToken(token.clone()), *role));
        }
    }
    let described = describe(token, body);
    let mut answer = described.shown.clone();
    answer["apiToken"] = described.token.clone().into();
    state.api_tokens.push(described);
    Response::json(200, &answer)
}

fn rename(state: &mut State, owned: &[(String, Role)], id: &str, body: &Value) -> Response {
    let Some(known) = find(state, owned, id) else {
        return no_such_token();
    };
    for field in ["name", "description"] {
        if body[field].is_string() {
            known.shown[field] = body[field].clone();
        }
    }
    Response::json(200, &known.shown)
}

fn revoke(state: &mut State, owned: &[(String, Role)], id: &str) -> Response {
    let Some(token) = find(state, owned, id).map(|known| known.token.clone()) else {
        return no_such_token();
    };
    for organization in &mut state.organizations {
        organization
            .keys
            .retain(|(key, _)| *key != Key::ApiToken(token.clone()));
    }
    Response::empty(204)
}

fn find<'a>(state: &'a mut State, owned: &[(String, Role)], id: &str) -> Option<&'a mut ApiToken> {
    let mut known = known(state, owned).into_iter();
    known.find(|it| it.shown["apiTokenId"] == id)
}

fn no_such_token() -> Response {
    Response::json(
        404,
        &json!({"code": "token-not-found", "error": "No such API token"}),
    )
}
