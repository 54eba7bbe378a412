//! How a runner becomes known to a coordinator, learns that it is, and is forgotten. GitLab page,
//! section 7.
//!
//! No call is ever repeated: a registration whose answer was lost may have been done, and a
//! second one would leave two runners behind. The tokens are in no text that comes from here.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use ureq::http::Method;

use super::Coordinator;
use super::word::{NotOwn, Yes};
use crate::clock::Timestamp;
use crate::foreign::{Keep, one_line};
use crate::http::{Answer, Call};
use crate::json::Fields;
use crate::secret::Secret;

/// As much of a refusal as a person reads.
const SHOWN: usize = 200;
/// Somebody waits at a terminal to hear whether an address is right.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Lets one register new runners.
    Registration,
    /// Is a runner's own.
    Authentication,
}

/// What comes with the word that a token is a runner's.
#[derive(Debug)]
pub struct Verified {
    /// Its number there. Old instances don't tell it.
    pub id: Option<u64>,
    /// When the token ends, if it does.
    pub expires: Option<Timestamp>,
    /// What the clock there says.
    pub date: Option<SystemTime>,
}

/// Why there is no runner.
#[derive(Debug, PartialEq, Eq)]
pub enum NotRegistered {
    /// The coordinator's status, and what it said.
    Refused { status: u16, text: String },
    /// Something in between answered, or what is no coordinator at all; the text says what.
    Stranger { status: u16, text: String },
    /// It redirects; the text is the address without what may be secret in it.
    Elsewhere { status: u16, address: String },
    /// It said yes, but not what the new runner's token is.
    NoToken,
    /// Nothing came back; the request may have been carried out all the same.
    NoAnswer {
        why: String,
        may_have_been_done: bool,
    },
}

impl TokenKind {
    /// Section 7.4. An instance may put a prefix of its own before `glrt-`. Tokens of old instances
    /// have no shape by which they could be told: none.
    #[must_use]
    pub fn of(token: &Secret) -> Option<Self> {
        let token = token.reveal();
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| token.starts_with(prefix));
        if begins(&["GR1348941", "glrtr-"]) {
            Some(Self::Registration)
        } else if token.contains("glrt-") || begins(&["t1_", "t2_", "t3_"]) {
            Some(Self::Authentication)
        } else {
            None
        }
    }
}

impl Coordinator {
    /// Whether there is a runners' API at all. It is asked about no token, which it refuses in its own
    /// words, and nothing changes.
    ///
    /// # Errors
    /// [`NotRegistered`], when something else answers, or nothing.
    pub fn probe(&self) -> Result<(), NotRegistered> {
        let url = format!("{}/runners/verify", self.api);
        let call = Call::new(Method::POST, &url)
            .about("coordinator", "probe")
            .header("Accept", "application/json")
            .json(&json!({}))
            .within(PROBE_TIMEOUT);
        let answer = self.ask(&call, Yes::Runner)?;
        match answer.status {
            // An instance's own word, too, below an address that is too long.
            404 | 405 => Err(NotRegistered::Refused {
                status: answer.status,
                text: one_line(&String::from_utf8_lossy(&answer.body), Keep::Start(SHOWN)),
            }),
            _ => Ok(()),
        }
    }

