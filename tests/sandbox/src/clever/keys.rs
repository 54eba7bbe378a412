//! Credentials: who made them, where they are good, and how a request shows them. Clever page, 1.
//!
//! Each kind is understood in its own place only. A signature is checked, so that a client which signs
//! wrongly learns it here.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use super::settings::Role;
use crate::http::{Request, decode};

/// The program `clever`, the only one that is known here (Clever page, 1.2).
pub(super) const CONSUMER: (&str, &str) = (
    "T5nFjKeHH4AIlEveuGhB5S3xg8T19e",
    "MgVMqTr6fWlf2M0tkC2MXOnhfqBWDT",
);

/// A credential that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// `Authorization: token …`, and the password of a push.
    Token(String),
    /// A pair of a user, made for the program `clever`.
    OAuth { token: String, secret: String },
    /// Through the bridge only, and not for a push.
    ApiToken(String),
    /// Below its organization only; the user name of a push.
    ServiceToken(String),
}

/// By which door a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Api,
    Bridge,
}

impl Key {
    /// Whether the request shows this key, by a door where it is good.
    pub(super) fn opens(&self, door: Door, request: &Request) -> bool {
        let Some((scheme, shown)) = shown(request) else {
            return false;
        };
        match (self, door, scheme) {
            (Self::Token(token), Door::Api, "token")
            | (Self::ServiceToken(token), Door::Api, "Bearer")
            | (Self::ApiToken(token), Door::Bridge, "Bearer") => shown == token,
            (Self::OAuth { token, secret }, Door::Api, "OAuth") => {
                is_signed(request, shown, token, secret)
            }
            _ => false,
        }
    }

    /// Whether it is somebody's own, not an organization's.
    pub(super) const fn is_persons(&self) -> bool {
        matches!(self, Self::OAuth { .. } | Self::ApiToken(_))
    }

    /// Whether it is the login of a push.
    pub(super) fn pushes(&self, user: &str, password: &str) -> bool {
        match self {
            Self::Token(token) => password == token,
            Self::ServiceToken(token) => user == token,
            Self::OAuth { token, secret } => user == token && password == secret,
            Self::ApiToken(_) => false,
        }
    }

    /// What must not be found on a machine.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Token(one) | Self::ApiToken(one) | Self::ServiceToken(one) => vec![one],
            Self::OAuth { token, secret } => vec![token, secret],
        }
    }
}

/// A key with what its owner may do.
pub(super) type Holder = (Key, Role);

/// The scheme of the request's credential, and what stands behind it.
fn shown(request: &Request) -> Option<(&str, &str)> {
    let (scheme, rest) = request.header("Authorization")?.split_once(' ')?;
    Some((scheme, rest.trim()))
}

fn is_signed(request: &Request, header: &str, token: &str, secret: &str) -> bool {
    let mut parameters: Vec<(String, String)> = header
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), decode(value.trim_matches('"'))))
        .collect();
    let find = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let signature = find("oauth_signature").unwrap_or_default();
    let method = find("oauth_signature_method");
    let is_theirs = find("oauth_consumer_key").as_deref() == Some(CONSUMER.0)
        && find("oauth_token").as_deref() == Some(token);
    let key = format!("{}&{}", encode(CONSUMER.1), encode(secret));
    parameters.retain(|(name, _)| !["oauth_signature", "realm"].contains(&name.as_str()));
    let base = signature_base(request, &parameters);
    let expected = match method.as_deref() {
        // The official client leaves it out.
        None | Some("PLAINTEXT") => key,
        Some("HMAC-SHA1") => sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key, &base),
        Some("HMAC-SHA512") => sign(hmac::HMAC_SHA512, &key, &base),
        Some(_) => return false,
    };
    is_theirs && signature == expected
}

fn sign(algorithm: hmac::Algorithm, key: &str, base: &str) -> String {
    let key = hmac::Key::new(algorithm, key.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, base.as_bytes()))
}

/// RFC 5849, 3.4.1.
fn signature_base(request: &Request, of_header: &[(String, String)]) -> String {
    let scheme = request.header("X-Forwarded-Proto").unwrap_or("http");
    let host = request.header("Host").unwrap_or_default();
    let address = format!("{scheme}://{host}{}", request.path);
    let of_query = request.query.split('&').filter(|part| !part.is_empty());
    let of_query = of_query.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (encode(&decode(name)), encode(&decode(value)))
    });
    let of_header = of_header
        .iter()
        .map(|(name, value)| (encode(name), encode(value)));
    let mut all: Vec<_> = of_query.chain(of_header).collect();
    all.sort();
    let all: Vec<_> = all
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (method, all) = (&request.method, all.join("&"));
    format!("{method}&{}&{}", encode(&address), encode(&all))
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
