//! The server itself: a listener that can be closed and reopened, and a thread per connection.
//!
//! Whoever takes the server down waits until its threads have ended: nothing outlives a test.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;

use super::channel::Channel;
use super::port::Port;
use super::wire::{NoRequest, has_left, read_request};
use super::{Request, Response, answer};
use crate::certificates::Shown;
use crate::fault::{Fault, Faults};
use crate::journal::{Journal, Kind, Source};
use crate::stop::{Stop, StopOwner, Stopped};

/// What stands behind a server.
pub trait Service: Send + Sync + 'static {
    fn handle(&self, request: &Request) -> Response;

    fn source(&self) -> Source;

    /// What follows in a stream, `seen` of whose events have been sent: at least a sign of life now and
    /// then. Nothing at its end.
    fn more(&self, _request: &Request, _seen: &mut usize, _stop: &Stop) -> Option<Vec<u8>> {
        None
    }

    /// Told of each request as it passes, whatever a fault plan does to it.
    fn observe(&self, _request: &Request, _passage: Passage) {}
}

/// Where a request stands between its client and the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    Arrived,
    Answered,
    /// There will be no answer, or the client had left before it.
    Lost,
}

pub struct Server {
    inner: Arc<Inner>,
    port: Port,
    /// `None` while suspended.
    open: Mutex<Option<Open>>,
}

struct Open {
    acceptor: JoinHandle<()>,
    stop: StopOwner,
}

struct Inner {
    service: Arc<dyn Service>,
    faults: Faults,
    journal: Journal,
    next_connection: AtomicU64,
    connections: Mutex<Connections>,
    /// Where only TLS is spoken.
    tls: Option<Arc<ServerConfig>>,
}

#[derive(Default)]
struct Connections {
    /// A second handle of each connection, to end it from outside.
    streams: HashMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn start(service: Arc<dyn Service>, faults: Faults, journal: Journal) -> io::Result<Self> {
        Self::open(service, faults, journal, None)
    }

    /// The same, for those who speak TLS and believe this certificate.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with_tls(
        service: Arc<dyn Service>,
        faults: Faults,
        journal: Journal,
        shown: &Shown,
    ) -> io::Result<Self> {
        Self::open(service, faults, journal, Some(shown.server()))
    }

    fn open(
        service: Arc<dyn Service>,
        faults: Faults,
        journal: Journal,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let (port, listener) = Port::take()?;
        let inner = Arc::new(Inner {
            service,
            faults,
            journal,
            next_connection: AtomicU64::new(1),
            connections: Mutex::default(),
            tls,
        });
        let open = Open::start(listener, &inner)?;
        Ok(Self {
            inner,
            port,
            open: Mutex::new(Some(open)),
        })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// From now on connections are refused, and those that exist are closed. What is being carried
    /// out is carried out to its end, but not answered.
    pub fn suspend(&self) {
        let Some(Open { acceptor, stop }) = lock(&self.open).take() else {
            return;
        };
        drop(stop);
        // Wakes the thread that accepts. A refusal means that it is gone already.
        let _ = TcpStream::connect(self.address());
        let _ = acceptor.join();
        for stream in lock(&self.inner.connections).streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    /// When somebody else took the port meanwhile.
    pub fn resume(&self) {
        let mut open = lock(&self.open);
        if open.is_none() {
            let listener = self
                .port
                .listen_again()
                .expect("the port should be free again");
            *open = Some(Open::start(listener, &self.inner).expect("a thread should start"));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.suspend();
        let threads = std::mem::take(&mut lock(&self.inner.connections).threads);
        for thread in threads {
            // A service that panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

impl Open {
    fn start(listener: TcpListener, inner: &Arc<Inner>) -> io::Result<Self> {
        let owner = StopOwner::new();
        let stop = owner.stop();
        let inner = Arc::clone(inner);
        let acceptor = thread::Builder::new()
            .name("sandbox accept".to_owned())
            .spawn(move || accept(&listener, &inner, &stop))?;
        Ok(Self {
            acceptor,
            stop: owner,
        })
    }
}

fn accept(listener: &TcpListener, inner: &Arc<Inner>, stop: &Stop) {
    while let Ok((stream, _)) = listener.accept() {
        if stop.is_stopped() {
            return;
        }
        // A client that is gone already needs no thread.
        let _ = inner.open_connection(stream, stop);
    }
}

impl Inner {
    fn open_connection(self: &Arc<Self>, stream: TcpStream, stop: &Stop) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let number = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let mut connections = lock(&self.connections);
        connections.streams.insert(number, stream.try_clone()?);
        connections.threads.retain(|thread| !thread.is_finished());
        let inner = Arc::clone(self);
        let stop = stop.clone();
        let thread = thread::Builder::new()
            .name(format!("sandbox connection {number}"))
            .spawn(move || {
                let _registered = Registered {
                    inner: &inner,
                    number,
                };
                inner.serve(stream, number, &stop);
            })?;
        connections.threads.push(thread);
        Ok(())
    }

    fn serve(&self, stream: TcpStream, number: u64, stop: &Stop) {
        let Ok(channel) = Channel::new(stream, self.tls.as_ref()) else {
            return;
        };
        let mut stream = BufReader::new(channel);
        while !stop.is_stopped() {
            let request = match read_request(&mut stream, number) {
                Ok(request) => request,
                Err(NoRequest::Left) => break,
                Err(NoRequest::Bad(status, why)) => {
                    let what = format!("a request that is no good HTTP: {why}");
                    self.journal.complain(self.service.source(), what);
                    let answer = Response::text(status, &why).with("Connection", "close");
                    let _ = stream.get_mut().write_all(&answer::encode(&answer));
                    break;
                }
            };
            let wants_close = request
                .header("Connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"));
            let exchange = Exchange {
                inner: self,
                request: &request,
                stop,
            };
            match exchange.run(stream.get_mut()) {
                Ok(()) if !wants_close => {}
                Ok(()) | Err(Ended) => break,
            }
        }
    }
}

/// Ends its connection also when the service panics: its client must not wait for ever.
struct Registered<'a> {
    inner: &'a Inner,
    number: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let stream = lock(&self.inner.connections).streams.remove(&self.number);
        if let Some(stream) = stream {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The connection can't be used for another request.
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// One request and what becomes of it.
struct Exchange<'a> {
    inner: &'a Inner,
    request: &'a Request,
    stop: &'a Stop,
}

impl Exchange<'_> {
    fn run(&self, stream: &mut Channel) -> Result<(), Ended> {
        self.observe(Passage::Arrived);
        match self.inner.faults.take(self.request) {
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
        self.inner.service.handle(self.request)
    }

    fn observe(&self, passage: Passage) {
        self.inner.service.observe(self.request, passage);
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
        let more = |seen: &mut usize| self.inner.service.more(self.request, seen, self.stop);
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
        };
        let what = format!("{method} {path} -> {outcome}");
        self.inner
            .journal
            .record(self.inner.service.source(), kind, what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
