//! The fault plan of one server: which requests go wrong, and how.
//!
//! The plan matches requests by method and raw path and says what happens to them; carrying it out
//! is the HTTP server's business. It may not know what the services behind it do.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::http::{Request, Response};
use crate::stop::{Stop, Stopped};

/// Cheap to clone; clones are the same plan.
#[derive(Clone, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
}

#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, and no effect.
    Status {
        code: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// This answer, and no effect; its page repeats the request's headers, as carelessly made ones
    /// do.
    Quote(u16),
    /// The connection is closed, and nothing was done.
    CutBefore,
    /// It is done, and then the connection is closed without an answer.
    CutAfter,
    /// A pause before it is done.
    Delay(Duration),
    /// Never done, never answered; the connection stays open until the server is taken down.
    Hang,
    /// It is done, but this is answered.
    Replace(Response),
    /// It is done; something on the way changes the answer.
    Alter(fn(Response) -> Response),
    /// It is done; the answer promises all its bytes and ends after so many of its body.
    Truncate(usize),
    /// It is done; the answer comes byte by byte, with this pause between them.
    Trickle(Duration),
    /// It is done; the answer's body never ends.
    Endless,
    /// Nothing is done until the gate opens.
    HoldBefore(Gate),
    /// It is done at once, and answered when the gate opens.
    HoldAfter(Gate),
}

impl Fault {
    /// A refusal without a word on who gives it.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A refusal in a service's own JSON.
    #[must_use]
    pub fn json(code: u16, body: &serde_json::Value) -> Self {
        Self::Status {
            code,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// A refusal in the words of version 2 of Clever Cloud's API (Clever page, body conventions);
    /// `id` is its own number for the reason.
    #[must_use]
    pub fn clever(code: u16, id: i64) -> Self {
        let body = serde_json::json!({"id": id, "message": "Refused", "type": "error"});
        Self::json(code, &body)
    }

    /// A refusal as the balancer in front of a service gives it.
    #[must_use]
    pub fn html(code: u16) -> Self {
        Self::Status {
            code,
            headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
            body: format!("<html><body><h1>{code}</h1>\n<p>out of order</p></body></html>\n")
                .into_bytes(),
        }
    }

    /// 429, with what it asks for.
    #[must_use]
    pub fn too_many(retry_after_seconds: u64) -> Self {
        Self::Status {
            code: 429,
            headers: vec![("Retry-After".to_owned(), retry_after_seconds.to_string())],
            body: b"Retry later\n".to_vec(),
        }
    }
}

/// Which requests meet a fault: those that match, after the first `skip`, `times` of them.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `None` matches every method.
    pub method: Option<&'static str>,
    /// `*` stands for anything, `/` included; matched against the raw path.
    pub path: String,
    /// How its client's `User-Agent` begins; empty matches every client.
    pub client: &'static str,
    pub skip: usize,
    /// `None`: for ever.
    pub times: Option<usize>,
    pub fault: Fault,
}

/// A [`Rule`] that still lacks its fault.
#[derive(Clone, Debug)]
pub struct RuleBuilder(Rule);

impl Rule {
    /// One request of `method` to `path`, unless more are asked for.
    #[must_use]
    pub fn on(method: &'static str, path: impl Into<String>) -> RuleBuilder {
        RuleBuilder(Self {
            method: Some(method),
            path: path.into(),
            client: "",
            skip: 0,
            times: Some(1),
            fault: Fault::CutBefore,
        })
    }

    /// One request of any method.
    #[must_use]
    pub fn on_any(path: impl Into<String>) -> RuleBuilder {
        let mut builder = Self::on("", path);
        builder.0.method = None;
        builder
    }

    fn matches(&self, request: &Request) -> bool {
        let client = request.header("User-Agent").unwrap_or_default();
        self.method.is_none_or(|wanted| wanted == request.method)
            && glob(self.path.as_bytes(), request.path.as_bytes())
            && client.starts_with(self.client)
    }
}

impl RuleBuilder {
    #[must_use]
    pub const fn twice(self) -> Self {
        self.times(2)
    }

