//! The server itself: a listener that can be closed and reopened, and a thread per connection.
//!
//! Whoever takes the server down waits until its threads have ended: nothing outlives a test.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustls::ServerConfig;

use super::channel::Channel;
use super::exchange::{Ended, Exchange};
use super::port::Port;
use super::wire::{NoRequest, read_request};
use super::{Request, Response, answer};
use crate::certificates::Shown;
use crate::fault::Faults;
use crate::journal::{Journal, Source};
use crate::stop::{Stop, StopOwner};

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
                service: &*self.service,
                faults: &self.faults,
                journal: &self.journal,
                request: &request,
                arrived: Instant::now(),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
