//! What went wrong with a call of Clever Cloud's API, and who says so. Clever page, body conventions,
//! 3.10 and 3.11.

use std::fmt;
use std::time::Duration;

use crate::http::{Answer, Call, NoAnswer};
use crate::json::Fields;
use crate::stranger;

/// "The specified instance does not exist": a stale version, or a wrong variant. These are of 3.10.
const NO_SUCH_INSTANCE: i64 = 9017;
const NO_SUCH_APPLICATION: i64 = 4004;
/// Not at this organization; with 403 or 404, and not a matter of credentials.
const NOT_YOURS: i64 = 4002;

#[derive(Debug)]
pub enum ApiError {
    Silence(NoAnswer),
    /// A status that is not a success.
    Status {
        status: u16,
        /// Who says so.
        speaker: Speaker,
        text: String,
        retry_after: Option<Duration>,
    },
    /// A success without the object that belongs to it.
    Garbled,
}

/// Between us and Clever Cloud stand proxies, balancers and gateways, which answer by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Its own error has `type` and `message`, and nearly always a number for the reason (Clever
    /// page, body conventions).
    CleverCloud { id: Option<i64> },
    /// Anything else. It knows nothing of applications: what it says is trouble, and never final.
    InBetween,
}

impl Speaker {
    fn of(body: &[u8]) -> Self {
        let Ok(body) = Fields::read(body) else {
            return Self::InBetween;
        };
        let is_error = body.text("type").as_deref() == Some("error");
        if is_error && body.text("message").is_some() {
            Self::CleverCloud { id: body.get("id") }
        } else {
            Self::InBetween
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence(error) => error.fmt(f),
            Self::Status { text, .. } => f.write_str(text),
            Self::Garbled => f.write_str("a success without a readable answer"),
        }
    }
}

impl ApiError {
    /// An answer to `call` that is not a success. What stands in between is told by its marks.
    pub fn refused(answer: &Answer, call: &Call<'_>) -> Self {
        let speaker = Speaker::of(&answer.body);
        let text = match speaker {
            Speaker::CleverCloud { .. } => answer.describe(call),
            Speaker::InBetween => stranger::describe(answer, call),
        };
        Self::Status {
            status: answer.status,
            speaker,
            text,
            retry_after: answer.retry_after(),
        }
    }

    /// Whether what was asked for may have been done all the same. Clever page, 3.11. An answer from
    /// in between does not say what happened behind it.
    pub const fn may_have_been_done(&self) -> bool {
        match self {
            Self::Silence(error) => error.may_have_been_done,
            Self::Status {
                status, speaker, ..
            } => *status >= 500 || *status == 408 || matches!(speaker, Speaker::InBetween),
            Self::Garbled => true,
        }
    }

    /// Whether the same call may work later.
    pub const fn may_pass(&self) -> bool {
        match self.own_word() {
            None => true,
            Some((status, _)) => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
        }
    }

    pub const fn is_refused_credentials(&self) -> bool {
        matches!(self.own_word(), Some((401 | 403, id)) if !matches!(id, Some(NOT_YOURS)))
    }

    /// The call itself is not allowed, with a credential that is good for others.
    pub const fn is_forbidden(&self) -> bool {
        matches!(self.own_word(), Some((403, _))) && self.is_refused_credentials()
    }

    /// Clever Cloud's own no, that will be the same tomorrow.
    pub const fn is_final(&self) -> bool {
        self.own_word().is_some() && !self.may_pass()
    }

    pub const fn is_bad_request(&self) -> bool {
        matches!(
            self.own_word(),
            Some((400, _) | (_, Some(NO_SUCH_INSTANCE)))
        )
    }

    /// No such application, or none at this organization.
    pub const fn is_not_there(&self) -> bool {
        matches!(
            self.own_word(),
            Some((_, Some(NO_SUCH_APPLICATION | NOT_YOURS)))
        )
    }

    /// Status and reason of Clever Cloud's own refusal.
    const fn own_word(&self) -> Option<(u16, Option<i64>)> {
        match self {
            Self::Status {
                status,
                speaker: Speaker::CleverCloud { id },
                ..
            } => Some((*status, *id)),
            _ => None,
        }
    }

    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
