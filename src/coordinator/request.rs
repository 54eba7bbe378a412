//! Asking for a job. GitLab page, section 1.
//!
//! The coordinator sets a job `running` before it writes its answer, so a request that is cut may
//! lose a job for up to an hour: it is sent once, and whatever comes of its answer is used.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::word::{NotOwn, Yes, own};
use super::{Coordinator, hints};
use crate::foreign::{Keep, one_line};
use crate::http::{Answer, Call};
use crate::payload::{JobCredentials, Payload, Unusable};
use crate::secret::Secret;

/// A request is given up when no byte of its answer has come for so long. It could lose a job only
/// if the coordinator assigned one and then was silent for all that time. GitLab itself ends what it
/// works on for a minute, and the usual balancer ends a silence of a minute: after two there is
/// nobody left who would answer. A longer patience finds no answer either, and leaves the jobs in
/// the queue meanwhile. While Workhorse holds the request nothing is assigned (section 1.6).
const SILENCE: Duration = Duration::from_secs(120);
/// A request that is answered sooner was hardly held; asking again at once could be a flood.
const HELD: Duration = Duration::from_secs(1);
const LAST_UPDATE: &str = "X-GitLab-Last-Update";
/// What GitLab's documentation asks administrators to set.
const USUAL_HOLD: Duration = Duration::from_secs(50);
/// An answer that keeps coming is read for as long as the coordinator itself waits for news of the
/// job.
const LONGEST: Duration = Duration::from_secs(3600);

/// No real payload comes near; what is larger can't be pushed either.
const PAYLOAD_LIMIT: u64 = 64 << 20;

/// What the inner runner can do. A feature that is missing here makes the coordinator fail the
/// jobs that need it (section 1.2), one too many makes it expect what nobody does.
const FEATURES: [&str; 16] = [
    "upload_multiple_artifacts",
    "upload_raw_artifacts",
    "refspecs",
    "artifacts",
    "artifacts_exclude",
    "multi_build_steps",
    "return_exit_code",
    "raw_variables",
    "cache",
    "fallback_cache_keys",
    "masking",
    "variables",
    "image",
    "services",
    "session",
    "terminal",
];
const LACKING: [&str; 2] = ["shared", "proxy"];

/// Who asks: a runner's token, and this installation among all that use the same token.
#[derive(Clone, Debug)]
pub struct RunnerIdentity {
    pub token: Secret,
    pub system_id: String,
    /// What else the inner runner's version can do, or can't.
    pub features: Vec<(String, bool)>,
}

/// The answer to a request for a job.
#[derive(Debug)]
pub enum Grant {
    Job(Box<Payload>),
    /// A job that can't be run, for this reason; it is ours all the same.
    Unusable {
        job: JobCredentials,
        why: String,
    },
    /// Nothing to do.
    Nothing {
        /// Whether the next request should follow at once.
        ask_on: bool,
    },
    /// The coordinator has trouble, or trouble with us; it may have said when to come back.
    Trouble {
        why: String,
        retry_after: Option<Duration>,
    },
}

/// What is known of a runner's queue from one request to the next.
#[derive(Debug, Default)]
pub struct Queue {
    /// What the last "nothing" came with (section 1.5): handed in again, it lets the coordinator
    /// answer cheaply, or hold the request until there is something.
    last_update: Option<String>,
    /// The longest that a coordinator which holds requests has held one.
    hold: Option<Duration>,
    /// Whether the last request was followed at once because of the news that its answer had.
    has_followed: bool,
}

impl Queue {
    /// How long there may be no byte of an answer. One that was held may still go to the
    /// coordinator proper, and have as long as any other there.
    fn patience(&self, may_be_held: bool) -> Duration {
        let hold = self.hold.filter(|_| may_be_held);
        SILENCE + hold.unwrap_or_default()
    }

