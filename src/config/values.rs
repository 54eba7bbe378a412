//! What is accepted as a value, told once: by the configuration, and by the program that writes one.
//!
//! It knows neither keys nor options. An error says what a value must be, and leaves it to the
//! caller to say which one is meant.

use std::fmt;
use std::str::FromStr;

use log::LevelFilter;
use ureq::http::Uri;

/// Clever Cloud's own API.
pub const API_URL: &str = "https://api.clever-cloud.com/v2";
/// The family of machine sizes that is made for runners.
pub const FLAVOR_FAMILY: &str = "heptapod-runner";
/// The only size that `local-docker` knows: every container is of it.
pub const LOCAL_DOCKER_FLAVOR: &str = "M";

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
