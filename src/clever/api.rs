//! The few calls of Clever Cloud's API that a job's machine needs. Clever page, sections 1 and 3.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

use super::credential::Credential;
use super::error::ApiError;
use crate::clock::Timestamp;
use crate::http::{Answer, Call, Http, segment};
use crate::json::{self, Fields};

/// Creations take longest; the balancer in front gives up after 180 s.
const CREATION_TIMEOUT: Duration = Duration::from_secs(60);
/// One look among many: a hanging one must not use up the patience of the whole.
const LOOK_TIMEOUT: Duration = Duration::from_secs(8);
/// Jobs wait meanwhile.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// Each application in a list repeats every flavor: several KiB each, hundreds of them.
const LIST_LIMIT: u64 = 64 << 20;

/// The organization that pays, and what may create and delete its applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub organization: String,
    pub credential: Credential,
}

/// An application as far as we look at it. Everything but the id may be missing in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub id: String,
    pub name: String,
    state: String,
    repository_state: String,
    /// Where to push to, over HTTP.
    pub push_url: Option<String>,
    /// And over ssh.
    pub ssh_url: Option<String>,
    created_ms: u64,
    /// As Clever Cloud calls it.
    pub flavor: Option<String>,
    /// Its environment, where the answer has it (lists may not).
    environment: Option<Vec<Variable>>,
}

/// One of an application's environment, as answers spell it (3.4).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

/// What a new application shall be.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub zone: &'a str,
    pub instance_version: &'a str,
    pub instance_variant: &'a str,
    pub flavor: &'a str,
    pub environment: &'a [(String, String)],
}

/// Of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentEnd {
    Done,
    /// It never came to run, or what ran did not end well.
    Failed,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Accepted,
    /// There was nothing to delete.
    NotThere,
}

impl Application {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let deployment = fields.object("deployment");
        Some(Self {
            id: fields.text("id").filter(|id| is_application_id(id))?,
            name: fields.text("name").unwrap_or_default(),
            state: fields.text("state").unwrap_or_default(),
            repository_state: deployment.text("repoState").unwrap_or_default(),
            push_url: deployment.text("httpUrl").filter(|url| !url.is_empty()),
            ssh_url: deployment.text("url").filter(|url| !url.is_empty()),
            environment: fields.get("env"),
            created_ms: fields.get("creationDate").unwrap_or_default(),
            flavor: fields.object("instance").object("minFlavor").text("name"),
        })
    }

    /// None, where that is not told.
    pub fn created(&self) -> Option<Timestamp> {
        (self.created_ms > 0).then(|| Timestamp::of_milliseconds(self.created_ms))
    }

    /// Deleted applications linger in answers and lists (3.6).
    pub fn is_going(&self) -> bool {
        self.state == "TO_DELETE" || self.repository_state == "DELETED"
    }

    pub fn has_repository(&self) -> bool {
        self.repository_state == "CREATED"
    }
}

/// An application's id, of whatever form, unless it can't be spoken of: escaped in an address, it must
/// not lead out of its place there.
pub fn is_application_id(id: &str) -> bool {
    let is_step = id.is_empty() || id == "." || id == "..";
    !is_step && id.bytes().all(|b| b.is_ascii_graphic())
}

/// An id that can stand in the path of a URL as it is.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// The API at one address, and its bridge.
#[derive(Clone)]
pub struct Api {
    http: Http,
    pub(super) base: String,
    pub(super) bridge: String,
}

impl Api {
    pub fn new(http: Http, base: &str, bridge: &str) -> Self {
        Self {
            http,
            base: base.to_owned(),
            bridge: bridge.to_owned(),
        }
    }

    pub fn create(&self, account: &Account, wanted: &Wanted<'_>) -> Result<Application, ApiError> {
        let environment: serde_json::Map<_, _> = wanted
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let body = json!({
            "name": wanted.name,
            "description": wanted.name,
            "zone": wanted.zone,
            "deploy": "git",
            "instanceType": "docker",
            "instanceVersion": wanted.instance_version,
            "instanceVariant": wanted.instance_variant,
            "instanceLifetime": "TASK",
            "minInstances": 1,
            "maxInstances": 1,
            "minFlavor": wanted.flavor,
            "maxFlavor": wanted.flavor,
            "env": environment,
        });
        let url = self.applications(account);
        let call = Call::new(Method::POST, &url)
            .about("clever", "create")
            .json(&body)
            .within(CREATION_TIMEOUT);
        self.application(account, call)
    }

    pub fn get(&self, account: &Account, id: &str) -> Result<Application, ApiError> {
        let url = self.one(account, id);
        self.application(
            account,
            usual(Method::GET, "look", &url).within(LOOK_TIMEOUT),
        )
    }

