//! The inner runner's line to its coordinator: HTTP that a stopped machine does not wait for.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{bounded, select};
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::stop::{Stop, Stopped};

/// How the inner runner calls itself.
pub const USER_AGENT: &str = "gitlab-runner 18.9.0 (heptapod; go1.25.6; linux/amd64)";

const TIMEOUT: Duration = Duration::from_secs(30);
/// As `gitlab-runner` does: so many attempts while the coordinator says that it is in trouble.
const ATTEMPTS: u32 = 5;
/// It begins with 100 ms; everything is faster here.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Line<'a> {
    agent: Agent,
    /// The coordinator's URL, without a slash at its end.
    url: &'a str,
    token: &'a str,
    stop: &'a Stop,
}

pub(super) struct Call<'a> {
    pub method: &'static str,
    pub path: String,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub job_status: Option<String>,
    /// The size of the coordinator's log.
    pub size: Option<usize>,
    retry_after: Option<Duration>,
}

impl Answer {
    fn read<B>(response: &Response<B>) -> Self {
        let header = |name| response.headers().get(name)?.to_str().ok();
        let seconds = header("Retry-After").and_then(|value| value.parse().ok());
        Self {
            status: response.status().as_u16(),
            job_status: header("Job-Status").map(str::to_owned),
            size: header("Range").and_then(|range| range.strip_prefix("0-")?.parse().ok()),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    const fn is_trouble(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502..=504) || self.status >= 512
    }
}

impl<'a> Line<'a> {
    pub fn new(url: &'a str, token: &'a str, stop: &'a Stop) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .user_agent(USER_AGENT)
            .build()
            .into();
        Self {
            agent,
            url,
            token,
            stop,
        }
    }

    /// `None` when there was no answer.
    pub fn call(&self, call: &Call<'_>) -> Result<Option<Answer>, Stopped> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(call)? {
                Some(answer) if answer.is_trouble() => {
                    self.stop.wait(answer.retry_after.unwrap_or(pause))?;
                    pause *= 2;
                }
                answer => return Ok(answer),
            }
        }
        self.attempt(call)
    }

    fn attempt(&self, call: &Call<'_>) -> Result<Option<Answer>, Stopped> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}/api/v4{}", self.url, call.path))
            .header("JOB-TOKEN", self.token);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let Ok(request) = request.body(call.body.clone()) else {
            return Ok(None);
        };
        let agent = self.agent.clone();
        let (sender, answer) = bounded(1);
        // On a thread of its own, which ends with the exchange: what is on the wire stays there
        // when the machine stops.
        thread::spawn(move || {
            let answer = agent
                .run(request)
                .ok()
                .map(|response| Answer::read(&response));
            let _ = sender.send(answer);
        });
        select! {
            recv(answer) -> answer => Ok(answer.unwrap_or_default()),
            recv(self.stop.channel()) -> _ => Err(Stopped),
        }
    }
}
