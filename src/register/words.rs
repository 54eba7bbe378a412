//! What an answer means that was not the hoped for one, and what to do about it.

use crate::clever::ApiError;
use crate::clock::Timestamp;
use crate::config::values::AuthKind;
use crate::coordinator::hints::told;
use crate::coordinator::{NotRegistered, TokenKind, Verified};

/// For the operator: what was tried, what came back, what to do.
pub fn not_registered(url: &str, kind: TokenKind, trouble: &NotRegistered) -> String {
    let tried = match kind {
        TokenKind::Registration => format!("cannot register the runner at {url}"),
        TokenKind::Authentication => format!("cannot verify the runner's token at {url}"),
    };
    let advice = match trouble {
        NotRegistered::Refused { status, .. } => refused(*status, kind),
        NotRegistered::Stranger { status, .. } => answered_by_a_stranger(*status),
        NotRegistered::Elsewhere { .. } => "Give the address to which it redirects",
        NotRegistered::NoToken => "Look there whether it is in the list of runners, and remove it",
        NotRegistered::NoAnswer {
            may_have_been_done, ..
        } => unanswered(*may_have_been_done, kind),
    };
    format!("{tried}: {}. {advice}", told(trouble))
}

/// The same of a runner that should be forgotten.
pub fn not_unregistered(url: &str, trouble: &NotRegistered) -> String {
    let advice = match trouble {
        NotRegistered::Refused { status, .. } => refused(*status, TokenKind::Authentication),
        NotRegistered::Stranger { status, .. } => answered_by_a_stranger(*status),
        _ => "Look there into the list of runners, and try again",
    };
    format!(
        "cannot unregister the runner at {url}: {}. {advice}",
        told(trouble)
    )
}

/// The same of an address at which there should be a coordinator.
pub fn no_coordinator(url: &str, trouble: &NotRegistered) -> String {
    let advice = match trouble {
        NotRegistered::Elsewhere { .. } => "Give the address to which it redirects",
        NotRegistered::NoAnswer { .. } => unanswered(false, TokenKind::Authentication),
        NotRegistered::Refused { status, .. } | NotRegistered::Stranger { status, .. } => {
            match status {
                404 | 405 => refused(*status, TokenKind::Authentication),
                _ => {
                    "Check the address, and what stands between (a proxy that wants a sign-in, a firewall)"
                }
            }
        }
        NotRegistered::NoToken => "Check the address",
    };
    format!(
        "no GitLab or Heptapod answers at {url}: {}. {advice}",
        told(trouble)
    )
}

/// What a coordinator knows of a runner.
pub fn known_runner(known: &Verified) -> String {
    let id = known.id.map_or_else(String::new, |id| format!(" {id}"));
    let until = known.expires.map(Timestamp::date);
    let until = until.map_or_else(String::new, |moment| format!(", until {moment}"));
    format!("the token is that of runner{id} there{until}")
}

/// Clever Cloud does not let this credential, or this organization, in; `other` is the kind as which
/// it would.
pub fn account_refused(
    organization: &str,
    kind: AuthKind,
    other: Option<AuthKind>,
    error: &ApiError,
) -> String {
    let advice = match other {
        Some(other) => format!(
            "It is not {}, but {}: the kind is {:?}",
            kind.described(),
            other.described(),
            other.name()
        ),
        None => format!(
            "It is taken as {}; check its kind, and the organization's id",
            kind.described()
        ),
    };
    format!("Clever Cloud refuses this credential for {organization}: {error}. {advice}")
}

const fn refused(status: u16, kind: TokenKind) -> &'static str {
    match (status, kind) {
        (410, TokenKind::Registration) => {
            "Registration tokens are switched off there, as they are by default since GitLab 17. \
             Create the runner in its web pages (of the instance, a group or a project: CI/CD, \
             Runners, New runner) and give the token that is shown there, \"glrt-...\""
        }
        (401 | 403, TokenKind::Registration) => {
            "This registration token is not valid there: copy it again, and check that it is of \
             this instance. If it is the token of a runner that exists already, there is nothing \
             to register: write it into the configuration by hand"
        }
        (401 | 403, TokenKind::Authentication) => {
            "No runner with this token is known there: it was deleted, its token was reset or has \
             expired, or it is of another instance. Check the address, or create the runner anew"
        }
        (422, TokenKind::Authentication) => {
            "The runner has lost its owner: the group or project for which it was created is gone. \
             Create a new runner there"
        }
        (400 | 422, _) => "The instance does not accept what it was told; its text says why",
        (404 | 405, _) => {
            "There is no runners' API below this address: check it, with its path if the instance \
             is not at the root of its host"
        }
        (429, _) => "The instance has been asked too often: try again in some minutes",
        (500..=599, _) => "The instance has trouble: try again later",
        _ => "This is not what such an instance answers: check the address",
    }
}

/// Whatever it says of a token, the instance has not said it.
const fn answered_by_a_stranger(status: u16) -> &'static str {
    match status {
        404 | 405 | 429 | 500..=599 => refused(status, TokenKind::Authentication),
        _ => {
            "This is not what such an instance answers: check the address, and what stands \
             between (a proxy that wants a sign-in, a firewall). A runner may have been registered \
             all the same: look there into the list of runners"
        }
    }
}

const fn unanswered(may_have_been_done: bool, kind: TokenKind) -> &'static str {
    match (may_have_been_done, kind) {
        (true, TokenKind::Registration) => {
            "The runner may be registered all the same: look there into the list of runners, and \
             remove it before trying again"
        }
        _ => {
            "Check the address and the network; for a certificate of an authority of your own, \
             set SSL_CERT_FILE"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::not_registered;
    use crate::coordinator::{NotRegistered, TokenKind};

    #[test]
    fn each_refusal_says_what_to_do() {
        let told = |status, kind| {
            let text = "{\"message\":\"no\"}".to_owned();
            let trouble = NotRegistered::Refused { status, text };
            not_registered("https://x", kind, &trouble)
        };
        let gone = told(410, TokenKind::Registration);
        assert!(
            gone.contains("status 410") && gone.contains("glrt-"),
            "{gone}"
        );
        let forbidden = told(403, TokenKind::Registration);
        assert!(forbidden.contains("not valid"), "{forbidden}");
        let unknown = told(403, TokenKind::Authentication);
        assert!(unknown.contains("No runner with this token"), "{unknown}");
        let trouble = NotRegistered::Stranger {
            status: 403,
            text: "status 403 (a page)".to_owned(),
        };
        let page = not_registered("https://x", TokenKind::Authentication, &trouble);
        assert!(!page.contains("token is"), "{page}");
        assert!(page.contains("what stands between"), "{page}");
        let orphan = told(422, TokenKind::Authentication);
        assert!(orphan.contains("lost its owner"), "{orphan}");
    }
}
