//! One HTTP client for everything we say to coordinators and to Clever Cloud, its git remotes included.
//!
//! It is `ureq` with our house rules: blocking, connections kept and reused, a deadline and a size
//! limit for every call, no redirects (a redirect would carry a token to an address nobody
//! configured), and any status is an [`Answer`], not an error. It knows nothing of GitLab or of
//! Clever Cloud, and it never repeats a call by itself: what may be repeated is for the caller to
//! know.

mod answer;
mod segment;
mod trouble;

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ureq::AsSendBody;
use ureq::http::header::CONTENT_ENCODING;
use ureq::http::{Method, Request, Response};

pub use self::answer::Answer;
pub use self::segment::segment;
use self::trouble::{kind_of, no_answer};
use crate::agent::{Agents, Network};
use crate::gzip;
use crate::meters::REQUESTS;
use crate::proxy::Proxy;
use crate::secret::Secret;
use crate::semaphore::Semaphore;
use crate::shutdown::Stop;
use crate::trust::Trust;

/// For calls that are answered from a database.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Far more than any single object of either service.
const USUAL_LIMIT: u64 = 4 << 20;

/// As much of what a service says as a person reads.
const SHOWN: usize = 200;

/// So many exchanges with one service go on at once; the others wait. It bounds connections and
/// memory, and a service that is slow for hundreds of jobs is not helped by hundreds of requests.
const EXCHANGES_AT_ONCE: usize = 32;
/// Of one kind, with one host: where creations hang, deletions go on.
const EXCHANGES_OF_A_KIND: usize = 24;
/// For the depth of a TLS handshake.
const STACK: usize = 256 << 10;

/// Cheap to clone; clones share their connections and the bound on exchanges.
#[derive(Clone)]
pub struct Http {
    agents: Arc<Agents>,
    exchanges: Semaphore,
    stop: Stop,
}

