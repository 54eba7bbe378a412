//! One request and what becomes of it: the fault that is planned for it, the service's answer, a line in
//! the journal.

use std::io::{self, Write};
use std::time::Instant;

use super::channel::Channel;
use super::server::{Passage, Service};
use super::wire::has_left;
use super::{Request, Response, answer};
use crate::fault::{Fault, Faults};
use crate::journal::{Journal, Kind};
use crate::stop::{Stop, Stopped};

/// The connection can't be used for another request.
pub(super) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

pub(super) struct Exchange<'a> {
    pub service: &'a dyn Service,
    pub faults: &'a Faults,
    pub journal: &'a Journal,
    pub request: &'a Request,
    pub arrived: Instant,
    pub stop: &'a Stop,
}

impl Exchange<'_> {
    pub fn run(&self, stream: &mut Channel) -> Result<(), Ended> {
        self.observe(Passage::Arrived);
        match self.faults.take(self.request) {
            None => self.answer(stream, &self.handle()),
            Some(Fault::Status {
                code: status,
                headers,
                body,
            }) => self.answer(
                stream,
                &Response {
                    status,
                    headers,
                    body,
                },
            ),
            Some(Fault::Quote(code)) => self.answer(stream, &answer::quoting(code, self.request)),
            Some(Fault::CutBefore) => self.cut("cut before it was done"),
            Some(Fault::CutAfter) => {
                self.handle();
                self.cut("cut after it was done")
            }
            Some(Fault::Delay(duration)) => self.go_on(stream, self.stop.wait(duration)),
            Some(Fault::Hang) => {
                self.record(None, "left hanging");
                self.stop.wait_for_it();
                self.observe(Passage::Lost);
                Err(Ended)
            }
            Some(Fault::Replace(response)) => {
                self.handle();
                self.answer(stream, &response)
            }
            Some(Fault::Alter(alter)) => {
                let response = alter(self.handle());
                self.answer(stream, &response)
            }
            Some(Fault::HoldBefore(gate)) => self.go_on(stream, gate.pass(self.stop)),
            Some(Fault::HoldAfter(gate)) => {
                let response = self.handle();
                match gate.pass(self.stop) {
                    Ok(()) => self.answer(stream, &response),
                    Err(Stopped) => self.cut("cut while held back"),
                }
            }
            Some(Fault::Truncate(bytes)) => {
                let response = self.handle_and_record("truncated", Passage::Lost);
                answer::write_truncated(stream, &response, bytes)?;
                Err(Ended)
            }
            Some(Fault::Trickle(pause)) => {
                let response = self.handle_and_record("trickling", Passage::Answered);
                answer::write_trickling(stream, &response, pause, self.stop)?;
                Ok(())
            }
            Some(Fault::Endless) => {
                let response = self.handle_and_record("endless", Passage::Lost);
                answer::write_endless(stream, &response, self.stop)?;
                Err(Ended)
            }
        }
    }

    fn handle(&self) -> Response {
        self.service.handle(self.request)
    }

    fn observe(&self, passage: Passage) {
        self.service.observe(self.request, passage);
    }

    /// After a wait that comes before the effect.
    fn go_on(&self, stream: &mut Channel, waited: Result<(), Stopped>) -> Result<(), Ended> {
        match waited {
            Ok(()) => self.answer(stream, &self.handle()),
            Err(Stopped) => self.cut("cut while it waited"),
        }
    }

    /// Records first: a client that has its answer finds it in the journal.
    fn answer(&self, stream: &mut Channel, response: &Response) -> Result<(), Ended> {
        if self.stop.is_stopped() {
            return self.cut("cut by an outage after it was done");
        }
        if has_left(stream.socket()) {
            return self.cut("the client left before its answer");
        }
        self.observe(Passage::Answered);
        self.record(Some(response.status), "");
        if response.is_stream() {
            return self.stream(stream, response);
        }
        stream.write_all(&answer::encode(response))?;
        stream.flush()?;
        let closes = response.header("Connection");
        if closes.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Err(Ended);
        }
        Ok(())
    }

    /// One event after the other, until there are no more, or the client has enough.
    fn stream(&self, stream: &mut Channel, head: &Response) -> Result<(), Ended> {
        answer::begin_chunks(stream, head)?;
        let mut seen = 0;
        let more = |seen: &mut usize| self.service.more(self.request, seen, self.stop);
        while let Some(part) = more(&mut seen) {
            answer::write_chunk(stream, &part)?;
            if self.stop.is_stopped() {
                return Err(Ended);
            }
        }
        Ok(answer::write_chunk(stream, b"")?)
    }

    fn handle_and_record(&self, how: &str, passage: Passage) -> Response {
        let response = self.handle();
        self.observe(passage);
        self.record(Some(response.status), how);
        response
    }

    fn cut(&self, how: &str) -> Result<(), Ended> {
        self.observe(Passage::Lost);
        self.record(None, how);
        Err(Ended)
    }

    fn record(&self, status: Option<u16>, how: &str) {
        let Request { method, path, .. } = self.request;
        let outcome = match (status, how) {
            (Some(status), "") => status.to_string(),
            (Some(status), how) => format!("{status}, {how}"),
            (None, how) => how.to_owned(),
        };
        let kind = Kind::Request {
            method: method.clone(),
            path: path.clone(),
            status,
            client: self
                .request
                .header("User-Agent")
                .unwrap_or_default()
                .to_owned(),
            connection: self.request.connection,
            took: self.arrived.elapsed(),
        };
        let what = format!("{method} {path} -> {outcome}");
        self.journal.record(self.service.source(), kind, what);
    }
}
