//! What is told of a job when nothing of it is left: one line, by which an operator sees that it works.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Job;
use crate::clock::Timestamp;
use crate::foreign::{Keep, one_line};
use crate::payload::Payload;

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
        }
    }

    /// As far as we go it is over, with this result.
    pub fn ended(&mut self, result: &str) {
        self.ended = Some(Timestamp::now());
        self.result = Some(result.to_owned());
    }
}

/// The line about a job, and what its machine has cost, as far as that is known.
pub struct Told<'a>(pub &'a Job, pub Option<String>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (summary, machine) = (&self.0.summary, &self.0.machine);
        let seconds = |duration: Duration| humantime::format_duration(duration).to_string();
        let between =
            |from: Option<Timestamp>, to: Option<Timestamp>| Some(seconds(to?.since(from?)));
        let (handed_over, running) = (machine.history.handed_over, machine.history.seen_running);
        let parts = [
            summary.project.clone(),
            machine.flavor.clone(),
            summary
                .queued
                .map(|queued| format!("waited {}", seconds(Duration::from_secs(queued)))),
            between(summary.granted, handed_over).map(|time| format!("provisioned {time}")),
            between(handed_over, running).map(|time| format!("booted {time}")),
            between(running, summary.ended).map(|time| format!("ran {time}")),
            running.is_none().then(|| "not seen running".to_owned()),
            self.1.clone(),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let result = summary.result.as_deref().unwrap_or("given up");
        write!(f, "finished: {}: {result}", parts.join(", "))
    }
}