    /// Whether the next request should follow at once, if there was nothing.
    fn learn(&mut self, answer: &Answer, may_be_held: bool, took: Duration) -> bool {
        if answer.header("Gitlab-Ci-Builds-Polling") == Some("yes") {
            let held = if may_be_held { took } else { Duration::ZERO };
            self.hold = Some(self.hold.unwrap_or(USUAL_HOLD).max(held));
        }
        let value = answer.header(LAST_UPDATE);
        let new = value.filter(|value| !value.is_empty());
        let is_news = new.is_some() && new != self.last_update.as_deref();
        if let Some(new) = new {
            self.last_update = Some(new.to_owned());
        }
        // A bare 204 is also what a long poll says, so something in between can't be told apart.
        let is_nothing = answer.status == 204;
        let was_held = is_nothing && may_be_held && value.is_none() && took >= HELD;
        // With its news the next one is held, if any is. Only once, for there may be some each time.
        self.has_followed = is_nothing && is_news && self.hold.is_some() && !self.has_followed;
        // One that was held may have been answered because there is something now, which only the next one
        // is told (section 1.6).
        was_held || self.has_followed
    }
}

impl Coordinator {
    /// Asks once, and learns of the queue. The request may be held there for a minute, if
    /// `may_be_held`.
    #[must_use]
    pub fn request_job(
        &self,
        runner: &RunnerIdentity,
        queue: &mut Queue,
        may_be_held: bool,
    ) -> Grant {
        let url = format!("{}/jobs/request", self.api);
        let last_update = queue.last_update.as_deref().filter(|_| may_be_held);
        let may_be_held = last_update.is_some();
        let call = Call::new(Method::POST, &url)
            .about("coordinator", "job_request")
            .conceals(&runner.token)
            .header("Accept", "application/json")
            .json(&body(runner, last_update))
            .within(LONGEST)
            .held(queue.patience(may_be_held))
            .at_most(PAYLOAD_LIMIT);
        let began = Instant::now();
        let answer = match self.http.send(&call) {
            Ok(answer) => answer,
            Err(error) => {
                // What hangs with it may answer without.
                queue.last_update = None;
                let error = NotOwn::Nothing(error);
                let hint = hints::of(self.url(), &error);
                return trouble(advised(&error.to_string(), hint));
            }
        };
        let took = began.elapsed();
        let ask_on = queue.learn(&answer, may_be_held, took);
        if let Some(why) = answer.cut.as_ref().filter(|_| answer.status != 201) {
            return trouble(why.clone());
        }
        let answer = match own(answer, Yes::Grant, &call) {
            Ok(answer) => answer,
            Err(why) => {
                return Grant::Trouble {
                    retry_after: why.retry_after(),
                    why: advised(&why.to_string(), hints::of(self.url(), &why)),
                };
            }
        };
        match answer.status {
            201 => granted(&answer),
            204 | 409 => Grant::Nothing { ask_on },
            403 => trouble(advised(
                &format!("it does not know this runner ({})", answer.describe(&call)),
                Some(hints::UNKNOWN_TOKEN),
            )),
            _ => Grant::Trouble {
                why: answer.describe(&call),
                retry_after: answer.retry_after(),
            },
        }
    }
}

/// Whatever its content type says, and whether or not it is whole: what the answer grants is ours.
fn granted(answer: &Answer) -> Grant {
    let Unusable { why, credentials } = match Payload::parse(&answer.body) {
        Ok(payload) => return Grant::Job(Box::new(payload)),
        Err(unusable) => unusable,
    };
    let why = match (&answer.cut, answer.header("Content-Encoding")) {
        (Some(cut), _) => format!("the answer broke off ({cut})"),
        (None, Some(coding)) => {
            let coding = one_line(coding, Keep::Start(20));
            format!("{why}; it came encoded as {coding}, which was not asked for")
        }
        (None, None) => why,
    };
    match credentials {
        Some(job) => Grant::Unusable { job, why },
        None => trouble(format!(
            "it granted a job that can't be read, and will fail it for lack of news: {why}"
        )),
    }
}

fn advised(why: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| why.to_owned(), |hint| format!("{why}: {hint}"))
}

fn trouble(why: String) -> Grant {
    Grant::Trouble {
        why,
        retry_after: None,
    }
}

