//! Everything we say to a GitLab or Heptapod instance, as its runner and in the name of its jobs.
//!
//! Written from the GitLab protocol page; each call names its section. A call answers with what
//! follows from the status, in this program's words. It decides nothing: what to do about a
//! cancelled job, or when to ask again, is for the caller.

mod groups;
mod registration;
mod request;
mod trace;

use std::time::Duration;

use serde_json::json;
use ureq::http::Method;

use crate::http::{Answer, Call, Http};
use crate::json::Fields;
use crate::payload::JobCredentials;

pub use groups::{Attributes, NoAttributes};
pub use registration::{NotRegistered, TokenKind};
pub use request::{Grant, Queue, RunnerIdentity};
pub use trace::{Appended, LogProbe};

/// One coordinator. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    http: Http,
    /// `https://host/maybe/a/path/api/v4`
    api: String,
}

/// What a coordinator makes of a job that we hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ours, and it goes on.
    Active,
    /// A user wants it to end, and the coordinator waits for us or the inner runner to say so.
    Canceling,
    /// Nothing more is expected from anybody, for this reason.
    Over(String),
    /// The call was refused without a word on the job: it is not ours any more, or somebody in
    /// between did not like the call.
    Refused(String),
    /// It could not be found out; the text says why.
    Unknown(String),
}

/// What became of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The coordinator has it, or has no use for it any more.
    Done,
    /// The coordinator will never take it; the text says why.
    Refused(String),
    /// Try again later; the text says why.
    Later(String),
}

/// A look is one of many: one that hangs must not make us blind when the coordinator is back.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Not GitLab's `runner_system_failure`: its banner suggests a retry, which would fail alike.
const FAILURE_REASON: &str = "script_failure";
/// Tells our failures from the script's own, as the Python runner's users know them.
const EXIT_CODE: u8 = 103;

impl Coordinator {
    /// `url` is the coordinator's address, maybe with a path, without a trailing slash.
    #[must_use]
    pub fn new(http: Http, url: &str) -> Self {
        Self {
            http,
            api: format!("{url}/api/v4"),
        }
    }

    /// Tells that the job is in our hands, and learns whether it is still wanted. Sections 2.8, 4.
    #[must_use]
    pub fn greet(&self, job: &JobCredentials) -> Standing {
        let body = json!({"token": job.token.reveal(), "state": "running"});
        let url = self.job_url(job);
        let call = Call::new(Method::PUT, &url)
            .secret_header("JOB-TOKEN", "", &job.token)
            .json(&body)
            .within(LOOK_TIMEOUT);
        match self.http.send(&call) {
            Ok(answer) => standing(&call, &answer),
            Err(error) => Standing::Unknown(error.to_string()),
        }
    }

    /// Whether the job still runs; costs the coordinator least. A finished job and an unknown
    /// token look the same here. Section 5.
    #[must_use]
    pub fn look(&self, job: &JobCredentials) -> Standing {
        let url = format!("{}/job", self.api);
        let call = Call::get(&url)
            .secret_header("JOB-TOKEN", "", &job.token)
            .within(LOOK_TIMEOUT);
        match self.http.send(&call) {
            Ok(answer) if answer.is_success() => job_status(&answer),
            Ok(answer) if answer.status == 401 => Standing::Over("it has finished".to_owned()),
            Ok(answer) => Standing::Unknown(answer.describe(&call)),
            Err(error) => Standing::Unknown(error.to_string()),
        }
    }

    /// Ends the job as failed. Section 4; a 202 asks for the same again.
    #[must_use]
    pub fn fail(&self, job: &JobCredentials) -> Delivery {
        let body = json!({
            "token": job.token.reveal(),
            "state": "failed",
            "failure_reason": FAILURE_REASON,
            "exit_code": EXIT_CODE,
        });
        let url = self.job_url(job);
        let call = Call::new(Method::PUT, &url)
            .secret_header("JOB-TOKEN", "", &job.token)
            .json(&body);
        match self.http.send(&call) {
            Ok(answer) => match answer.status {
                200 | 201 | 203..=299 => Delivery::Done,
                403 if self.is_over(&answer, job) => Delivery::Done,
                400 | 422 => Delivery::Refused(answer.describe(&call)),
                _ => Delivery::Later(answer.describe(&call)),
            },
            Err(error) => Delivery::Later(error.to_string()),
        }
    }

    /// Whether it was the coordinator that refused something, and not somebody in between.
    fn is_over(&self, refusal: &Answer, job: &JobCredentials) -> bool {
        let has_word = refusal.header("Job-Status").is_some();
        has_word || matches!(self.look(job), Standing::Over(_))
    }

    fn job_url(&self, job: &JobCredentials) -> String {
        format!("{}/jobs/{}", self.api, job.id)
    }
}

/// The meaning of an answer to PUT and PATCH of a job. Sections 2.6, 3.2 and 4.2.
fn standing(call: &Call<'_>, answer: &Answer) -> Standing {
    let status = answer.header("Job-Status").unwrap_or_default();
    match (answer.status, status) {
        (200..=299, "canceled" | "failed") | (403, "canceled" | "failed" | "success") => {
            Standing::Over(format!("the coordinator says that it is {status}"))
        }
        (200..=299, "canceling") => Standing::Canceling,
        (200..=299, _) => Standing::Active,
        (403, _) => Standing::Refused("it is not ours any more".to_owned()),
        _ => Standing::Unknown(answer.describe(call)),
    }
}

fn job_status(answer: &Answer) -> Standing {
    let status = Fields::read(&answer.body)
        .ok()
        .and_then(|body| body.text("status"));
    match status.as_deref() {
        Some("canceling") => Standing::Canceling,
        Some(status @ ("failed" | "success" | "canceled")) => {
            Standing::Over(format!("the coordinator says that it is {status}"))
        }
        Some(_) => Standing::Active,
        None => Standing::Unknown("an answer without the job's status".to_owned()),
    }
}
