//! How a call to Clever Cloud says who we are. Clever page, section 1.
//!
//! There are four kinds of credentials, and each is understood in its own place only: this is where
//! that is told. Which kind an organization has is the operator's knowledge. How a pair signs was
//! read off the official client; against the live service it is not verified.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Timestamp;
use crate::digest::{hmac_sha512_base64, random_hex};
use crate::http::Call;
use crate::secret::Secret;

/// Two halves of a secret, of a program or of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub key: Secret,
    pub secret: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Of an organization, as Clever Cloud gives it to those who have agreed on it (1.1).
    Token(Secret),
    /// Of a user, through a program that Clever Cloud knows (1.2).
    OAuth { consumer: Pair, user: Pair },
    /// Of a user, through the bridge only (1.3).
    ApiToken(Secret),
    /// Of an organization, below its own address only (1.4).
    ServiceToken(Secret),
}

/// What RFC 3986 calls unreserved stays as it is (RFC 5849, 3.6).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Credential {
    /// `call` with this credential.
    #[must_use]
    pub fn authorize<'a>(&'a self, call: Call<'a>) -> Call<'a> {
        match self {
            Self::Token(token) => call.secret_header("Authorization", "token ", token),
            Self::ApiToken(token) | Self::ServiceToken(token) => {
                call.secret_header("Authorization", "Bearer ", token)
            }
            Self::OAuth { consumer, user } => {
                let header = oauth(call.method(), call.url(), consumer, user);
                call.conceals(&consumer.secret)
                    .conceals(&user.key)
                    .conceals(&user.secret)
                    .header("Authorization", header)
            }
        }
    }

    /// Whether calls with it go through the bridge instead of to the API itself.
    #[must_use]
    pub const fn needs_bridge(&self) -> bool {
        matches!(self, Self::ApiToken(_))
    }

    /// `text` without what must not be told.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        match self {
            Self::Token(secret) | Self::ApiToken(secret) | Self::ServiceToken(secret) => {
                secret.scrub(text)
            }
            Self::OAuth { user, .. } => user.secret.scrub(&user.key.scrub(text)),
        }
    }
}

/// Over TLS a plain signature is enough. Without it, on loopback, the secrets must not be read by
/// others on the computer.
fn oauth(method: &str, url: &str, consumer: &Pair, user: &Pair) -> String {
    let key = format!(
        "{}&{}",
        encoded(consumer.secret.reveal()),
        encoded(user.secret.reveal())
    );
    let mut parameters = vec![
        ("oauth_consumer_key", consumer.key.reveal().to_owned()),
        ("oauth_token", user.key.reveal().to_owned()),
    ];
    if url.starts_with("https://") {
        parameters.push(("oauth_signature_method", "PLAINTEXT".to_owned()));
        parameters.push(("oauth_signature", key));
    } else {
        // Without chance a moment is as good, for one request at a time.
        let nonce = random_hex(16).unwrap_or_else(|_| format!("{:?}", std::time::Instant::now()));
        parameters.push(("oauth_signature_method", "HMAC-SHA512".to_owned()));
        parameters.push(("oauth_timestamp", Timestamp::now().to_string()));
        parameters.push(("oauth_nonce", nonce));
        parameters.push(("oauth_version", "1.0".to_owned()));
        let base = signature_base(method, url, &parameters);
        let signature = hmac_sha512_base64(key.as_bytes(), base.as_bytes());
        parameters.push(("oauth_signature", signature));
    }
    let written = parameters
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", encoded(value)));
    format!("OAuth {}", written.collect::<Vec<_>>().join(", "))
}

/// RFC 5849, 3.4.1: method, address and all parameters, each encoded.
fn signature_base(method: &str, url: &str, parameters: &[(&str, String)]) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let of_query = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            // They are encoded already, in our own addresses.
            (name.to_owned(), value.to_owned())
        });
    let of_header = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), encoded(value)));
    let mut all: Vec<_> = of_query.chain(of_header).collect();
    all.sort();
    let all = all.iter().fold(String::new(), |mut text, (name, value)| {
        let separator = if text.is_empty() { "" } else { "&" };
        let _ = write!(text, "{separator}{name}={value}");
        text
    });
    format!("{method}&{}&{}", encoded(address), encoded(&all))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Pair, oauth, signature_base};
    use crate::secret::Secret;

    fn pair(key: &str, secret: &str) -> Pair {
        Pair {
            key: Secret::new(key),
            secret: Secret::new(secret),
        }
    }

    /// Clever page, 1.2.
    #[test]
    fn over_tls_a_pair_signs_by_its_secrets_themselves() {
        let header = oauth(
            "GET",
            "https://x/v2/self",
            &pair("ck", "cs"),
            &pair("tok", "tok secret"),
        );
        assert_eq!(
            header,
            "OAuth oauth_consumer_key=\"ck\", oauth_token=\"tok\", \
             oauth_signature_method=\"PLAINTEXT\", oauth_signature=\"cs%26tok%2520secret\""
        );
    }

    /// RFC 5849, 3.4.1.1, with the parameters that we send.
    #[test]
    fn what_is_signed_are_method_address_and_sorted_parameters() {
        let parameters = [
            ("oauth_token", "a b".to_owned()),
            ("oauth_nonce", "7".to_owned()),
        ];
        let base = signature_base("POST", "http://127.0.0.1:1/v2/x?b=2&a=1", &parameters);
        assert_eq!(
            base,
            "POST&http%3A%2F%2F127.0.0.1%3A1%2Fv2%2Fx&a%3D1%26b%3D2%26oauth_nonce%3D7%26oauth_token%3Da%2520b"
        );
    }

    #[test]
    fn without_tls_no_secret_is_in_the_header() {
        let header = oauth(
            "GET",
            "http://127.0.0.1/v2",
            &pair("ck", "s3same-program"),
            &pair("tok", "s3same-user"),
        );
        assert!(
            header.contains("HMAC-SHA512") && !header.contains("s3same"),
            "{header}"
        );
    }
}
