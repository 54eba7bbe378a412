//! Who may see what: the token, the paths, and the question to the main loop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crossbeam_channel::{Sender, bounded};

use super::answer::Answer;
use super::request::Request;
use super::{health, metrics, page};
use crate::config::values::is_loopback;
use crate::control::server::Asked;
use crate::digest::sha256;
use crate::secret::Secret;
use crate::status::View;
use crate::thread::lock;
use crate::whole_file::folder_of;

/// The main loop may be writing to a slow disk.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// However many ask, the main loop is asked once in so long; and who came meanwhile need not wait for a silence
/// that is known.
const KEPT: Duration = Duration::from_millis(200);
const SILENCE: &str = "the main loop of the service does not answer";

pub struct Routes {
    token: Option<Secret>,
    asked: Sender<Asked>,
    state_folder: PathBuf,
    /// What was answered last, and when; none: nothing was.
    kept: Mutex<Option<(Instant, Option<Arc<View>>)>>,
}

impl Routes {
    pub fn new(token: Option<Secret>, asked: Sender<Asked>, state_file: &Path) -> Self {
        Self {
            token,
            asked,
            state_folder: folder_of(state_file).to_owned(),
            kept: Mutex::default(),
        }
    }

    pub fn answer(&self, request: &Request) -> Answer {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        let view = || self.view().ok_or_else(|| Answer::words(503, SILENCE));
        match request.path.as_str() {
            "/" => view().map(|view| Answer::new("text/html; charset=utf-8", page::render(&view))),
            "/metrics" => Ok(Answer::new(
                "text/plain; version=0.0.4; charset=utf-8",
                metrics::render(self.view().as_deref()),
            )),
            "/healthz" => view().map(|view| health::alive(&view, &self.state_folder)),
            "/readyz" => view().map(|view| health::ready(&view)),
            _ => Err(Answer::words(
                404,
                "there are /, /metrics, /healthz and /readyz",
            )),
        }
        .unwrap_or_else(|refusal| refusal)
    }

    /// Why this one gets nothing.
    fn refusal(&self, request: &Request) -> Option<Answer> {
        let Some(token) = &self.token else {
            // A page of somebody else, in a browser here, may have called this computer by a name of its own.
            let host = request.host.as_str();
            let name = match host.rsplit_once(':') {
                Some((name, port)) if !port.ends_with(']') => name,
                _ => host,
            };
            let is_known = host.is_empty() || is_loopback(name);
            return (!is_known).then(|| {
                let words = "ask by the address of this computer, or set paas_listen_token";
                Answer::words(421, words)
            });
        };
        let given = given(&request.authorization);
        // Of equal length, whatever was given.
        let is_right = sha256(given.as_bytes()) == sha256(token.reveal().as_bytes());
        (!is_right).then(|| Answer::words(401, "the token of paas_listen_token is needed"))
    }

    /// None: it does not answer.
    fn view(&self) -> Option<Arc<View>> {
        let mut kept = lock(&self.kept);
        if let Some((at, view)) = &*kept
            && at.elapsed() < KEPT
        {
            return view.clone();
        }
        let (answer, told) = bounded(1);
        let asked = self.asked.send(Asked::View(answer)).ok();
        let view = asked.and_then(|()| told.recv_timeout(ANSWERED_WITHIN).ok());
        let view: Option<Arc<View>> = view.map(|view| Arc::new(*view));
        *kept = Some((Instant::now(), view.clone()));
        view
    }
}

/// The token in a header: as programs send it, or as a browser does, which asks for a password.
fn given(authorization: &str) -> String {
    let (scheme, value) = authorization.split_once(' ').unwrap_or_default();
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("Bearer") {
        return value.to_owned();
    }
    if scheme.eq_ignore_ascii_case("Basic") {
        let login = BASE64_STANDARD.decode(value).unwrap_or_default();
        let login = String::from_utf8_lossy(&login);
        return login
            .split_once(':')
            .map_or_else(String::new, |(_, password)| password.to_owned());
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crossbeam_channel::bounded;

    use super::{Routes, SILENCE, given};
    use crate::web::request::Request;

    #[test]
    fn while_the_main_loop_is_silent_that_is_told_and_the_counters_are_there() {
        let (asked, _) = bounded(0);
        let routes = Routes::new(None, asked, Path::new("/nowhere/state.json"));
        let answer = |path: &str| {
            let request = Request {
                is_head: false,
                path: path.to_owned(),
                host: String::new(),
                authorization: String::new(),
            };
            String::from_utf8(routes.answer(&request).bytes(false)).unwrap()
        };
        for path in ["/", "/healthz", "/readyz"] {
            let told = answer(path);
            assert!(
                told.starts_with("HTTP/1.1 503 ") && told.contains(SILENCE),
                "{told}"
            );
        }
        let metrics = answer("/metrics");
        for told in [
            "HTTP/1.1 200 ",
            "main_loop_answers 0\n",
            "_requests_total counter",
        ] {
            assert!(metrics.contains(told), "{told}: {metrics}");
        }
    }

    #[test]
    fn a_token_is_taken_from_programs_and_from_browsers() {
        for (header, token) in [
            ("Bearer s3same", "s3same"),
            ("bearer  s3same", "s3same"),
            ("Basic YWxpY2U6czNzYW1l", "s3same"),
            ("Basic ?", ""),
            ("s3same", ""),
            ("Digest s3same", ""),
            ("", ""),
        ] {
            assert_eq!(given(header), token, "{header}");
        }
    }
}
