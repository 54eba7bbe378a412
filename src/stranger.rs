//! What an answer tells of its giver, where it is not in the words of the service that was asked.
//!
//! Proxies that sign people in, balancers in maintenance and company gateways answer in a service's
//! stead. An administrator who reads of that wants to know where it came from: so the page's title,
//! the address that it redirects to, and what calls itself the server are told, on one line. None
//! of it decides anything: every answer may claim any of it.

use crate::foreign::{Keep, bare_address, one_line, page_title};
use crate::http::{Answer, Call};

/// As much of one thing that it says as a person reads.
const SHOWN: usize = 80;

/// `status 401 (a page, "Sign in", from nginx)`: what came, and from where as far as it says so.
/// Secrets of `call` are taken out.
#[must_use]
pub fn describe(answer: &Answer, call: &Call<'_>) -> String {
    let header = |name| Some(clean(answer.header(name)?.to_owned(), call));
    let what = redirection(answer, call).map(|address| format!("a redirection to {address}"));
    let mut parts = vec![what.unwrap_or_else(|| clean(what_is_in(answer), call))];
    parts.extend(header("Server").map(|server| format!("from {server}")));
    parts.extend(header("Via").map(|via| format!("via {via}")));
    parts.retain(|part| !part.is_empty());
    format!("status {} ({})", answer.status, parts.join(", "))
}

/// Where it sends its reader, without login and query.
#[must_use]
pub fn redirection(answer: &Answer, call: &Call<'_>) -> Option<String> {
    let address = answer.header("Location")?;
    let redirects = matches!(answer.status, 300..=399);
    redirects.then(|| clean(bare_address(address), call))
}

fn clean(text: String, call: &Call<'_>) -> String {
    one_line(&call.scrub(text), Keep::Start(SHOWN))
}

fn what_is_in(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim();
    if text.starts_with('<') {
        return match page_title(text) {
            "" => "a page".to_owned(),
            title => format!("a page, \"{}\"", title.trim()),
        };
    }
    match answer.message() {
        Some(message) => message,
        // What looks like a success may hold what was asked for, secrets included.
        None if text.starts_with(['{', '[']) => "JSON of another kind".to_owned(),
        None if text.is_empty() => "empty".to_owned(),
        None if answer.status < 400 => "a text".to_owned(),
        None => format!("a text, \"{text}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::describe;
    use crate::http::{Answer, Call};
    use crate::secret::Secret;

    #[test]
    fn a_stranger_is_told_on_one_line_without_the_callers_secrets() {
        let secret = Secret::new("glcbt-secret");
        let call = Call::get("http://x").secret_header("JOB-TOKEN", "", &secret);
        let html = "<html><head><title>\n Sign in \u{1b}[31m glcbt-secret </title>";
        let long = format!("no healthy upstream {}", "x".repeat(900));
        for (status, headers, body, told) in [
            (
                401,
                &[("Server", "nginx"), ("Via", "1.1 corp")][..],
                html,
                r#"status 401 (a page, "Sign in [31m [redacted]", from nginx, via 1.1 corp)"#,
            ),
            (
                302,
                &[(
                    "Location",
                    "https://me:word@sso.corp.test/login?t=glcbt-secret",
                )],
                "",
                "status 302 (a redirection to https://sso.corp.test/login)",
            ),
            (502, &[], "<h1>Bad</h1>", "status 502 (a page)"),
            (
                403,
                &[],
                r#"{"error":"access_denied"}"#,
                "status 403 (access_denied)",
            ),
            (
                200,
                &[],
                r#"{"token":"new"}"#,
                "status 200 (JSON of another kind)",
            ),
            (200, &[], "line of a log", "status 200 (a text)"),
            (404, &[], " \n", "status 404 (empty)"),
            (
                404,
                &[],
                "no glcbt-secret\n",
                r#"status 404 (a text, "no [redacted]")"#,
            ),
        ] {
            let answer = Answer::made(status, headers, body);
            assert_eq!(describe(&answer, &call), told);
        }
        let told = describe(&Answer::made(503, &[("Server", &long)], &long), &call);
        assert!(told.chars().count() < 200, "{told}");
    }
}
