//! The git remote: smart HTTP in front of one bare repository per application. Clever page, 4.1
//! and 4.2.
//!
//! The protocol is git's own, through `git http-backend`. This module decides who may come in, and
//! sees whether a push changed `master`: that is what starts a deployment.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::clever::{Admission, Hook, Visitor, World};
use crate::git;
use crate::http::{Request, Response, Service};
use crate::journal::Source;

pub(crate) struct GitRemote {
    pub world: Arc<World>,
    /// The CGI program.
    pub backend: PathBuf,
    /// What git said of an empty repository, by the protocol that was asked for: it says the same of the next
    /// one, and two processes less are started for a push.
    pub of_empty: Mutex<HashMap<Option<String>, Response>>,
}

impl Service for GitRemote {
    fn handle(&self, request: &Request) -> Response {
        let Some((id, service)) = split(&request.path) else {
            return Response::empty(404);
        };
        let Some((user, password)) = login(request) else {
            // Git asks without credentials first, unless it was given them for every request.
            return unauthorized();
        };
        let visitor = Visitor {
            application: id,
            user: &user,
            password: &password,
        };
        match self.world.admit(&visitor) {
            Admission::Stranger => unauthorized(),
            Admission::NoRepository => Response::text(404, "Not Found"),
            Admission::Welcome if service == "git-receive-pack" => self.receive(id, request),
            Admission::Welcome if begins_push(service, request) && self.world.is_empty(id) => {
                self.of_empty(id, request)
            }
            Admission::Welcome => self.run(id, request, Hook::Normal),
        }
    }

    fn source(&self) -> Source {
        Source::Git
    }
}

impl GitRemote {
    /// A push. One at a time for each application, or nobody knew which of two changed what.
    fn receive(&self, id: &str, request: &Request) -> Response {
        let Some((pushing, hook)) = self.world.begin_push(id) else {
            return Response::text(404, "Not Found");
        };
        let _pushing = pushing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.world.master(id);
        let response = self.run(id, request, hook);
        let after = self.world.master(id);
        if let Some(commit) = after.filter(|after| before.as_ref() != Some(after)) {
            if before.is_some() {
                let what = format!("{id} was pushed to again: its machine would run twice");
                self.world.complain(Source::Git, what);
            }
            self.world.pushed(id, &commit, hook != Hook::QueuesNothing);
        }
        response
    }

    fn of_empty(&self, id: &str, request: &Request) -> Response {
        let protocol = request.header("Git-Protocol").map(str::to_owned);
        let mut known = self.of_empty.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(response) = known.get(&protocol) {
            return response.clone();
        }
        let response = self.run(id, request, Hook::Normal);
        if response.status == 200 {
            known.insert(protocol, response.clone());
        }
        response
    }

    fn run(&self, id: &str, request: &Request, hook: Hook) -> Response {
        match self.backend(request, hook) {
            Ok(output) => parse_cgi(&output).unwrap_or_else(|| Response::empty(500)),
            Err(error) => {
                let what = format!("git http-backend for {id}: {error}");
                self.world.journal.note(Source::Git, what);
                Response::empty(500)
            }
        }
    }

    fn backend(&self, request: &Request, hook: Hook) -> io::Result<Vec<u8>> {
        let root = self.world.folder.join("repositories");
        let mut command = git::isolated(&self.backend, &root);
        command
            .env("GIT_PROJECT_ROOT", &root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("REQUEST_METHOD", &request.method)
            .env("CONTENT_LENGTH", request.body.len().to_string())
            // Receiving is allowed to whoever has a name.
            .env("REMOTE_USER", "visitor")
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("SANDBOX_HOOK", hook.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        for (header, variable) in [
            ("Content-Type", "CONTENT_TYPE"),
            ("Content-Encoding", "HTTP_CONTENT_ENCODING"),
            ("Git-Protocol", "GIT_PROTOCOL"),
        ] {
            if let Some(value) = request.header(header) {
                command.env(variable, value);
            }
        }
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        thread::scope(|scope| {
            scope.spawn(|| {
                // A backend that refuses early does not read all.
                let _ = stdin.map(|mut stdin| stdin.write_all(&request.body));
            });
            child.wait_with_output()
        })
        .map(|output| output.stdout)
    }
}

/// Application and service: `/app_….git/info/refs`, `/app_….git/git-receive-pack`.
fn split(path: &str) -> Option<(&str, &str)> {
    let (id, service) = path.strip_prefix('/')?.split_once(".git/")?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:~".contains(&b);
    let is_id = id.starts_with("app") && !id.contains("..") && id.bytes().all(is_plain);
    is_id.then_some((id, service))
}

fn begins_push(service: &str, request: &Request) -> bool {
    service == "info/refs" && request.query == "service=git-receive-pack"
}

fn login(request: &Request) -> Option<(String, String)> {
    let header = request.header("Authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(header.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn unauthorized() -> Response {
    Response::text(401, "Authorization Required")
        .with("WWW-Authenticate", "Basic realm=\"Clever Cloud git\"")
}

/// Header lines, an empty line, the body. The status is one of the headers.
fn parse_cgi(output: &[u8]) -> Option<Response> {
    let mut response = Response::empty(200);
    let mut rest = output;
    loop {
        let end = rest.iter().position(|&b| b == b'\n')?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim_end();
        rest = &rest[end + 1..];
        if line.is_empty() {
            response.body = rest.to_vec();
            return Some(response);
        }
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("Status") {
            response.status = value.trim().get(..3)?.parse().ok()?;
        } else {
            response = response.with(name, value.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_cgi, split};

    #[test]
    fn only_repositories_of_applications_have_a_path() {
        assert_eq!(
            split("/app_1-2.git/info/refs"),
            Some(("app_1-2", "info/refs"))
        );
        assert_eq!(split("/../app_1.git/info/refs"), None);
        assert_eq!(split("/app_..%2f.git/info/refs"), None);
        assert_eq!(split("/other.git/info/refs"), None);
    }

    #[test]
    fn a_cgi_answer_may_have_a_status_and_any_body() {
        let response = parse_cgi(b"Status: 403 Forbidden\r\nExpires: never\r\n\r\na\n\nb").unwrap();
        assert_eq!(response.status, 403);
        assert_eq!(response.header("expires"), Some("never"));
        assert_eq!(response.body, b"a\n\nb");
        assert_eq!(parse_cgi(b"\n").unwrap().status, 200);
        assert!(parse_cgi(b"no end").is_none());
    }
}
