//! What anybody may read at Clever Cloud: no credential is sent, which some kinds of credentials would even be refused
//! for.

use std::time::Duration;

use ureq::http::Uri;

use crate::http::{Answer, Call, Http};

/// The list of machine types repeats every flavor for every type.
const LIMIT: u64 = 16 << 20;
/// Without a list no job is taken: one that hangs is better asked for again.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What everybody may read, without a credential.
///
/// # Errors
/// A text that says what was tried and what came back.
pub(super) fn get(http: &Http, url: &str) -> Result<Answer, String> {
    let call = Call::get(url)
        .about("clever", "catalogue")
        .header("Content-Type", "application/json")
        .within(TIMEOUT)
        .at_most(LIMIT);
    let answer = http
        .send(&call)
        .map_err(|error| format!("{}: {error}", what(url)))?;
    if !answer.is_success() {
        return Err(format!("{}: {}", what(url), answer.describe(&call)));
    }
    Ok(answer)
}

/// A call that reads a list, for the operator.
pub(super) fn what(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let host = uri.and_then(|uri| Some(uri.host()?.to_owned()));
    let path = ["/products", "/billing"]
        .iter()
        .find_map(|part| Some(&url[url.find(part)?..]));
    let (path, host) = (path.unwrap_or(url), host.unwrap_or_default());
    format!("GET {path} at {host}")
}
