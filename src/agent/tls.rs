//! TLS over a connection of `ureq`, with our own trust.
//!
//! `ureq` has such a connector, but takes no verifier from outside and tells little of what went
//! wrong. This one is its like, and explains.

use std::fmt;
use std::io::{self, Read as _, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::trust::{Read, explain, refuses_our_certificate};

/// Why there is no connection, for the operator. Nothing was asked over it.
#[derive(Debug)]
pub struct NoConnection(String);

#[derive(Debug)]
pub struct TlsConnector {
    read: Read,
}

pub struct TlsTransport {
    host: Arc<str>,
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl NoConnection {
    #[must_use]
    pub const fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoConnection {}

impl From<NoConnection> for ureq::Error {
    fn from(error: NoConnection) -> Self {
        Self::Other(Box::new(error))
    }
}

impl TlsConnector {
    pub const fn new(read: Read) -> Self {
        Self { read }
    }

    fn begin(&self, host: &str) -> Result<ClientConnection, rustls::Error> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        ClientConnection::new(self.read.config.clone(), name)
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(below) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || below.is_tls() {
            return Ok(Some(Either::A(below)));
        }
        let host = details.uri.host().unwrap_or_default();
        let explained =
            |error: &rustls::Error| NoConnection::new(explain(error, host, &self.read.sources));
        let mut connection = self.begin(host).map_err(|error| explained(&error))?;
        let below: Box<dyn Transport> = Box::new(below);
        let mut below = TransportAdapter::new(below, details.current_time.clone());
        below.set_timeout(time_left(details));
        if let Err(error) = connection.complete_io(&mut below) {
            if let Some(error) = tls_error(&error) {
                return Err(explained(error).into());
            }
            return Err(match error.into() {
                ureq::Error::Io(error) => {
                    NoConnection::new(format!("no TLS with {host}: {error}")).into()
                }
                // A deadline, for instance, which the adapter has wrapped.
                error => error,
            });
        }
        Ok(Some(Either::B(TlsTransport {
            host: host.into(),
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            stream: StreamOwned::new(connection, below),
        })))
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS with {}", self.host)
    }
}

impl TlsTransport {
    /// With TLS 1.3 a server looks at our certificate when the handshake is over for us.
    fn explained(&self, error: io::Error) -> ureq::Error {
        match tls_error(&error) {
            Some(alert @ rustls::Error::AlertReceived(kind)) if refuses_our_certificate(*kind) => {
                NoConnection::new(explain(alert, &self.host, "")).into()
            }
            _ => error.into(),
        }
    }
}

impl TlsTransport {
    /// Who refuses our certificate says so and hangs up: the reason may stand unread when nothing can
    /// be written any more.
    fn unread_alert(&mut self) -> Option<rustls::Error> {
        let (connection, below) = (&mut self.stream.conn, &mut self.stream.sock);
        while connection.read_tls(below).ok()? > 0 {
            if let Err(alert) = connection.process_new_packets() {
                return Some(alert);
            }
        }
        None
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        let Err(error) = self.stream.write_all(output) else {
            return Ok(());
        };
        let alert = self.unread_alert();
        Err(self.explained(alert.map_or(error, io::Error::other)))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let read = self.stream.read(input);
        let amount = read.map_err(|error| self.explained(error))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Of the time for the whole connection, when TCP has taken its part.
fn time_left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(all), Instant::Exact(began), Instant::Exact(now)) =
        (timeout.after, details.now, (details.current_time)())
    {
        let taken = now.saturating_duration_since(began);
        timeout.after = Duration::Exact(all.saturating_sub(taken));
    }
    timeout
}
