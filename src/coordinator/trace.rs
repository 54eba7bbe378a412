//! A job's log: has it begun, and adding to it when nobody else will. GitLab page, sections 3 and 6.
//!
//! The trap (section 3.5): an inner runner skips as many bytes of its own output as others wrote
//! before it. So nothing is written while a machine may still start; looking is free.

use ureq::http::Method;

use super::{Coordinator, LOOK_TIMEOUT, Standing, standing};
use crate::http::Call;
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
    /// The job's standing is another than active.
    Ended(Standing),
    /// It could not be found out; the text says why.
    Unknown(String),
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
        let answer = match self.http.send(&call) {
            Ok(answer) => answer,
            Err(error) => return LogProbe::Unknown(error.to_string()),
        };
        let length = answer.header("Range").and_then(length_of);
        match (answer.status, length) {
            (416, Some(length)) if length > expected_bytes => LogProbe::Grown,
            (416, Some(_)) => LogProbe::Unchanged,
            (200..=299, Some(length)) if length > expected_bytes => LogProbe::Grown,
            _ => match standing(&call, &answer) {
                Standing::Active => LogProbe::Unchanged,
                Standing::Unknown(why) => LogProbe::Unknown(why),
                standing => LogProbe::Ended(standing),
            },
        }
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
            .secret_header("PRIVATE-TOKEN", "", token)
            .at_most(LOG_LIMIT.saturating_add(expected_bytes))
            .within(LOOK_TIMEOUT);
        match self.http.send(&call) {
            Ok(answer) if answer.is_success() && answer.body.len() as u64 > expected_bytes => {
                LogProbe::Grown
            }
            Ok(answer) if answer.is_success() => LogProbe::Unchanged,
            Ok(answer) => LogProbe::Unknown(answer.describe(&call)),
            Err(error) => LogProbe::Unknown(error.to_string()),
        }
    }

    /// Adds `text` to the end of the log, wherever that is. Sent again after a lost answer, it
    /// finds itself already there and adds nothing.
    #[must_use]
    pub fn append_log(&self, job: &JobCredentials, text: &str) -> Appended {
        let url = self.trace_url(job);
        let mut end = 0;
        // The first try tells where the log ends, unless it is empty; the second writes there.
        for _ in 0..3 {
            let call = patch(&url, job, end, text.as_bytes());
            let answer = match self.http.send(&call) {
                Ok(answer) => answer,
                Err(error) => return Appended::Later(error.to_string()),
            };
            match (answer.status, answer.header("Range").and_then(length_of)) {
                (200..=299, _) => return Appended::Done,
                (416, Some(length)) if length == end.saturating_add(text.len() as u64) => {
                    return Appended::Done;
                }
                (416, Some(length)) if length != end => end = length,
                (400, _) => return Appended::Refused(answer.describe(&call)),
                (403, _) if self.is_over(&answer, job) => {
                    return Appended::Refused(answer.describe(&call));
                }
                _ => return Appended::Later(answer.describe(&call)),
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
        .secret_header("JOB-TOKEN", "", &job.token)
        .header("Content-Range", format!("{start}-{last}"))
        .text(body)
}

/// `0-<length>`: the second number is the log's length, not its last index.
fn length_of(range: &str) -> Option<u64> {
    range.split_once('-')?.1.trim().parse().ok()
}
