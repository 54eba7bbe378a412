//! Whose word an answer is: the coordinator's own, or that of something in between.
//!
//! Proxies that sign people in, balancers in maintenance, and company gateways answer in the
//! coordinator's stead, with any status. So no status means anything by itself: [`Coordinator::ask`]
//! hands on an answer only if it has a shape that GitLab gives to answers of that call (GitLab page,
//! section 0 and those of the calls), and what a call makes of its answers is built on that. What
//! has no such shape is trouble, whatever it says, and decides nothing.
//!
//! | call | its own yes ([`Yes`]) | its own refusals, and what is made of them |
//! | --- | --- | --- |
//! | GET job | 200, JSON with the job's `id` and its `status` | 401: refused |
//! | PUT job, PATCH trace | 2xx, a number, or `Job-Status`, or `Range: 0-<length>` | 403 with `Job-Status`: over; 403: refused; 416 with `Range`: the log's length; 400: never |
//! | GET trace | 200, plain text to be saved as a file | unknown, as all the rest |
//! | POST jobs/request | 201, no page; 204, whoever sent it: it has nothing to be known by | 409: nothing; 403: the token |
//! | POST runners, verify | 2xx, JSON with `id` or `token`, or a number | each by its status |
//! | DELETE runners | 204, whoever sent it | each by its status |
//! | GET attributes | 200, a JSON list | 404: no such group; 401 403: the token |
//!
//! A refusal is own by its JSON: `message` begins with the status (`403 Forbidden - why`; a gateway
//! says `Forbidden`), or `error` is a complaint about one of our parameters, with 400, or begins with
//! the status, with 401, 403 and 416. A `Job-Status` is own with any of them. A misdirected request gets
//! `{"error":"404 Not Found"}` from GitLab itself, which says nothing of a job, and is trouble, too.

use std::fmt;
use std::time::Duration;

use super::Coordinator;
use crate::http::{Answer, Call, NoAnswer};
use crate::json::Fields;
use crate::names::JobId;
use crate::stranger;

/// What the coordinator's own yes looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Yes {
    /// A job's news were taken.
    Taken,
    /// This job, as JSON.
    Job(JobId),
    /// A job's log, as its readers get it.
    Log,
    /// A job, or nothing to do.
    Grant,
    /// A runner, as JSON; older coordinators say the status as text.
    Runner,
    /// A runner is no more.
    Gone,
    List,
}

/// Nothing of the coordinator's own came back.
pub(super) enum NotOwn {
    Nothing(NoAnswer),
    /// Something in between answered, or the coordinator in words that are not known.
    Stranger {
        status: u16,
        why: String,
        /// Where it sends us, without what may be secret in that.
        redirects_to: Option<String>,
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for NotOwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(error) => error.fmt(f),
            Self::Stranger { why, .. } => f.write_str(why),
        }
    }
}

impl NotOwn {
    /// The pause that is asked for: it costs nothing to believe that.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Nothing(_) => None,
            Self::Stranger { retry_after, .. } => *retry_after,
        }
    }
}

impl Coordinator {
    /// Sends `call` once, and hands on the coordinator's own answer only.
    ///
    /// # Errors
    /// [`NotOwn`], which decides nothing.
    pub(super) fn ask(&self, call: &Call<'_>, yes: Yes) -> Result<Answer, NotOwn> {
        let answer = self.http.send(call).map_err(NotOwn::Nothing)?;
        own(answer, yes, call)
    }
}

pub(super) fn own(answer: Answer, yes: Yes, call: &Call<'_>) -> Result<Answer, NotOwn> {
    let is_own = match answer.status {
        200..=299 => yes.is(&answer),
        400.. => is_refusal(&answer),
        _ => false,
    };
    if is_own {
        return Ok(answer);
    }
    let what = stranger::describe(&answer, call);
    let why = format!("{what}, which is not the coordinator's own answer");
    Err(NotOwn::Stranger {
        status: answer.status,
        why,
        redirects_to: stranger::redirection(&answer, call),
        retry_after: answer.retry_after(),
    })
}

/// The log's length in an answer's `Range: 0-<length>`: not its last index.
pub(super) fn log_length(answer: &Answer) -> Option<u64> {
    let length = answer.header("Range")?.strip_prefix("0-")?;
    length.trim().parse().ok()
}

/// The job's status, where a header tells it.
pub(super) fn job_status(answer: &Answer) -> Option<&str> {
    answer
        .header("Job-Status")
        .filter(|status| !status.is_empty())
}

impl Yes {
    fn is(self, answer: &Answer) -> bool {
        let body = Fields::read(&answer.body).unwrap_or_default();
        match self {
            Self::Taken => {
                job_status(answer).is_some() || log_length(answer).is_some() || is_bare_word(answer)
            }
            Self::Job(id) => body.get("id") == Some(id.0) && body.text("status").is_some(),
            Self::Log => {
                let kind = answer.header("Content-Type").unwrap_or_default();
                let is_text = kind.to_ascii_lowercase().starts_with("text/plain");
                is_text && answer.header("Content-Disposition").is_some()
            }
            Self::Grant => match answer.status {
                201 => !is_page(answer),
                status => status == 204,
            },
            Self::Runner => {
                let has_id = body.get::<u64>("id").is_some();
                has_id || body.text("token").is_some() || is_bare_word(answer)
            }
            Self::Gone => answer.status == 204,
            Self::List => {
                serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(&answer.body).is_ok()
            }
        }
    }
}

/// `200`, or another small one, maybe as a JSON string; or a JSON word, as an endpoint gives it that
/// has nothing to say.
fn is_bare_word(answer: &Answer) -> bool {
    let text = answer.body.trim_ascii();
    if [b"null".as_slice(), b"true"].contains(&text) {
        return true;
    }
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    !text.is_empty() && text.len() < 20 && text.iter().all(u8::is_ascii_digit)
}

fn is_page(answer: &Answer) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}

fn is_refusal(answer: &Answer) -> bool {
    /// What we send, and what is validated in it.
    const PARAMETERS: [&str; 12] = [
        "id",
        "token",
        "state",
        "failure_reason",
        "exit_code",
        "system_id",
        "last_update",
        "info",
        "description",
        "active",
        "paused",
        "job_token",
    ];
    if job_status(answer).is_some() {
        return true;
    }
    if answer.status == 416 && log_length(answer).is_some() {
        return true;
    }
    let Ok(body) = Fields::read(&answer.body) else {
        return false;
    };
    let status = answer.status.to_string();
    let says = |key, is: &dyn Fn(&str) -> bool| body.text(key).is_some_and(|text| is(&text));
    let begins = |text: &str| text.split(' ').next() == Some(&status);
    let complains = |text: &str| {
        let name = text.split([' ', ',', '[']).next();
        name.is_some_and(|name| PARAMETERS.contains(&name)) && text.contains(' ')
    };
    says("message", &begins)
        || match answer.status {
            400 => says("error", &complains),
            401 | 403 | 416 if says("error", &begins) => true,
            // Without its status in some versions (section 1.2).
            403 | 422 => says("message", &|text| text.contains("Runner is orphaned")),
            _ => false,
        }
}
