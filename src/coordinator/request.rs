//! Asking for a job. GitLab page, section 1.
//!
//! The coordinator sets a job `running` before it writes its answer, so a request that is cut
//! loses a job for up to an hour: it has minutes of patience, is sent once, and is never aborted.

use std::time::Duration;

use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::Coordinator;
use super::word::Yes;
use crate::http::Call;
use crate::payload::Payload;
use crate::secret::Secret;

/// gitlab-runner waits as long for the first byte of an answer; a long poll is held for 50 s.
const PATIENCE: Duration = Duration::from_secs(600);

/// No real payload comes near; what is larger can't be pushed either.
const PAYLOAD_LIMIT: u64 = 64 << 20;

/// What the inner runner can do. A feature that is missing here makes the coordinator fail the
/// jobs that need it (section 1.2), one too many makes it expect what nobody does.
const FEATURES: [&str; 15] = [
    "upload_multiple_artifacts",
    "upload_raw_artifacts",
    "refspecs",
    "artifacts",
    "artifacts_exclude",
    "multi_build_steps",
    "return_exit_code",
    "raw_variables",
    "cache",
    "masking",
    "variables",
    "image",
    "services",
    "session",
    "terminal",
];
const LACKING: [&str; 2] = ["shared", "proxy"];

/// Who asks: a runner's token, and this installation among all that use the same token.
#[derive(Clone, Debug)]
pub struct RunnerIdentity {
    pub token: Secret,
    pub system_id: String,
}

/// The answer to a request for a job.
#[derive(Debug)]
pub enum Grant {
    Job(Box<Payload>),
    /// Nothing to do; with the value to hand in next time, if there is a new one (section 1.5).
    Nothing {
        last_update: Option<String>,
    },
    /// The coordinator has trouble, or trouble with us; it may have said when to come back.
    Trouble {
        why: String,
        retry_after: Option<Duration>,
    },
}

impl Coordinator {
    /// Asks once. `last_update` is what the last "nothing" came with: it lets the coordinator
    /// answer cheaply, or hold the request until there is something.
    #[must_use]
    pub fn request_job(&self, runner: &RunnerIdentity, last_update: Option<&str>) -> Grant {
        let url = format!("{}/jobs/request", self.api);
        let call = Call::new(Method::POST, &url)
            .conceals(&runner.token)
            .header("Accept", "application/json")
            .json(&body(runner, last_update))
            .within(PATIENCE)
            .held()
            .at_most(PAYLOAD_LIMIT);
        let answer = match self.ask(&call, Yes::Grant) {
            Ok(answer) => answer,
            Err(why) => {
                return Grant::Trouble {
                    retry_after: why.retry_after(),
                    why: why.to_string(),
                };
            }
        };
        match answer.status {
            201 => match Payload::parse(&answer.body) {
                Ok(payload) => Grant::Job(Box::new(payload)),
                Err(why) => trouble(format!(
                    "it granted a job that can't be read, and will fail it for lack of news: {why}"
                )),
            },
            // A bare 204 is also what a long poll says, so something in between can't be told apart.
            204 | 409 => Grant::Nothing {
                last_update: answer
                    .header("X-GitLab-Last-Update")
                    .filter(|value| !value.is_empty())
                    .map(str::to_owned),
            },
            403 => trouble(format!(
                "it does not know this runner's token ({}); check `token`",
                answer.describe(&call)
            )),
            _ => Grant::Trouble {
                why: answer.describe(&call),
                retry_after: answer.retry_after(),
            },
        }
    }
}

fn trouble(why: String) -> Grant {
    Grant::Trouble {
        why,
        retry_after: None,
    }
}

fn body(runner: &RunnerIdentity, last_update: Option<&str>) -> Value {
    let has = FEATURES.iter().map(|feature| (*feature, true));
    let lacks = LACKING.iter().map(|feature| (*feature, false));
    let features: Map<_, _> = has
        .chain(lacks)
        .map(|(feature, present)| (feature.to_owned(), Value::Bool(present)))
        .collect();
    let mut body = json!({
        "token": runner.token.reveal(),
        "system_id": runner.system_id,
        "info": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "platform": "linux",
            "architecture": "amd64",
            "executor": "docker",
            "features": features,
        },
    });
    if let Some(last_update) = last_update {
        body["last_update"] = Value::from(last_update);
    }
    body
}
