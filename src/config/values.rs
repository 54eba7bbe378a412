//! What is accepted as a value, told once: by the configuration, and by the program that writes one.
//!
//! It knows neither keys nor options. An error says what a value must be, and leaves it to the
//! caller to say which one is meant.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use log::LevelFilter;
use ureq::http::Uri;

/// Clever Cloud's own API.
pub const API_URL: &str = "https://api.clever-cloud.com/v2";
/// Where API tokens are good.
pub const BRIDGE_URL: &str = "https://api-bridge.clever-cloud.com/v2";
/// The program `clever`, as Clever Cloud knows it: published in its source, and no secret (Clever page,
/// 1.2).
pub const CLI_CONSUMER: (&str, &str) = (
    "T5nFjKeHH4AIlEveuGhB5S3xg8T19e",
    "MgVMqTr6fWlf2M0tkC2MXOnhfqBWDT",
);
/// The family of machine sizes that is made for runners.
pub const FLAVOR_FAMILY: &str = "heptapod-runner";
/// The only size that `local-docker` knows: every container is of it.
pub const LOCAL_DOCKER_FLAVOR: &str = "M";

/// The type of machine that is made for Heptapod's runners; it is in no public list (Clever page, 2.2).
pub const HEPTAPOD_VARIANT: &str = "70d676a0-a775-4dc9-a43d-3121036e8515";

/// What the sample configuration has where only the operator knows better.
const PLACEHOLDERS: [&str; 2] = ["REPLACE-ME", "orga_00000000-0000-0000-0000-000000000000"];

/// Whether a value stands in the sample only to be replaced.
#[must_use]
pub fn is_placeholder(text: &str) -> bool {
    let mut all = PLACEHOLDERS.iter();
    all.any(|placeholder| text.contains(placeholder))
}

/// The sizes that Clever Cloud has had for years, the smallest first: to be compared where nobody can
/// be asked.
pub const USUAL_FLAVORS: [&str; 7] = ["XS", "S", "M", "L", "XL", "2XL", "3XL"];

/// Whether a host of an address is this computer itself.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The usual names of the log's levels.
pub const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARNING", "ERROR"];

/// How Clever Cloud's names of a family's flavors begin, unless it is said otherwise.
#[must_use]
pub fn flavor_prefix(family: &str) -> String {
    format!("{family}-")
}

/// Where a runner's jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorKind {
    CleverDocker,
    LocalDocker,
}

impl ExecutorKind {
    pub const ALL: [Self; 2] = [Self::CleverDocker, Self::LocalDocker];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CleverDocker => "clever-docker",
            Self::LocalDocker => "local-docker",
        }
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExecutorKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" and ");
            format!("unknown executor {name:?}; there are {names}")
        })
    }
}

/// What a credential of Clever Cloud is (Clever page, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    Token,
    OAuth,
    ApiToken,
    ServiceToken,
}

impl AuthKind {
    pub const ALL: [Self; 4] = [Self::Token, Self::OAuth, Self::ApiToken, Self::ServiceToken];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::OAuth => "oauth",
            Self::ApiToken => "api-token",
            Self::ServiceToken => "service-token",
        }
    }

    /// What it is, for somebody who has one and does not know its kind.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::Token => "a token that Clever Cloud gave to this organization for its runners",
            Self::OAuth => {
                "the token and the secret that `clever login` leaves (cc_token, cc_secret)"
            }
            Self::ApiToken => "a token that was made in the console or by `clever tokens create`",
            Self::ServiceToken => "a service token of the organization",
        }
    }
}

impl FromStr for AuthKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("is {name:?}; there are {names}")
        })
    }
}

/// An http or https address, without its trailing slashes. Addresses are told in logs and sent with
/// requests: neither a login nor a query has a place in them.
///
/// # Errors
/// What it must be.
pub fn address(text: &str) -> Result<String, &'static str> {
    let uri = text.parse::<Uri>().ok();
    let usable = uri.is_some_and(|uri| {
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        // A fragment is not part of what was parsed.
        http && host && uri.query().is_none() && !text.contains(['@', '#'])
    });
    if usable {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(
            "must be an address such as https://heptapod.example.org, without user, query or \
             fragment",
        )
    }
}

/// An id that can stand in the path of an address as it is: an organization's, a flavor's.
///
/// # Errors
/// What it must be.
pub fn id(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || !text.chars().all(plain) {
        return Err("must be made of letters, digits, _ and -");
    }
    Ok(text.to_owned())
}

/// A level of the log, in any case; the names of the Python runner and of gitlab-runner.
///
/// # Errors
/// What it must be.
pub fn level(name: &str) -> Result<LevelFilter, &'static str> {
    match name.to_ascii_uppercase().as_str() {
        "DEBUG" => Ok(LevelFilter::Debug),
        "INFO" => Ok(LevelFilter::Info),
        "WARNING" | "WARN" => Ok(LevelFilter::Warn),
        "ERROR" | "CRITICAL" | "FATAL" => Ok(LevelFilter::Error),
        _ => Err("must be DEBUG, INFO, WARNING or ERROR"),
    }
}

#[cfg(test)]
mod tests {
    use super::{ExecutorKind, address, id};

    /// Neither program accepts what the other one refuses, so that a registration makes no
    /// configuration which the service can't use.
    #[test]
    fn an_address_is_one_that_can_be_told_and_extended() {
        for (good, same) in [
            ("https://x.org", "https://x.org"),
            ("http://127.0.0.1:80/gl/", "http://127.0.0.1:80/gl"),
            ("https://[::1]/", "https://[::1]"),
        ] {
            assert_eq!(address(good).as_deref(), Ok(same));
        }
        for bad in [
            "",
            "x.org",
            "ftp://x",
            "https://",
            "https://:80",
            "https://u:p@x",
            "https://x/@group",
            "https://x?a",
            "https://x/#a",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_no_room_for_a_path_or_a_query() {
        assert!(id("orga_0-1").is_ok());
        for bad in ["", "orga 1", "orga/1", "orga?1", "orgä"] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_executor_is_found_by_its_name() {
        for kind in ExecutorKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let why = "shell".parse::<ExecutorKind>().unwrap_err();
        assert!(
            why.contains("shell") && why.contains("clever-docker"),
            "{why}"
        );
    }
}
