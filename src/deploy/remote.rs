//! A git remote as it is over HTTP: two requests, and whose word comes back.
//!
//! Between us and the remote stand proxies, sign-in pages and balancers, which answer in its place.
//! Only what is certainly the remote's own word is final; all else is trouble, which may pass:
//!
//! - What is asked for has the content type that git gives it. A 200 without it is a page.
//! - A refused login is a 401 that asks for the login that we speak of, with `WWW-Authenticate:
//!   Basic` (Clever page, 4.1 and 4.2). One that asks for something else, or for nothing, is of
//!   something else; and HTML is for people at a browser. A page that asks for our login may be
//!   the remote's all the same: the login is looked up anew then, and the push is tried again.
//! - A 403 is not known of Clever Cloud's remotes, and firewalls like it. It is treated as such a
//!   page.
//! - A 404 is never final: a new repository may not be everywhere yet (Clever page, 4.2).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crossbeam_channel::bounded;
use ureq::http::Method;

use super::pkt_line;
use crate::deadline::{Deadline, Early};
use crate::http::{Answer, Call, Http};
use crate::logger;
use crate::secret::Secret;
use crate::stranger;
use crate::thread::idle;

/// A list of branches is short, and made at once.
const REFS_TIMEOUT: Duration = Duration::from_secs(30);
/// A push is answered when the remote's hooks are through, which takes seconds. Of one that hangs
/// the next try learns what became of it.
const PUSH_TIMEOUT: Duration = Duration::from_secs(45);
/// There are few branches, and hooks say little.
const ANSWER_LIMIT: u64 = 1 << 20;

const SERVICE: &str = "git-receive-pack";

/// Where to push to, and as whom. Either of user and password may be the secret.
pub struct Remote {
    url: String,
    login: Login,
}

/// As it was given, and as it travels.
#[derive(Clone)]
struct Login {
    user: Secret,
    password: Secret,
    encoded: Secret,
}

#[derive(Debug)]
pub struct PushError {
    /// What was tried and what came of it, without secrets, on one line.
    pub text: String,
    /// Whether trying again can help.
    pub may_pass: bool,
    pub credentials_refused: bool,
    /// The pause that the remote asked for.
    pub retry_after: Option<Duration>,
}

impl PushError {
    /// It may pass.
    #[must_use]
    pub const fn trouble(text: String) -> Self {
        Self {
            text,
            may_pass: true,
            credentials_refused: false,
            retry_after: None,
        }
    }
}

/// One of the two.
struct Request {
    method: Method,
    /// With what is behind the remote's own address.
    url: String,
    body: Option<Vec<u8>>,
    /// The content type of its answer.
    wanted: &'static str,
    timeout: Duration,
}

impl Remote {
    #[must_use]
    pub fn new(url: &str, user: &Secret, password: &Secret) -> Self {
        let credentials = format!("{}:{}", user.reveal(), password.reveal());
        Self {
            url: url.trim_end_matches('/').to_owned(),
            login: Login {
                user: user.clone(),
                password: password.clone(),
                encoded: Secret::new(BASE64_STANDARD.encode(credentials)),
            },
        }
    }

    /// What must not be told of what the remote says.
    #[must_use]
    pub const fn secrets(&self) -> [&Secret; 3] {
        let Login {
            user,
            password,
            encoded,
        } = &self.login;
        [encoded, password, user]
    }

