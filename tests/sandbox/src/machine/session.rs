//! The inner runner's talk with its coordinator about one job: it says that it runs, sends its
//! log, reports the result, and hears when the job is not wanted any more.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never};
use serde_json::{Value, json};

use super::handover::Handover;
use super::inner_runner::JobResult;
use super::line::{Answer, Call, Line};
use super::log::Log;
use super::payload::Job;
use super::{Machine, MachineBehaviour};
use crate::stop::{Stop, Stopped};

/// After so long without anything sent, it says that it still runs.
const SILENCE: Duration = Duration::from_secs(30);
/// The final report is tried so often, with pauses that double: 20 s in all. The real one begins
/// with a second.
const REPORTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Why the inner runner goes without a report.
pub(super) enum End {
    Stopped,
    /// The coordinator does not want the job any more.
    Aborted,
    Crashed(String),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// What the coordinator wants of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    GoOn,
    /// Gracefully, with its `after_script` and a report. Heard once.
    Cancel,
}

pub(super) struct Session<'a> {
    pub log: Log,
    line: Line<'a>,
    machine: Machine<'a>,
    job: &'a Job,
    last_sent: Instant,
    /// 404 means that the coordinator takes no log.
    takes_log: bool,
    is_canceled: bool,
}

impl<'a> Session<'a> {
    pub fn new(machine: Machine<'a>, handover: &'a Handover) -> Self {
        Self {
            log: Log::default(),
            line: Line::new(&handover.url, &handover.job.token, machine.stop),
            machine,
            job: &handover.job,
            last_sent: Instant::now(),
            takes_log: true,
            is_canceled: false,
        }
    }

    pub const fn stop(&self) -> &'a Stop {
        self.machine.stop
    }

    /// Disconnected when the machine shall die while the job runs.
    pub fn death(&self) -> Receiver<Infallible> {
        match &self.machine.order.behaviour {
            MachineBehaviour::DiesInJob(gate) => gate.stand_at().clone(),
            _ => never(),
        }
    }

    /// `PUT state=running`, before anything else. Trouble with it changes nothing.
    pub fn greet(&mut self) -> Result<Wish, End> {
        match self.put(&json!({"state": "running"}))? {
            Some(answer) if matches!(answer.status, 403 | 404) => Err(End::Aborted),
            Some(answer) => self.heed(&answer),
            None => Ok(Wish::GoOn),
        }
    }

    /// Sends what of the log the coordinator does not have yet, or, after a long silence, that the
    /// job still runs.
    pub fn send(&mut self) -> Result<Wish, End> {
        let chunk = match self.log.next() {
            Some(chunk) if !chunk.is_empty() && self.takes_log => chunk.to_vec(),
            Some(_) if self.last_sent.elapsed() >= SILENCE => {
                self.last_sent = Instant::now();
                return self.greet();
            }
            _ => return Ok(Wish::GoOn),
        };
        let end = self.log.sent() + chunk.len();
        match self.patch(chunk)? {
            Some(answer) if answer.status == 202 => {
                self.log.set_sent(end);
                self.last_sent = Instant::now();
                self.heed(&answer)
            }
            Some(Answer {
                status: 416,
                size: Some(size),
                ..
            }) => self.skip_to(size),
            Some(answer) if answer.status == 403 => Err(End::Aborted),
            Some(answer) if answer.status == 404 => {
                self.takes_log = false;
                Ok(Wish::GoOn)
            }
            _ => Ok(Wish::GoOn),
        }
    }

    /// Somebody else wrote to the log: so many bytes of our own are never shown.
    fn skip_to(&mut self, size: usize) -> Result<Wish, End> {
        let is_old = matches!(
            self.machine.order.behaviour,
            MachineBehaviour::OldInnerRunner
        );
        if is_old && size > self.log.len() {
            return Err(End::Crashed("slice bounds out of range".to_owned()));
        }
        self.log.set_sent(size);
        Ok(Wish::GoOn)
    }

    /// Sends the rest of the log, then the result, until the coordinator has both.
    pub fn report(&mut self, result: &JobResult) -> Result<(), End> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..REPORTS {
            if self.send_rest()? && self.report_once(result)? {
                return Ok(());
            }
            self.stop().wait(pause)?;
            pause *= 2;
        }
        let name = self.job.id;
        self.machine
            .note(format!("the result of job {name} could not be reported"));
        Ok(())
    }

    /// Whether the coordinator has the whole log (and none of somebody else's beyond it).
    fn send_rest(&mut self) -> Result<bool, End> {
        while self.takes_log && self.log.sent() != self.log.len() {
            let before = self.log.sent();
            self.send()?;
            if self.log.sent() == before || self.log.sent() > self.log.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether that is done with, one way or another.
    fn report_once(&mut self, result: &JobResult) -> Result<bool, End> {
        let mut update = json!({
            "state": "success",
            "checksum": self.log.checksum(),
            "output": {"checksum": self.log.checksum(), "bytesize": self.log.len()},
        });
        if let JobResult::Failed {
            reason, exit_code, ..
        } = result
        {
            update["state"] = json!("failed");
            update["failure_reason"] = json!(self.job.known_reason(reason));
            if let Some(code) = exit_code {
                update["exit_code"] = json!(code);
            }
        }
        let status = self.put(&update)?.map(|answer| answer.status);
        if status == Some(412) {
            self.log.set_sent(0);
        }
        Ok(matches!(status, Some(200 | 403 | 404)))
    }

    /// The job's status, where an answer tells it.
    fn heed(&mut self, answer: &Answer) -> Result<Wish, End> {
        match answer.job_status.as_deref() {
            Some("canceled" | "failed") if answer.status < 300 => Err(End::Aborted),
            Some("canceling") if answer.status < 300 && !self.is_canceled => {
                self.is_canceled = true;
                Ok(Wish::Cancel)
            }
            _ => Ok(Wish::GoOn),
        }
    }

    fn put(&self, update: &Value) -> Result<Option<Answer>, Stopped> {
        let mut body = json!({
            "info": {
                "name": "gitlab-runner", "version": "18.9.0", "revision": "heptapod",
                "platform": "linux", "architecture": "amd64", "executor": "docker",
                "shell": "bash",
            },
            "token": self.job.token,
        });
        if let (Some(body), Some(update)) = (body.as_object_mut(), update.as_object()) {
            body.extend(update.clone());
        }
        self.line.call(&Call {
            method: "PUT",
            path: format!("/jobs/{}", self.job.id),
            headers: &[
                ("Content-Type", "application/json"),
                ("Accept", "application/json"),
            ],
            body: body.to_string().into_bytes(),
        })
    }

    fn patch(&self, chunk: Vec<u8>) -> Result<Option<Answer>, Stopped> {
        let start = self.log.sent();
        let range = format!("{start}-{}", start + chunk.len() - 1);
        self.line.call(&Call {
            method: "PATCH",
            path: format!("/jobs/{}/trace", self.job.id),
            headers: &[("Content-Type", "text/plain"), ("Content-Range", &range)],
            body: chunk,
        })
    }
}