/// One request, before it is sent.
#[derive(Clone)]
pub struct Call<'a> {
    method: Method,
    url: &'a str,
    headers: Vec<(&'static str, String)>,
    secrets: Vec<&'a Secret>,
    body: Vec<u8>,
    timeout: Duration,
    silence: Option<Duration>,
    limit: u64,
    may_be_held: bool,
    /// Which service it is for, and what it is about.
    subject: [&'static str; 2],
}

/// Nothing usable came back.
#[derive(Clone, Debug)]
pub struct NoAnswer {
    why: String,
    /// False when the request certainly never left: what it asks for has not been done.
    pub may_have_been_done: bool,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl<'a> Call<'a> {
    #[must_use]
    pub fn new(method: Method, url: &'a str) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            secrets: Vec::new(),
            body: Vec::new(),
            timeout: USUAL_TIMEOUT,
            silence: None,
            limit: USUAL_LIMIT,
            may_be_held: false,
            subject: ["other"; 2],
        }
    }

    #[must_use]
    pub fn get(url: &'a str) -> Self {
        Self::new(Method::GET, url)
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A header that holds `prefix` and then a secret.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, prefix: &str, secret: &'a Secret) -> Self {
        self.headers
            .push((name, format!("{prefix}{}", secret.reveal())));
        self.secrets.push(secret);
        self
    }

    /// The request carries `secret` in some form, which must not come back in an error text.
    #[must_use]
    pub fn conceals(mut self, secret: &'a Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    #[must_use]
    pub fn text(self, body: &[u8]) -> Self {
        self.bytes("text/plain", body.to_vec())
    }

    #[must_use]
    pub fn bytes(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("Content-Type", content_type)
    }

    /// As it is counted: the service, and what is asked of it.
    #[must_use]
    pub const fn about(mut self, service: &'static str, endpoint: &'static str) -> Self {
        self.subject = [service, endpoint];
        self
    }

    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    #[must_use]
    pub const fn url(&self) -> &'a str {
        self.url
    }

    /// How long the whole exchange may take. The usual is 30 s.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes the answer may have. The usual is 4 MiB.
    #[must_use]
    pub const fn at_most(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The service may hold it for minutes before it answers: it does not count among the exchanges
    /// at once, goes on while the service stops, and ends when no byte has come for `silence`. What
    /// it gives must not be lost: of an answer that breaks off, what has come is given.
    #[must_use]
    pub const fn held(mut self, silence: Duration) -> Self {
        self.may_be_held = true;
        self.silence = Some(silence);
        self
    }

    /// `text` without the secrets of this call.
    #[must_use]
    pub fn scrub(&self, text: String) -> String {
        self.secrets
            .iter()
            .fold(text, |text, secret| secret.scrub(&text))
    }
}

/// The host in an address, with its port.
#[must_use]
pub fn authority(url: &str) -> &str {
    url.split('/').nth(2).unwrap_or_default()
}

impl Http {
    /// For services that the system knows, as the environment says, with connections that are used for
    /// `max_age`.
    ///
    /// # Errors
    /// A text for the operator, when the environment names a proxy or a trust store that can't be used.
    pub fn by_environment(max_age: Duration, stop: Stop) -> Result<Self, String> {
        let network = Network::from_environment(max_age)?;
        Ok(Self::new(
            Agents::new(Arc::new(network), Trust::default()),
            stop,
        ))
    }

    /// Nothing new is sent once the service stops.
    #[must_use]
    pub fn new(agents: Agents, stop: Stop) -> Self {
        Self {
            agents: Arc::new(agents),
            exchanges: Semaphore::new(EXCHANGES_AT_ONCE, EXCHANGES_OF_A_KIND),
            stop,
        }
    }

    /// The same for a service of another trust.
    #[must_use]
    pub fn with(&self, trust: Trust) -> Self {
        Self::new(self.agents.with(trust), self.stop.clone())
    }

    /// The same for another service, which must not have to wait for this one.
    #[must_use]
    pub fn for_another_service(&self) -> Self {
        Self {
            exchanges: Semaphore::new(EXCHANGES_AT_ONCE, EXCHANGES_OF_A_KIND),
            ..self.clone()
        }
    }

    /// Sends `call` once.
    ///
    /// # Errors
    /// [`NoAnswer`] when no complete answer came within the call's time and size.
    pub fn send(&self, call: &Call<'_>) -> Result<Answer, NoAnswer> {
        let began = Instant::now();
        let result = if call.may_be_held {
            self.exchange_once(call)
        } else {
            self.exchange_on_own_thread(call)
        };
        // Secrets travel in headers; should one ever be in an address, it is in its query.
        let address = call.url.split('?').next().unwrap_or_default();
        let outcome = match &result {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        let [service, endpoint] = call.subject;
        REQUESTS.add(&[service, endpoint, kind_of(&result)], 1.0);
        log::debug!(
            "{} {address}: {outcome}, {:.0?}",
            call.method,
            began.elapsed()
        );
        result
    }

    /// An exchange needs several times the stack of a thread that waits for its job's end, and what a
    /// stack once touched stays in memory. So an exchange has a thread of its own while it lasts: a
    /// running job costs 29 KiB in the static build instead of 50 KiB, and 50 instead of 65 with glibc
    /// (the bench with `--jobs 200`, two to five runs each, within 4 KiB).
    fn exchange_on_own_thread(&self, call: &Call<'_>) -> Result<Answer, NoAnswer> {
        let stopping = |_| NoAnswer {
            why: "not asked, because the service stops".to_owned(),
            may_have_been_done: false,
        };
        let kind = format!("{} {}", call.method, authority(call.url));
        let permit = self
            .exchanges
            .acquire(&kind, |turn| self.stop.wait_for(turn));
        let _permit = permit.map_err(stopping)?;
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK);
            let Ok(exchange) = thread.spawn_scoped(scope, || self.exchange_once(call)) else {
                // Where no more threads can be had, what is asked for may be what makes room for some.
                return self.exchange_once(call);
            };
            exchange.join().unwrap_or_else(|_| {
                Err(NoAnswer {
                    why: "a panic, which is a bug; its message is above".to_owned(),
                    may_have_been_done: true,
                })
            })
        })
    }

    fn exchange_once(&self, call: &Call<'_>) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder().method(call.method.clone()).uri(call.url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        // GET and DELETE carry no body, not even an empty one, unless a call has one all the same; an empty
        // PATCH says so in its length.
        let exchanged = match call.method {
            Method::GET | Method::DELETE if call.body.is_empty() => {
                self.exchange(call, request.body(()))
            }
            _ => self.exchange(call, request.body(call.body.as_slice())),
        };
        let mut response = exchanged.map_err(|error| self.no_answer(call, &error))?;
        let mut body = Vec::new();
        let limited = response.body_mut().with_config().limit(call.limit);
        let read = limited.reader().read_to_end(&mut body);
        let cut = read
            .err()
            .map(|error| self.no_answer(call, &error.into()).why);
        let coding = response.headers().get(CONTENT_ENCODING);
        let coding = coding.and_then(|coding| coding.to_str().ok());
        let (body, damage) = gzip::unpacked(body, coding.unwrap_or_default(), call.limit);
        match cut.or(damage) {
            Some(why) if !call.may_be_held => Err(NoAnswer {
                why,
                may_have_been_done: true,
            }),
            cut => Ok(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body,
                cut,
            }),
        }
    }

    fn exchange<B: AsSendBody>(
        &self,
        call: &Call<'_>,
        request: Result<Request<B>, ureq::http::Error>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let request = request?;
        let proxy = self.agents.proxy_to(request.uri()).map(Proxy::for_ureq);
        let agent = self.agents.current()?;
        let request = agent
            .configure_request(request)
            .proxy(proxy)
            .timeout_global(Some(call.timeout))
            .timeout_resolve(call.silence)
            .timeout_per_read(call.silence)
            .timeout_per_write(call.silence);
        agent.run(request.build())
    }

    fn no_answer(&self, call: &Call<'_>, error: &ureq::Error) -> NoAnswer {
        let address = call.url.parse().ok();
        let proxy = address.and_then(|address| self.agents.proxy_to(&address));
        no_answer(call, proxy, error)
    }
}
