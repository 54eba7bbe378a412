//! What the coordinator sent with a grant, and the few things we read in it.
//!
//! A payload belongs to the inner runner. It is kept as the text that came, so that key order,
//! big numbers and unknown keys pass through unchanged, and a payload that is nested too deeply
//! for a tree can still be refused in proper form. GitLab page, 1.7.

mod dependency_proxy;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::secret::Secret;

/// A job's number at its coordinator. Two coordinators may use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What every call about a job needs: the job's own token is all that its coordinator asks for.
#[derive(Clone, Debug)]
pub struct JobCredentials {
    pub id: JobId,
    pub token: Secret,
}

/// A granted job.
#[derive(Clone, Debug)]
pub struct Payload {
    text: Box<RawValue>,
    pub credentials: JobCredentials,
    /// Where the job's log can be read with a user's token.
    pub project: Option<u64>,
    timeout: Option<Duration>,
    variables: Vec<Variable>,
}

#[derive(Clone, Debug, Deserialize)]
struct Variable {
    key: String,
    #[serde(default)]
    value: String,
}

/// The variables that we act on; the others stay in the text alone.
const READ_VARIABLES: [&str; 2] = [FLAVOR, ROOT_NAMESPACE];
/// GitLab allows a month; a year is as good as no limit, and far from where times end.
const LONGEST_TIMEOUT: u64 = 365 * 24 * 3600;
const FLAVOR: &str = "CI_CLEVER_CLOUD_FLAVOR";
const ROOT_NAMESPACE: &str = "CI_PROJECT_ROOT_NAMESPACE";

impl Payload {
    /// # Errors
    /// A text that says what is missing: without a numeric `id` and a `token` nobody can speak for
    /// the job. Anything else may be absent or strange.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text: Box<RawValue> =
            serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))?;
        Self::from_raw(text)
    }

    /// # Errors
    /// As [`Payload::parse`].
    pub fn from_raw(text: Box<RawValue>) -> Result<Self, String> {
        let fields: HashMap<String, &RawValue> = serde_json::from_str(text.get())
            .map_err(|error| format!("it is not a JSON object: {error}"))?;
        let id = field::<u64>(&fields, "id").ok_or("it has no numeric `id`")?;
        let token = field::<String>(&fields, "token").ok_or("it has no `token`")?;
        let job_info: HashMap<String, &RawValue> = field(&fields, "job_info").unwrap_or_default();
        let project = field(&job_info, "project_id");
        let variables: Vec<&RawValue> = field(&fields, "variables").unwrap_or_default();
        let variables = variables
            .into_iter()
            .filter_map(|variable| serde_json::from_str::<Variable>(variable.get()).ok())
            .filter(|variable| READ_VARIABLES.contains(&variable.key.as_str()))
            .collect();
        let runner_info: HashMap<String, &RawValue> =
            field(&fields, "runner_info").unwrap_or_default();
        let timeout = field::<u64>(&runner_info, "timeout").filter(|seconds| *seconds > 0);
        drop((fields, job_info, runner_info));
        Ok(Self {
            credentials: JobCredentials {
                id: JobId(id),
                token: Secret::new(token),
            },
            project,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.min(LONGEST_TIMEOUT))),
            variables,
            text,
        })
    }

    /// How long the job may take, if that is limited.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The text as it came.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.text
    }

    /// The machine size that the job asks for; a later variable of the same name wins.
    #[must_use]
    pub fn flavor(&self) -> Option<&str> {
        self.variable(FLAVOR).filter(|flavor| !flavor.is_empty())
    }

    /// The path of the top-level group that the job's project belongs to.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.variable(ROOT_NAMESPACE)
            .filter(|group| !group.is_empty())
    }

    fn variable(&self, key: &str) -> Option<&str> {
        let last = self
            .variables
            .iter()
            .rev()
            .find(|variable| variable.key == key)?;
        Some(&last.value)
    }

    /// The job as it is handed on: as it came, but for images that come through the dependency
    /// proxy.
    #[must_use]
    pub fn for_machine(&self) -> String {
        let rewritten = serde_json::from_str(self.text.get())
            .ok()
            .and_then(|mut tree| dependency_proxy::rewrite(&mut tree).then(|| tree.to_string()));
        rewritten.unwrap_or_else(|| self.text.get().to_owned())
    }

    /// Whether programs that build a tree of it can read the payload.
    ///
    /// # Errors
    /// What is in the way, mostly nesting without end.
    pub fn check(&self) -> Result<(), String> {
        let read = serde_json::from_str::<serde_json::Value>(self.text.get());
        read.map(drop).map_err(|error| error.to_string())
    }
}

fn field<'a, T: Deserialize<'a>>(fields: &HashMap<String, &'a RawValue>, key: &str) -> Option<T> {
    serde_json::from_str(fields.get(key)?.get()).ok()
}
