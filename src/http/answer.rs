//! What a service answered, and what any answer tells whatever the service: its headers, and the text
//! of an error for people.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

use super::{Call, SHOWN};
use crate::clock;
use crate::foreign::{Keep, one_line};

/// A balancer that asks for more patience than this is broken; we ask again.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// What came back, whatever its status.
pub struct Answer {
    pub status: u16,
    pub(super) headers: HeaderMap,
    pub body: Vec<u8>,
    /// Why the body is not whole; only the answer to a call that may be held.
    pub cut: Option<String>,
}

impl Answer {
    /// One that no service gave, for tests of what answers mean.
    ///
    /// # Panics
    /// On what is no header.
    #[cfg(test)]
    #[must_use]
    pub fn made(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let mut made = HeaderMap::new();
        for (name, value) in headers {
            made.insert(*name, value.parse().expect("a header's value"));
        }
        Self {
            status,
            headers: made,
            cut: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the clock of the service said.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        clock::http_date(self.header("Date")?)
    }

    /// The pause that the service asks for, in whole seconds (dates are not understood: then the
    /// caller's own pause is used).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("Retry-After")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
    }

    /// What the service says about its answer, on one line, for an error: the status and the text
    /// of the usual JSON error shapes of both services (both protocol pages, conventions), never
    /// the page of a proxy. Secrets of `call` are taken out.
    #[must_use]
    pub fn describe(&self, call: &Call<'_>) -> String {
        let Some(message) = self.message() else {
            return format!("status {}", self.status);
        };
        let line = one_line(&call.scrub(message), Keep::Start(SHOWN));
        format!("status {} ({line})", self.status)
    }

    /// The text of the usual JSON error shapes of both services.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        ["message", "error"]
            .iter()
            .filter_map(|key| body.get(key))
            .find_map(|text| text.as_str().or_else(|| text.get("error")?.as_str()))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }
}
