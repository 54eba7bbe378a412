//! What is told of a job when nothing of it is left: one line, by which an operator sees that it works.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Job;
use crate::clock::Timestamp;
use crate::foreign::{Keep, one_line};
use crate::payload::{FailureReason, Payload};

/// As much of a project's path as a person reads.
const SHOWN: usize = 80;

/// What nothing else remembers by then. It survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The path of its project.
    pub project: Option<String>,
    /// The login name of who has started it.
    pub user: Option<String>,
    /// How many seconds it was in the coordinator's queue.
    pub queued: Option<u64>,
    /// None: this program was not granted it.
    pub granted: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub result: Option<String>,
    /// Of a failure that is ours to tell.
    pub reason: Option<FailureReason>,
}

impl Summary {
    /// Of a job that was granted just now.
    #[must_use]
    pub fn granted(payload: &Payload) -> Self {
        let shown = |text: &str| one_line(text, Keep::Start(SHOWN));
        Self {
            project: payload.project_path().map(shown),
            user: payload.user().map(shown),
            queued: payload.queued().map(|queued| queued.as_secs()),
            granted: Some(Timestamp::now()),
            ended: None,
            result: None,
            reason: None,
        }
    }

    /// As far as we go it is over, with this result.
    pub fn ended(&mut self, result: &str) {
        self.ended = Some(Timestamp::now());
        self.result = Some(result.to_owned());
    }
}

/// How long the parts of a job took, as far as they were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub waited: Option<Duration>,
    /// From its grant until its machine had it.
    pub provisioned: Option<Duration>,
    pub booted: Option<Duration>,
    pub ran: Option<Duration>,
    /// From its end until nothing was left of its machine.
    pub deleted: Option<Duration>,
}

impl Times {
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let (summary, history) = (&job.summary, job.machine.history);
        let between = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.since(from?));
        Self {
            waited: summary.queued.map(Duration::from_secs),
            provisioned: between(summary.granted, history.handed_over),
            booted: between(history.handed_over, history.seen_running),
            ran: between(history.seen_running, summary.ended),
            deleted: between(summary.ended, history.gone),
        }
    }

    /// In their order.
    #[must_use]
    pub const fn all(self) -> [Option<Duration>; 5] {
        [
            self.waited,
            self.provisioned,
            self.booted,
            self.ran,
            self.deleted,
        ]
    }
}

/// The line about a job, and what its machine has cost, as far as that is known.
pub struct Told<'a>(pub &'a Job, pub Option<String>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (summary, machine) = (&self.0.summary, &self.0.machine);
        let times = Times::of(self.0);
        let part = |what: &str, time: Option<Duration>| {
            time.map(|time| format!("{what} {}", humantime::format_duration(time)))
        };
        let parts = [
            summary.project.clone(),
            machine.flavor.clone(),
            part("waited", times.waited),
            part("provisioned", times.provisioned),
            part("booted", times.booted),
            part("ran", times.ran),
            (machine.history.seen_running.is_none()).then(|| "not seen running".to_owned()),
            self.1.clone(),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let result = summary.result.as_deref().unwrap_or("given up");
        write!(f, "finished: {}: {result}", parts.join(", "))
    }
}
