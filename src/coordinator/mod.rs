//! Everything we say to a GitLab or Heptapod instance, as its runner and in the name of its jobs.
//!
//! Written from the GitLab protocol page; each call names its section. A call answers with what
//! follows from the coordinator's own word, in this program's words; whose word an answer is, is
//! decided in [`word`] alone. What to do about a cancelled job, or when to ask again, is for the
//! caller.

mod groups;
pub mod hints;
mod registration;
mod request;
mod standing;
#[cfg(test)]
mod tests;
mod trace;
mod word;

use serde_json::json;
use ureq::http::Method;

use self::standing::standing;
use self::word::Yes;
use crate::http::{Answer, Call, Http};
use crate::payload::{FailureReason, JobCredentials};

pub use groups::{Attributes, NoAttributes};
pub use registration::{NotRegistered, TokenKind, Verified};
pub use request::{Grant, Queue, RunnerIdentity};
pub use standing::{Ask, Heard, SAYS, Standing};
pub use trace::{Appended, LogProbe};

/// One coordinator. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    http: Http,
    /// `https://host/maybe/a/path/api/v4`
    api: String,
}

/// What became of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The coordinator has it, or has no use for it any more.
    Done,
    /// The coordinator will never take it; the text says why.
    Refused(String),
    /// The job may be over, and nothing expected any more, if this is still so in a while.
    RefusedTwice(String),
    /// Try again later; the text says why.
    Later(String),
}

/// Tells our failures from the script's own, as the Python runner's users know them.
const EXIT_CODE: u8 = 103;

/// Behind the address of every instance.
const API: &str = "/api/v4";

impl Coordinator {
    /// `url` is the coordinator's address, maybe with a path, without a trailing slash.
    #[must_use]
    pub fn new(http: Http, url: &str) -> Self {
        Self {
            http,
            api: format!("{url}{API}"),
        }
    }

    /// Its address, as it is written in the configuration.
    #[must_use]
    pub fn url(&self) -> &str {
        self.api.strip_suffix(API).unwrap_or(&self.api)
    }

    /// Ends the job as failed. Section 4; a 202 asks for the same again.
    #[must_use]
    pub fn fail(&self, job: &JobCredentials, reason: FailureReason) -> Delivery {
        let body = json!({
            "token": job.token.reveal(),
            "state": "failed",
            "failure_reason": reason.name(),
            "exit_code": EXIT_CODE,
        });
        let url = self.job_url(job);
        let call = Call::new(Method::PUT, &url)
            .about("coordinator", "job_verdict")
            .secret_header("JOB-TOKEN", "", &job.token)
            .json(&body);
        let answer = self.ask(&call, Yes::Taken);
        match answer.as_ref().map(|answer| answer.status) {
            Ok(202) => return Delivery::Later("it asks for the same again".to_owned()),
            Ok(200..=299) => return Delivery::Done,
            _ => {}
        }
        let why = match &answer {
            Ok(answer) => answer.describe(&call),
            Err(why) => why.to_string(),
        };
        let said = standing(&call, &answer);
        match (answer, self.settle(job, Ask::Greeting, said).standing) {
            (_, Standing::Over(_)) => Delivery::Done,
            (_, Standing::RefusedTwice(_)) => Delivery::RefusedTwice(why),
            (
                Ok(Answer {
                    status: 400 | 422, ..
                }),
                _,
            ) => Delivery::Refused(why),
            _ => Delivery::Later(why),
        }
    }

    fn job_url(&self, job: &JobCredentials) -> String {
        format!("{}/jobs/{}", self.api, job.id)
    }
}