    /// What there is and what the remote can do, as `git send-pack` wants to hear it.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn advertisement(&self, http: &Http, deadline: Deadline<'_>) -> Result<Vec<u8>, PushError> {
        let request = Request {
            method: Method::GET,
            url: format!("{}/info/refs?service={SERVICE}", self.url),
            body: None,
            wanted: "application/x-git-receive-pack-advertisement",
            timeout: REFS_TIMEOUT,
        };
        let what = request.what();
        let body = self.exchange(http, request, deadline)?;
        let advertised = pkt_line::advertised(&body, SERVICE);
        advertised.map(<[u8]>::to_vec).map_err(|_| {
            let why = "an answer that is cut, or is none of a git remote that can be pushed to";
            PushError::trouble(format!("{what}: {why}"))
        })
    }

    /// Posts what `git send-pack` made; gives back what it wants to hear.
    ///
    /// # Errors
    /// [`PushError`]: it may have been done all the same.
    pub fn receive(
        &self,
        http: &Http,
        pack: Vec<u8>,
        deadline: Deadline<'_>,
    ) -> Result<Vec<u8>, PushError> {
        let request = Request {
            method: Method::POST,
            url: format!("{}/{SERVICE}", self.url),
            body: Some(pack),
            wanted: "application/x-git-receive-pack-result",
            timeout: PUSH_TIMEOUT,
        };
        self.exchange(http, request, deadline)
    }

    /// On a thread of its own, since a request can't be cut: what is not wanted any more is left
    /// behind, until its time is over. It may reach the remote still, as anything that was sent.
    fn exchange(
        &self,
        http: &Http,
        request: Request,
        deadline: Deadline<'_>,
    ) -> Result<Vec<u8>, PushError> {
        let (what, wanted) = (request.what(), request.wanted);
        let trouble = |why: &str| PushError::trouble(format!("{what}: {why}"));
        let (done, answered) = bounded(1);
        let (http, login, mut request) = (http.clone(), self.login.clone(), request);
        let timeout = request.timeout.min(deadline.rest());
        let subject = logger::subject();
        let send = move || {
            logger::about(subject);
            let call = request.call(&login).within(timeout);
            let answer = http.send(&call).map_err(|error| error.to_string());
            let _ = done.send(answer.map(|answer| (stranger::describe(&answer, &call), answer)));
        };
        match idle("push") {
            Ok(spare) => spare.begin(Box::new(send)),
            // Then it can't be left behind.
            Err(_) => send(),
        }
        match deadline.await_next(&answered) {
            Ok(Some(Ok((said, answer)))) => judge(&what, wanted, &said, answer),
            Ok(Some(Err(why))) => Err(trouble(&why)),
            // It is in the log.
            Ok(None) => Err(trouble("a panic, which is a bug")),
            Err(Early::TooLong(limit)) => Err(trouble(&format!(
                "the push has taken longer than {} s",
                limit.as_secs()
            ))),
            Err(Early::GivenUp) => Err(trouble("not wanted any more")),
        }
    }
}

/// The body of an answer that is what was asked for; else whose word it is, as far as that can be
/// known. See above.
fn judge(what: &str, wanted: &str, said: &str, answer: Answer) -> Result<Vec<u8>, PushError> {
    let kind = content_type(&answer);
    if answer.status == 200 && kind == wanted {
        return Ok(answer.body);
    }
    let is_challenge = answer.status == 401 && asks_for_our_login(&answer);
    let hint = match answer.status {
        200..=399 => {
            ", which is not a git remote's answer; is there a proxy or a sign-in page between us \
             and it?"
        }
        _ => "",
    };
    Err(PushError {
        text: format!("{what}: {said}{hint}"),
        may_pass: kind.contains("html") || !is_challenge,
        credentials_refused: is_challenge || answer.status == 403,
        retry_after: answer.retry_after(),
    })
}

/// Without what comes behind it, such as a character set.
fn content_type(answer: &Answer) -> String {
    let header = answer.header("Content-Type").unwrap_or_default();
    let kind = header.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

fn asks_for_our_login(answer: &Answer) -> bool {
    let challenges = answer.header("WWW-Authenticate").unwrap_or_default();
    let mut schemes = challenges.split(',').map(str::trim_start);
    schemes.any(|scheme| scheme.to_ascii_lowercase().starts_with("basic"))
}

impl Request {
    fn call<'a>(&'a mut self, login: &'a Login) -> Call<'a> {
        let body = self.body.take();
        let endpoint = if body.is_some() { "push" } else { "refs" };
        let call = Call::new(self.method.clone(), &self.url)
            .about("git", endpoint)
            .header("Accept", self.wanted)
            .secret_header("Authorization", "Basic ", &login.encoded)
            .conceals(&login.password)
            .conceals(&login.user)
            .at_most(ANSWER_LIMIT);
        match body {
            Some(body) => call.bytes("application/x-git-receive-pack-request", body),
            None => call,
        }
    }

    /// For people.
    fn what(&self) -> String {
        let address = self.url.split('?').next().unwrap_or_default();
        format!("{} {address}", self.method)
    }
}
