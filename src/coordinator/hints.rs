//! What to do about an instance that does not answer as one, or does not know us.
//!
//! A status alone tells an operator little, and often the cause is a letter in the configuration.
//! Each of the usual mistakes is known by what comes back.

use super::NotRegistered;
use super::word::NotOwn;

/// What came back, without what to do.
#[must_use]
pub fn told(trouble: &NotRegistered) -> String {
    match trouble {
        NotRegistered::Refused { status, text } => format!("status {status}, {text}"),
        NotRegistered::Stranger { text, .. } => text.clone(),
        NotRegistered::Elsewhere { status, address } => {
            format!("status {status}, a redirection to {address}")
        }
        NotRegistered::NoToken => "an answer without a token".to_owned(),
        NotRegistered::NoAnswer { why, .. } => why.clone(),
    }
}

/// What to do about a token that could not be verified; none, where waiting may be enough.
#[must_use]
pub fn remedy(url: &str, trouble: &NotRegistered) -> Option<&'static str> {
    match trouble {
        NotRegistered::Refused { status, .. } => match status {
            401 | 403 => Some(UNKNOWN_TOKEN),
            422 => Some(
                "the group or project of the runner is gone: create a new runner, and write its \
                 token into `token`",
            ),
            _ => None,
        },
        NotRegistered::Stranger { status, text } => of_status(url, *status, text),
        NotRegistered::Elsewhere { .. } => Some(ELSEWHERE),
        NotRegistered::NoToken => None,
        NotRegistered::NoAnswer { why, .. } => of_silence(url, why),
    }
}

/// The same about an answer of any other call.
pub(super) fn of(url: &str, trouble: &NotOwn) -> Option<&'static str> {
    match trouble {
        NotOwn::Nothing(error) => of_silence(url, &error.to_string()),
        NotOwn::Stranger {
            redirects_to: Some(_),
            ..
        } => Some(ELSEWHERE),
        NotOwn::Stranger { status, why, .. } => of_status(url, *status, why),
    }
}

pub(super) const UNKNOWN_TOKEN: &str = "no runner with this token is known there: it was deleted, \
    its token was reset or has ended, or it is of another instance; check `token` and `url`";
const ELSEWHERE: &str = "write the address to which it redirects into `url`";
const SPEAKS_TLS: &str = "this port speaks https: begin `url` with https://";

fn of_status(url: &str, status: u16, text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let names_tls = ["https port", "https server", "plain http request"];
    if url.starts_with("http://") && names_tls.iter().any(|words| text.contains(words)) {
        return Some(SPEAKS_TLS);
    }
    match status {
        404 | 405 => Some(
            "there is no GitLab or Heptapod at this address: `url` is that of the instance, with \
             its path if it has one, and without /api/v4",
        ),
        408 | 425 | 429 | 500.. => None,
        _ => Some("check `url`, and what stands between: a proxy that wants a sign-in, a firewall"),
    }
}

fn of_silence(url: &str, why: &str) -> Option<&'static str> {
    let why = why.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| why.contains(words));
    if says(&[
        "host not found",
        "lookup address",
        "name or service",
        "name resolution",
    ]) {
        Some("no such host is known: check `url`")
    } else if says(&["in time (connect)", "in time (resolve)"]) {
        Some("nobody answers there: check host and port in `url`, and firewalls between")
    } else if says(&["connection refused"]) {
        Some("nobody listens there: check host and port in `url`")
    } else if says(&["does not speak tls"]) {
        Some("begin `url` with http://, or name another port")
    } else if url.starts_with("http://") && says(&["protocol", "invalid http"]) {
        Some(SPEAKS_TLS)
    } else {
        None
    }
}