fn body(runner: &RunnerIdentity, last_update: Option<&str>) -> Value {
    let has = FEATURES.iter().map(|feature| (*feature, true));
    let lacks = LACKING.iter().map(|feature| (*feature, false));
    let usual = has
        .chain(lacks)
        .map(|(feature, present)| (feature.to_owned(), present));
    // A later one of the same name counts.
    let features: Map<_, _> = usual
        .chain(runner.features.iter().cloned())
        .map(|(feature, present)| (feature, Value::Bool(present)))
        .collect();
    let mut body = json!({
        "token": runner.token.reveal(),
        "system_id": runner.system_id,
        "info": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "platform": "linux",
            "architecture": "amd64",
            "executor": "docker",
            "features": features,
        },
    });
    if let Some(last_update) = last_update {
        body["last_update"] = Value::from(last_update);
    }
    body
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sandbox::{CoordinatorSettings, Journal, RunnerSpec};

    use super::{Grant, HELD, Queue, RunnerIdentity, SILENCE, USUAL_HOLD};
    use crate::agent::Agents;
    use crate::coordinator::Coordinator;
    use crate::http::Http;
    use crate::secret::Secret;
    use crate::shutdown;
    use crate::trust::Trust;

    const TOKEN: &str = "kvzWdEMoTESTtoken000";

    /// A coordinator, and what asks it for a job.
    fn asking(
        settings: CoordinatorSettings,
    ) -> (sandbox::Coordinator, impl Fn(&mut Queue) -> Grant) {
        let gitlab = sandbox::Coordinator::start(settings).unwrap();
        gitlab.add_runner(RunnerSpec::new(TOKEN));
        let (stopper, stop) = shutdown::channel();
        let coordinator = Coordinator::new(
            Http::new(Agents::new(Arc::default(), Trust::default()), stop),
            &gitlab.url(),
        );
        let runner = RunnerIdentity {
            token: Secret::new(TOKEN),
            system_id: "s_0123456789ab".to_owned(),
            features: Vec::new(),
        };
        let ask = move |queue: &mut Queue| {
            let _not_stopped = &stopper;
            coordinator.request_job(&runner, queue, true)
        };
        (gitlab, ask)
    }

    #[test]
    fn a_coordinator_that_holds_requests_is_known_by_its_answers() {
        for (long_poll, hold) in [
            (None, None),
            (Some(Duration::from_millis(1)), Some(USUAL_HOLD)),
        ] {
            let mut settings = CoordinatorSettings::new("gitlab", Journal::new());
            settings.long_poll = long_poll;
            let (_gitlab, ask) = asking(settings);
            let mut queue = Queue::default();
            for _ in 0..2 {
                let grant = ask(&mut queue);
                let nothing = matches!(grant, Grant::Nothing { .. });
                assert!(nothing, "{grant:?}");
                assert_eq!(queue.hold, hold);
                assert!(queue.last_update.is_some());
            }
        }
    }

    #[test]
    fn what_was_held_is_followed_at_once_and_so_are_news_where_requests_are_held_but_not_twice() {
        let mut settings = CoordinatorSettings::new("gitlab", Journal::new());
        settings.long_poll = Some(HELD + Duration::from_millis(50));
        let (gitlab, ask) = asking(settings);
        let mut queue = Queue::default();
        let mut asks_on = || match ask(&mut queue) {
            Grant::Nothing { ask_on } => ask_on,
            other => panic!("{other:?}"),
        };
        assert!(asks_on(), "the next one can be held");
        assert!(asks_on(), "held");
        for (tag, is_followed) in [("one", true), ("two", false), ("three", true)] {
            gitlab.set_runner_tags(TOKEN, [tag]);
            assert_eq!(asks_on(), is_followed);
        }
    }

    #[test]
    fn a_request_has_two_minutes_and_a_held_one_its_hold_before_them() {
        let seconds = Duration::from_secs;
        let queue = |hold| Queue {
            hold,
            ..Queue::default()
        };
        assert_eq!(queue(None).patience(true), seconds(120));
        assert_eq!(queue(Some(USUAL_HOLD)).patience(false), SILENCE);
        assert_eq!(queue(Some(USUAL_HOLD)).patience(true), seconds(170));
        assert_eq!(queue(Some(seconds(90))).patience(true), seconds(210));
    }
}