    /// Registers a new runner, paused, and hands back its authentication token. Section 7.1.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn register(&self, name: &str, token: &Secret) -> Result<Secret, NotRegistered> {
        #[derive(Deserialize)]
        struct Registered {
            token: String,
        }
        let url = format!("{}/runners", self.api);
        let body = json!({
            "info": {"name": name},
            "description": name,
            "active": false,
            "token": token.reveal(),
        });
        let answer = self.submit(Method::POST, &url, &body, token, Yes::Runner)?;
        let registered: Result<Registered, _> = serde_json::from_slice(&answer.body);
        match registered {
            Ok(Registered { token }) if !token.is_empty() => Ok(Secret::new(token)),
            _ => Err(NotRegistered::NoToken),
        }
    }

    /// Whether `token` is a runner's, and what was learnt besides. Section 7.2. Without our
    /// `system_id` it notes that one more computer has this runner.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn verified(
        &self,
        token: &Secret,
        system_id: Option<&str>,
    ) -> Result<Verified, NotRegistered> {
        let url = format!("{}/runners/verify", self.api);
        let mut body = json!({"token": token.reveal()});
        if let Some(system_id) = system_id {
            body["system_id"] = system_id.into();
        }
        let answer = self.submit(Method::POST, &url, &body, token, Yes::Runner)?;
        let fields = Fields::read(&answer.body).unwrap_or_default();
        let expires = fields.text("token_expires_at");
        Ok(Verified {
            id: fields.get("id"),
            expires: expires.and_then(|at| Timestamp::read(&at)),
            date: answer.date(),
        })
    }

    /// Which version it is, as it tells a user's `token`. Nothing follows from it, so it may be
    /// anybody's word.
    #[must_use]
    pub fn version(&self, token: &Secret) -> Option<String> {
        let url = format!("{}/version", self.api);
        let call = Call::get(&url)
            .about("coordinator", "version")
            .secret_header("PRIVATE-TOKEN", "", token);
        let answer = self.http.send(&call).ok()?;
        let version = Fields::read(&answer.body).ok()?.text("version")?;
        Some(one_line(&call.scrub(version), Keep::Start(40)))
    }

    /// Has the runner forgotten, with all who use this token. Section 7.3.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn unregister(&self, token: &Secret) -> Result<(), NotRegistered> {
        let url = format!("{}/runners", self.api);
        let body = json!({"token": token.reveal()});
        self.submit(Method::DELETE, &url, &body, token, Yes::Gone)
            .map(drop)
    }

    fn submit(
        &self,
        method: Method,
        url: &str,
        body: &serde_json::Value,
        token: &Secret,
        yes: Yes,
    ) -> Result<Answer, NotRegistered> {
        let call = Call::new(method, url)
            .about("coordinator", "registration")
            .conceals(token)
            .header("Accept", "application/json")
            .json(body);
        let answer = self.ask(&call, yes)?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(NotRegistered::Refused {
            status: answer.status,
            text: told(&answer.body, token),
        })
    }
}

impl From<NotOwn> for NotRegistered {
    fn from(answer: NotOwn) -> Self {
        match answer {
            NotOwn::Nothing(error) => Self::NoAnswer {
                may_have_been_done: error.may_have_been_done,
                why: error.to_string(),
            },
            NotOwn::Stranger {
                status,
                redirects_to: Some(address),
                ..
            } => Self::Elsewhere { status, address },
            NotOwn::Stranger { status, why, .. } => Self::Stranger { status, text: why },
        }
    }
}

/// A refusal's body on one line.
fn told(body: &[u8], token: &Secret) -> String {
    let text = token.scrub(&String::from_utf8_lossy(body));
    one_line(&text, Keep::Start(SHOWN))
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, TokenKind, told};
    use crate::secret::Secret;

    #[test]
    fn a_runners_own_token_is_told_from_one_that_registers() {
        for (token, kind) in [
            ("glrt-D3adNQYu8OCjkYDbwDaG", Some(TokenKind::Authentication)),
            (
                "glrt-t1_D3adNQYu8OCjkYDbwDaG",
                Some(TokenKind::Authentication),
            ),
            (
                "acme-glrt-t3_D3adNQYu8OCjk",
                Some(TokenKind::Authentication),
            ),
            ("t2_D3adNQYu8OCjkYDbwDaG", Some(TokenKind::Authentication)),
            (
                "GR1348941D3adNQYu8OCjkYDbwDaG",
                Some(TokenKind::Registration),
            ),
            (
                "GR1348941glrt-QYu8OCjkYDbwDaG",
                Some(TokenKind::Registration),
            ),
            ("glrtr-D3adNQYu8OCjkYDbwDaG", Some(TokenKind::Registration)),
            ("D3adNQYu8OCjkYDbwDaG", None),
        ] {
            assert_eq!(TokenKind::of(&Secret::new(token)), kind, "{token}");
        }
    }

    #[test]
    fn a_refusal_is_quoted_without_the_token() {
        let token = Secret::new("glrt-secret");
        let quoted = told(b"{\"message\":\"no\n glrt-secret\"}\n", &token);
        assert_eq!(quoted, "{\"message\":\"no [redacted]\"}");
        assert_eq!(told(&[b'x'; 900], &token).chars().count(), SHOWN);
    }
}