    /// All applications that `wanted` accepts by their name and that are not on their way out,
    /// oldest first. A list may lag behind a creation by seconds (3.11), and holds foreign
    /// applications of any shape.
    pub fn find(
        &self,
        account: &Account,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Application>, ApiError> {
        let url = self.applications(account);
        let answer = self.exchange(
            account,
            usual(Method::GET, "list", &url).at_most(LIST_LIMIT),
        )?;
        let mut found: Vec<_> = json::objects(&answer.body)
            .map_err(|_| ApiError::Garbled)?
            .iter()
            .filter(|fields| fields.text("name").is_some_and(|name| wanted(&name)))
            .filter_map(Application::read)
            .filter(|application| !application.is_going())
            .collect();
        found.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(found)
    }

    /// How many machines an application has, in whatever state (3.7).
    pub fn instances(&self, account: &Account, id: &str) -> Result<usize, ApiError> {
        let url = self.one(account, id) + "/instances";
        let answer = self.exchange(
            account,
            usual(Method::GET, "instances", &url).within(LOOK_TIMEOUT),
        )?;
        let instances = json::objects(&answer.body).map_err(|_| ApiError::Garbled)?;
        Ok(instances.len())
    }

    /// How the latest deployment has come to an end, if it has (3.8).
    pub fn deployment_end(
        &self,
        account: &Account,
        id: &str,
    ) -> Result<Option<DeploymentEnd>, ApiError> {
        let url = self.one(account, id) + "/deployments";
        let answer = self.exchange(
            account,
            usual(Method::GET, "deployments", &url).within(LOOK_TIMEOUT),
        )?;
        let deployments = json::objects(&answer.body).map_err(|_| ApiError::Garbled)?;
        let number = |deployment: &Fields<'_>| -> Option<u64> { deployment.get("id") };
        let latest = deployments
            .iter()
            .max_by_key(|deployment| number(deployment));
        let state = latest.and_then(|deployment| deployment.text("state"));
        Ok(match state.as_deref() {
            Some("OK" | "CANCELLED") => Some(DeploymentEnd::Done),
            Some("FAIL") => Some(DeploymentEnd::Failed),
            _ => None,
        })
    }

    /// Some variables of an application's environment.
    pub fn variables<const N: usize>(
        &self,
        account: &Account,
        application: &Application,
        names: [&str; N],
    ) -> Result<[Option<String>; N], ApiError> {
        let environment = if let Some(environment) = &application.environment {
            environment.clone()
        } else {
            let url = self.one(account, &application.id) + "/env";
            let answer = self.exchange(account, usual(Method::GET, "environment", &url))?;
            serde_json::from_slice(&answer.body).map_err(|_| ApiError::Garbled)?
        };
        Ok(names.map(|name| {
            let found = environment.iter().find(|variable| variable.name == name);
            found.map(|variable| variable.value.clone())
        }))
    }

    /// Replaces the whole environment (3.4).
    pub fn set_environment(
        &self,
        account: &Account,
        id: &str,
        environment: &[(String, String)],
    ) -> Result<(), ApiError> {
        let body: serde_json::Map<_, _> = environment
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let url = self.one(account, id) + "/env";
        let call = Call::new(Method::PUT, &url)
            .about("clever", "environment_write")
            .json(&Value::Object(body));
        self.exchange(account, call).map(drop)
    }

    /// # Errors
    /// Not for an application that is not there: then it is gone, as it should be.
    pub fn delete(&self, account: &Account, id: &str) -> Result<Deletion, ApiError> {
        let url = self.one(account, id);
        match self.exchange(account, usual(Method::DELETE, "delete", &url)) {
            Ok(_) => Ok(Deletion::Accepted),
            Err(error) if error.is_not_there() => Ok(Deletion::NotThere),
            Err(error) => Err(error),
        }
    }

    /// Asks for something that changes nothing: whether the account is good, and what the clock there
    /// says.
    pub fn probe(&self, account: &Account) -> Result<Option<SystemTime>, ApiError> {
        let url = self.applications(account);
        let call = usual(Method::GET, "probe", &url)
            .within(PROBE_TIMEOUT)
            .at_most(LIST_LIMIT);
        Ok(self.exchange(account, call)?.date())
    }

    /// The role of a user's credential in its organization; none, where the members don't say (1.2,
    /// 1.5).
    pub fn role(&self, account: &Account) -> Result<Option<String>, ApiError> {
        let base = self.base_of(account);
        let url = format!("{base}/self");
        let answer = self.exchange(
            account,
            usual(Method::GET, "self", &url).within(PROBE_TIMEOUT),
        )?;
        let user = Fields::read(&answer.body).map_err(|_| ApiError::Garbled)?;
        let Some(user) = user.text("id") else {
            return Ok(None);
        };
        let url = format!("{base}/organisations/{}/members", account.organization);
        let call = usual(Method::GET, "members", &url).within(PROBE_TIMEOUT);
        let answer = self.exchange(account, call.at_most(LIST_LIMIT))?;
        let members = json::objects(&answer.body).map_err(|_| ApiError::Garbled)?;
        let own = members
            .iter()
            .find(|entry| entry.object("member").text("id").as_ref() == Some(&user));
        Ok(own.and_then(|entry| entry.text("role")))
    }

    fn base_of(&self, account: &Account) -> &str {
        if account.credential.needs_bridge() {
            &self.bridge
        } else {
            &self.base
        }
    }

    fn applications(&self, account: &Account) -> String {
        let base = self.base_of(account);
        format!("{base}/organisations/{}/applications", account.organization)
    }

    fn one(&self, account: &Account, id: &str) -> String {
        format!("{}/{}", self.applications(account), segment(id))
    }

    /// A call that is answered with an application.
    fn application(&self, account: &Account, call: Call<'_>) -> Result<Application, ApiError> {
        let answer = self.exchange(account, call)?;
        let fields = Fields::read(&answer.body).map_err(|_| ApiError::Garbled)?;
        Application::read(&fields).ok_or(ApiError::Garbled)
    }

    fn exchange<'a>(&self, account: &'a Account, call: Call<'a>) -> Result<Answer, ApiError> {
        self.exchange_as(&account.credential, call)
    }

    pub(super) fn exchange_as<'a>(
        &self,
        credential: &'a Credential,
        call: Call<'a>,
    ) -> Result<Answer, ApiError> {
        let call = credential.authorize(call);
        let answer = self.http.send(&call).map_err(ApiError::Silence)?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(ApiError::refused(&answer, &call))
    }
}

/// Calls without a body say their content type all the same, as every client of this API does.
pub(super) fn usual<'a>(method: Method, endpoint: &'static str, url: &'a str) -> Call<'a> {
    Call::new(method, url)
        .about("clever", endpoint)
        .header("Content-Type", "application/json")
}
