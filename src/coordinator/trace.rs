//! A job's log: has it begun, and adding to it when nobody else will. GitLab page, sections 3 and 6.
//!
//! The trap (section 3.5): an inner runner skips as many bytes of its own output as others wrote
//! before it. So nothing is written while a machine may still start; looking is free.

use ureq::http::Method;

use super::Coordinator;
use super::standing::{Ask, LOOK_TIMEOUT, Standing, standing};
use super::word::{NotOwn, Yes, log_length};
use crate::http::{Answer, Call};
use crate::names::ProjectId;
use crate::payload::JobCredentials;
use crate::secret::Secret;

/// The whole log comes with every look by a user's token; more than this is "it has grown" too.
const LOG_LIMIT: u64 = 1 << 20;

/// What a look at the log says.
#[derive(Debug, PartialEq, Eq)]
pub enum LogProbe {
    /// As long as expected.
    Unchanged,
    /// The inner runner has written.
    Grown,
    /// Nothing about its length, but how the job stands, which is not active.
    Besides(Standing),
}

impl LogProbe {
    /// None when nothing was said of its length.
    #[must_use]
    pub const fn has_grown(&self) -> Option<bool> {
        match self {
            Self::Unchanged => Some(false),
            Self::Grown => Some(true),
            Self::Besides(_) => None,
        }
    }

    /// A log that can be written to is an active job's.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            Self::Unchanged | Self::Grown => Standing::Active,
            Self::Besides(standing) => standing,
        }
    }
}

/// What became of a text for the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    Done,
    /// The job takes no more text.
    Refused(String),
    Later(String),
}

impl Coordinator {
    /// Compares the log's length with `expected_bytes` without writing: an empty patch (section 3.4).
    /// With `expected_bytes` right it counts as a sign of life of the job, so it must not be used
    /// once the inner runner was seen.
    #[must_use]
    pub fn probe_log(&self, job: &JobCredentials, expected_bytes: u64) -> LogProbe {
        let url = self.trace_url(job);
        let call = patch(&url, job, expected_bytes, &[]).within(LOOK_TIMEOUT);
        probed(&call, &self.ask(&call, Yes::Taken), expected_bytes)
    }

    /// The same with a user's token that may read all logs (section 6.1); `project` is the job's.
    #[must_use]
    pub fn read_log(
        &self,
        job: &JobCredentials,
        project: ProjectId,
        token: &Secret,
        expected_bytes: u64,
    ) -> LogProbe {
        let url = format!("{}/projects/{project}/jobs/{}/trace", self.api, job.id);
        let call = Call::get(&url)
            .about("coordinator", "log_read")
            .secret_header("PRIVATE-TOKEN", "", token)
            .at_most(LOG_LIMIT.saturating_add(expected_bytes))
            .within(LOOK_TIMEOUT);
        read(&call, &self.ask(&call, Yes::Log), expected_bytes)
    }

    /// Adds `text` to the end of the log, wherever that is. Sent again after a lost answer, it
    /// finds itself already there and adds nothing.
    #[must_use]
    pub fn append_log(&self, job: &JobCredentials, text: &str) -> Appended {
        let url = self.trace_url(job);
        let mut end = 0;
        // The first try tells where the log ends, unless it is empty; the second writes there.
        for _ in 0..3 {
            let call = patch(&url, job, end, text.as_bytes()).within(LOOK_TIMEOUT);
            let answer = match self.ask(&call, Yes::Taken) {
                Ok(answer) => answer,
                Err(why) => return Appended::Later(why.to_string()),
            };
            match (answer.status, log_length(&answer)) {
                (200..=299, _) => return Appended::Done,
                (416, Some(length)) if length == end.saturating_add(text.len() as u64) => {
                    return Appended::Done;
                }
                (416, Some(length)) if length != end => end = length,
                (400, _) => return Appended::Refused(answer.describe(&call)),
                _ => {
                    let why = answer.describe(&call);
                    let said = standing(&call, &Ok(answer));
                    return match self.settle(job, Ask::Log, said).standing {
                        Standing::Over(_) | Standing::RefusedTwice(_) => Appended::Refused(why),
                        _ => Appended::Later(why),
                    };
                }
            }
        }
        Appended::Later("somebody else is writing to the log".to_owned())
    }

    fn trace_url(&self, job: &JobCredentials) -> String {
        format!("{}/jobs/{}/trace", self.api, job.id)
    }
}

/// Section 3.1: the server reads only the start of the range.
fn patch<'a>(url: &'a str, job: &'a JobCredentials, start: u64, body: &[u8]) -> Call<'a> {
    let end = start.saturating_add(body.len() as u64);
    let last = end.saturating_sub(u64::from(!body.is_empty()));
    Call::new(Method::PATCH, url)
        .about("coordinator", "log")
        .secret_header("JOB-TOKEN", "", &job.token)
        .header("Content-Range", format!("{start}-{last}"))
        .text(body)
}

pub(super) fn probed(
    call: &Call<'_>,
    answer: &Result<Answer, NotOwn>,
    expected_bytes: u64,
) -> LogProbe {
    if let Ok(answer) = answer
        && matches!(answer.status, 200..=299 | 416)
    {
        match log_length(answer) {
            Some(length) if length > expected_bytes => return LogProbe::Grown,
            Some(_) if answer.status == 416 => return LogProbe::Unchanged,
            _ => {}
        }
    }
    match standing(call, answer) {
        Standing::Active => LogProbe::Unchanged,
        other => LogProbe::Besides(other),
    }
}

pub(super) fn read(
    call: &Call<'_>,
    answer: &Result<Answer, NotOwn>,
    expected_bytes: u64,
) -> LogProbe {
    let unknown = |why| LogProbe::Besides(Standing::Unknown(why));
    match answer {
        Ok(answer) if !answer.is_success() => unknown(answer.describe(call)),
        Ok(answer) if answer.body.len() as u64 > expected_bytes => LogProbe::Grown,
        Ok(_) => LogProbe::Unchanged,
        Err(why) => unknown(why.to_string()),
    }
}