    #[must_use]
    pub const fn times(mut self, times: usize) -> Self {
        self.0.times = Some(times);
        self
    }

    #[must_use]
    pub const fn always(mut self) -> Self {
        self.0.times = None;
        self
    }

    /// Only requests of clients that call themselves so: others reach the service in another way.
    #[must_use]
    pub const fn of(mut self, client: &'static str) -> Self {
        self.0.client = client;
        self
    }

    /// Lets the first `skip` matching requests through.
    #[must_use]
    pub const fn after(mut self, skip: usize) -> Self {
        self.0.skip = skip;
        self
    }

    #[must_use]
    pub fn with(mut self, fault: Fault) -> Rule {
        self.0.fault = fault;
        self.0
    }
}

impl Faults {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule; when several match a request, the oldest that is not used up decides.
    pub fn inject(&self, rule: Rule) {
        self.lock().push(rule);
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The fault that this request meets; it counts as met.
    pub(crate) fn take(&self, request: &Request) -> Option<Fault> {
        let mut rules = self.lock();
        for rule in rules.iter_mut() {
            if rule.times == Some(0) || !rule.matches(request) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            return Some(rule.fault.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter()).finish()
    }
}

/// Where a request is held back until the test lets it go on.
#[derive(Clone, Debug)]
pub struct Gate {
    reached: (Sender<()>, Receiver<()>),
    /// Taken away to open: everyone who waits on `opened` wakes.
    closed: Arc<Mutex<Option<Sender<Infallible>>>>,
    opened: Receiver<Infallible>,
}

impl Gate {
    #[must_use]
    pub fn new() -> Self {
        let (closed, opened) = bounded(0);
        Self {
            reached: bounded(1),
            closed: Arc::new(Mutex::new(Some(closed))),
            opened,
        }
    }

    /// Waits until a request stands at the gate (or stood, if it was opened since). False at the
    /// timeout.
    #[must_use]
    pub fn wait_reached(&self, timeout: Duration) -> bool {
        let reached = self.reached.1.recv_timeout(timeout).is_ok();
        if reached {
            self.reach();
        }
        reached
    }

    /// Lets all requests through, now and later.
    pub fn open(&self) {
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Stands at the gate: what comes back is disconnected when it opens.
    pub(crate) fn stand_at(&self) -> &Receiver<Infallible> {
        self.reach();
        &self.opened
    }

    pub(crate) fn pass(&self, stop: &Stop) -> Result<(), Stopped> {
        select! {
            recv(self.stand_at()) -> _ => Ok(()),
            recv(stop.channel()) -> _ => Err(Stopped),
        }
    }

    fn reach(&self) {
        // Full means that it was reached before, which is all there is to know.
        let _ = self.reached.0.try_send(());
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// `*` in the pattern stands for any bytes, none included.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        Some((first, rest)) => text
            .split_first()
            .is_some_and(|(head, tail)| head == first && glob(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_the_first_through_and_is_used_up() {
        let faults = Faults::new();
        faults.inject(
            Rule::on("POST", "/v2/*/applications")
                .after(1)
                .twice()
                .with(Fault::CutAfter),
        );
        let met = |method: &str, path: &str| {
            let request = Request {
                method: method.to_owned(),
                path: path.to_owned(),
                query: String::new(),
                headers: Vec::new(),
                body: Vec::new(),
                connection: 1,
            };
            faults.take(&request).is_some()
        };
        assert!(!met("GET", "/v2/organisations/o/applications"));
        assert!(!met("POST", "/v2/organisations/o/applications"));
        assert!(met("POST", "/v2/organisations/o/applications"));
        assert!(!met("POST", "/v2/organisations/o/applications/a"));
        assert!(met("POST", "/v2/organisations/o/applications"));
        assert!(!met("POST", "/v2/organisations/o/applications"));
    }
}
