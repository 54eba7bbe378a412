//! Stands before a service and speaks TLS.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sandbox::certificates::{Authority, HERE, Shown};

use crate::scene::{PATIENCE, Scene};

pub struct Gateway {
    pub url: String,
    visits: Arc<Visits>,
}

/// What a gateway thinks of certificates of its visitors.
#[derive(Clone, Copy)]
pub enum Guard<'a> {
    AsksNothing,
    /// It looks at them, and lets in who has none.
    Asks(&'a Authority),
    Insists(&'a Authority),
}

#[derive(Default)]
struct Visits {
    log: Mutex<Log>,
    grown: Condvar,
}

#[derive(Default)]
struct Log {
    arrivals: Vec<Instant>,
    /// How often any of them said something behind the handshake.
    requests: usize,
    /// How many of these had shown a certificate.
    with_certificate: usize,
}

impl Gateway {
    pub fn before(service: &str, shown: &Shown) -> Self {
        Self::guarded(service, shown, Guard::AsksNothing)
    }

    pub fn guarded(service: &str, shown: &Shown, guard: Guard<'_>) -> Self {
        let config = server(shown, guard);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = service.trim_start_matches("http://");
        let inside = inside.split('/').next().unwrap_or_default().to_owned();
        let visits = Arc::new(Visits::default());
        let seen = visits.clone();
        thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                seen.change(|log| log.arrivals.push(Instant::now()));
                let (config, inside, seen) = (config.clone(), inside.clone(), seen.clone());
                thread::spawn(move || {
                    let _ = carry(outer, &config, &inside, &seen);
                });
            }
        });
        Self {
            url: format!("https://{HERE}:{port}"),
            visits,
        }
    }

    /// The pauses between so many visits.
    pub fn await_pauses(&self, visits: usize) -> Vec<Duration> {
        let log = self.visits.until(|log| log.arrivals.len() >= visits);
        let pairs = log.arrivals[..visits].windows(2);
        pairs.map(|pair| pair[1] - pair[0]).collect()
    }

    pub fn await_visits(&self, count: usize) {
        drop(self.visits.until(|log| log.arrivals.len() >= count));
    }

    pub fn await_requests(&self, count: usize) {
        drop(self.visits.until(|log| log.requests >= count));
    }

    pub fn visits(&self) -> usize {
        self.visits.log.lock().unwrap().arrivals.len()
    }

    pub fn requests(&self) -> usize {
        self.visits.log.lock().unwrap().requests
    }

    pub fn requests_with_certificate(&self) -> usize {
        self.visits.log.lock().unwrap().with_certificate
    }
}

impl Visits {
    fn change(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log.lock().unwrap());
        self.grown.notify_all();
    }

    fn until(&self, is_so: impl Fn(&Log) -> bool) -> MutexGuard<'_, Log> {
        let log = self.log.lock().unwrap();
        let waited = self
            .grown
            .wait_timeout_while(log, PATIENCE, |log| !is_so(log));
        let (log, timeout) = waited.unwrap();
        let (visits, requests) = (log.arrivals.len(), log.requests);
        assert!(!timeout.timed_out(), "{visits} visits, {requests} requests");
        log
    }
}

/// The address of a server that knows no TLS and says so, as an https one.
pub fn server_without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut visitor in listener.incoming().flatten() {
            let _ = visitor.read(&mut [0; 8 << 10]);
            let _ = visitor.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    format!("https://{HERE}:{port}")
}

/// A file in the scene's folder.
pub fn file(scene: &Scene, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = scene.folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn server(shown: &Shown, guard: Guard<'_>) -> Arc<ServerConfig> {
    let (Guard::Asks(authority) | Guard::Insists(authority)) = guard else {
        return shown.server();
    };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = match guard {
        Guard::Insists(_) => verifier,
        _ => verifier.allow_unauthenticated(),
    };
    let (chain, key) = shown.pair();
    let config = builder
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key);
    Arc::new(config.unwrap())
}

/// One exchange after the other: what came is passed on, and what came back until it is quiet.
fn carry(
    outer: TcpStream,
    config: &Arc<ServerConfig>,
    inside: &str,
    visits: &Visits,
) -> io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut outer = StreamOwned::new(connection, outer);
    let mut inner = TcpStream::connect(inside)?;
    inner.set_nonblocking(true)?;
    outer
        .sock
        .set_read_timeout(Some(Duration::from_millis(5)))?;
    let mut buffer = [0; 8 << 10];
    loop {
        match outer.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let certified = outer.conn.peer_certificates().is_some();
                visits.change(|log| {
                    log.requests += 1;
                    log.with_certificate += usize::from(certified);
                });
                inner.set_nonblocking(false)?;
                inner.write_all(&buffer[..count])?;
                inner.set_nonblocking(true)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        match inner.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => outer.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
