//! Whether what was typed of a coordinator is true, asked while somebody is there to mend it.
//!
//! Nothing is changed by it: an address is asked about no token, and a runner's own token whether it
//! is known. A registration token can only be tried by registering, which is the last step of all.

use super::prompt::Wrong;
use super::secret_reference::Referred;
use super::words;
use crate::config::values;
use crate::coordinator::{Coordinator, NotRegistered, TokenKind};
use crate::foreign::bare_address;
use crate::http::Http;

/// Web pages of an instance are rarely deeper than it itself.
const DEEPEST: usize = 2;

/// A token, and what it is for.
#[derive(Debug)]
pub struct Token {
    pub secret: Referred,
    pub kind: TokenKind,
}

/// The address of a coordinator that was typed as `text`, if there is one.
///
/// # Errors
/// What is there instead, and where one is, if one is near.
pub fn address(http: &Http, text: &str) -> Result<String, Wrong> {
    let probe = |address: &str| Coordinator::new(http.clone(), address).probe();
    let (why, near) = match values::address(text) {
        Ok(address) => match probe(&address) {
            Ok(()) => {
                log::info!("a GitLab or Heptapod is there");
                return Ok(address);
            }
            Err(trouble) => {
                let near = places_near(&address, Some(&trouble));
                (words::no_coordinator(&address, &trouble), near)
            }
        },
        Err(why) => (format!("it {why}"), places_near(text, None)),
    };
    let mend = near.into_iter().find(|place| probe(place).is_ok());
    let why = match &mend {
        Some(mend) => format!("{why}. But there is one at {mend}"),
        None => why,
    };
    Err(Wrong { why, mend })
}

/// Where a coordinator may be, when somebody typed `text`: an address of a page of it, of its API, or
/// without what comes before the host. `trouble` is what came back from there.
fn places_near(text: &str, trouble: Option<&NotRegistered>) -> Vec<String> {
    let text = text.trim();
    let typed = match trouble {
        // Nothing is there at all, unless it speaks the other one. A web server's port for TLS says 400.
        Some(NotRegistered::NoAnswer { .. } | NotRegistered::Stranger { status: 400, .. }) => {
            match text.split_once("://") {
                Some(("https", rest)) => format!("http://{rest}"),
                Some(("http", rest)) => format!("https://{rest}"),
                _ => return Vec::new(),
            }
        }
        Some(NotRegistered::Elsewhere { address, .. }) => address.clone(),
        _ if text.contains("://") => text.to_owned(),
        _ => format!("https://{text}"),
    };
    let bare = bare_address(&typed);
    let Some((scheme, rest)) = bare.split_once("://") else {
        return Vec::new();
    };
    let mut segments = rest.split('/').filter(|segment| !segment.is_empty());
    let Some(host) = segments.next() else {
        return Vec::new();
    };
    let mut place = format!("{scheme}://{host}");
    let mut places = vec![place.clone()];
    for segment in segments.take(DEEPEST) {
        place = format!("{place}/{segment}");
        places.push(place.clone());
    }
    places.retain(|place| place != text && values::address(place).is_ok());
    places
}

/// The token that was written so, after the coordinator was asked whether it is a runner's own.
///
/// # Errors
/// What is wrong with it; it quotes no secret.
pub fn token(coordinator: &Coordinator, url: &str, secret: Referred) -> Result<Token, String> {
    let shape = TokenKind::of(&secret.meant);
    if shape == Some(TokenKind::Registration) {
        return Ok(one_that_registers(secret));
    }
    match (coordinator.verified(&secret.meant, None), shape) {
        (Ok(known), _) => {
            log::info!("{}", words::known_runner(&known));
            Ok(Token {
                secret,
                kind: TokenKind::Authentication,
            })
        }
        // It may be one that registers: of old ones the shape does not tell.
        (Err(NotRegistered::Refused { status: 403, .. }), None) => Ok(one_that_registers(secret)),
        (Err(trouble), _) => Err(words::not_registered(
            url,
            TokenKind::Authentication,
            &trouble,
        )),
    }
}

fn one_that_registers(secret: Referred) -> Token {
    log::info!("it is taken as a registration token, which is tried in the end");
    Token {
        secret,
        kind: TokenKind::Registration,
    }
}

#[cfg(test)]
mod tests {
    use super::places_near;
    use crate::coordinator::NotRegistered;

    #[test]
    fn a_coordinator_is_looked_for_above_its_pages_and_its_api() {
        let silence = NotRegistered::NoAnswer {
            why: String::new(),
            may_have_been_done: false,
        };
        let moved = NotRegistered::Elsewhere {
            status: 301,
            address: "https://y.org/api/v4/runners/verify".to_owned(),
        };
        let plain = NotRegistered::Stranger {
            status: 400,
            text: "The plain HTTP request was sent to HTTPS port".to_owned(),
        };
        for (typed, trouble, near) in [
            (
                "https://x.org/api/v4",
                None,
                "https://x.org https://x.org/api",
            ),
            (
                "https://x.org/gl/a/-/runners/1?tab=x#y",
                None,
                "https://x.org https://x.org/gl https://x.org/gl/a",
            ),
            ("x.org:8080", None, "https://x.org:8080"),
            ("https://me:word@x.org/", None, "https://x.org"),
            (
                "https://x.org/gl",
                Some(&silence),
                "http://x.org http://x.org/gl",
            ),
            ("http://x.org", Some(&silence), "https://x.org"),
            ("http://x.org:8443", Some(&plain), "https://x.org:8443"),
            (
                "http://x.org",
                Some(&moved),
                "https://y.org https://y.org/api https://y.org/api/v4",
            ),
            ("", None, ""),
        ] {
            let places = places_near(typed, trouble).join(" ");
            assert_eq!(places, near, "{typed}");
        }
    }
}
