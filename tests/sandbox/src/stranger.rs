//! What stands between a client and a service, and answers in the service's stead.
//!
//! Each answers as the real ones do, with whatever status it is asked to: a plan of faults puts it in
//! front of a service. It may not know whom it stands in front of.

use crate::fault::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// A proxy's page that wants people to sign in.
    SignIn,
    /// A balancer's page.
    Maintenance,
    /// A balancer without a page.
    Text,
    /// An identity-aware proxy.
    AccessDenied,
    /// An API gateway that knows no such route.
    NoRoute,
    /// An API gateway without the key that it wants. GitLab's own has the status in it.
    Unauthorized,
    /// A proxy that was taught to say no more than it must.
    Empty,
    /// To a page where people sign in.
    Redirect,
}

impl Stranger {
    pub const ALL: [Self; 8] = [
        Self::SignIn,
        Self::Maintenance,
        Self::Text,
        Self::AccessDenied,
        Self::NoRoute,
        Self::Unauthorized,
        Self::Empty,
        Self::Redirect,
    ];

    /// Where a [`Stranger::Redirect`] points, without what must not be shown.
    pub const SIGN_IN: &str = "https://sso.corp.test/login";

    /// Its answer, and no effect.
    #[must_use]
    pub fn says(self, code: u16) -> Fault {
        let (header, body) = match self {
            Self::SignIn => (
                ("Content-Type", "text/html; charset=utf-8"),
                "<!DOCTYPE html>\n<html><head><title>Sign in \u{b7} Corp</title></head>\n\
                 <body><form action=/login><input name=user></form></body></html>\n",
            ),
            Self::Maintenance => (
                ("Content-Type", "text/html"),
                "<html><head><title>Back soon</title></head><body>Maintenance</body></html>",
            ),
            Self::Text => (("Content-Type", "text/plain"), "no healthy upstream"),
            Self::AccessDenied => (("Content-Type", JSON), r#"{"error":"access_denied"}"#),
            Self::NoRoute => (
                ("Content-Type", JSON),
                r#"{"message":"no Route matched with those values"}"#,
            ),
            Self::Unauthorized => (("Content-Type", JSON), r#"{"message":"Unauthorized"}"#),
            Self::Empty => (("X-Corp", "1"), ""),
            Self::Redirect => (
                (
                    "Location",
                    "https://me:word@sso.corp.test/login?back=secret",
                ),
                "",
            ),
        };
        let headers = [header, ("Server", "corp-gate"), ("Via", "1.1 corp")];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Fault::Status {
            code,
            headers: headers.map(own).into(),
            body: body.as_bytes().to_vec(),
        }
    }
}

const JSON: &str = "application/json";
