//! How everything stands, served to browsers and to what watches servers: metrics, whether all is well, a page.
//!
//! One thread serves all connections, a bounded number of them, each for a bounded time and with a bounded request:
//! whoever hangs or floods it takes nothing from a job. What is shown comes from the main loop, as at the control
//! socket, so that an answer shows that it turns; it is asked at most some times a second. Nothing can be changed
//! here.

mod answer;
mod connection;
mod health;
mod metrics;
mod page;
mod request;
mod routes;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::connection::Connection;
use self::routes::Routes;
use crate::config::Listen;
use crate::control::server::Asked;
use crate::thread::spawn;

/// So many connections at once; another one takes the place of the oldest.
const CONNECTIONS: usize = 64;
/// There may be no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// It listens as long as this is there.
pub struct Server {
    settings: Listen,
    /// The socket of the thread. What one calls it makes no difference to the system.
    socket: TcpStream,
}

impl Drop for Server {
    /// The address is free at once, whatever the thread is at.
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Server {
    /// Listens as the configuration says; what is shown is `asked` for.
    ///
    /// # Errors
    /// A text for the operator, when that can't be done.
    pub fn listen(
        settings: &Listen,
        asked: Sender<Asked>,
        state_file: &Path,
    ) -> Result<Self, String> {
        let address = settings.address;
        let cannot = |error| format!("cannot listen at {address}: {error}");
        let listener = bind(address).map_err(cannot)?;
        let socket = listener.try_clone().map_err(cannot)?;
        let at = listener.local_addr().map_err(cannot)?;
        let routes = Routes::new(settings.token.clone(), asked, state_file);
        spawn("web", listener, move |listener| serve(&listener, &routes))?;
        log::info!("metrics and a page are served at http://{at}/");
        Ok(Self {
            settings: settings.clone(),
            socket: OwnedFd::from(socket).into(),
        })
    }

    #[must_use]
    pub fn is_as(&self, settings: &Listen) -> bool {
        self.settings == *settings
    }
}

/// Where there is no IPv6, everywhere is elsewhere.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = match TcpListener::bind(address) {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listener: &TcpListener, routes: &Routes) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        connections.retain(|it| !it.is_over());
        let ends = connections.iter().map(Connection::rest).min();
        let patience = ends.and_then(|rest| Timespec::try_from(rest).ok());
        let mut waiting = vec![PollFd::new(listener, PollFlags::IN)];
        waiting.extend(connections.iter().map(Connection::waits_for));
        if poll(&mut waiting, patience.as_ref()).is_err() {
            // Interrupted, or short of memory.
            sleep(PAUSE);
            continue;
        }
        let ready = waiting.iter().map(|it| !it.revents().is_empty());
        let ready: Vec<bool> = ready.collect();
        let (asked, ready) = (ready[0], &ready[1..]);
        for (connection, is_ready) in connections.iter_mut().zip(ready) {
            if *is_ready {
                connection.go_on(routes);
            }
        }
        if asked && accept(listener, &mut connections, routes).is_err() {
            return;
        }
    }
}

/// Nobody is listened to any more.
struct Closed;

/// Takes those that wait, but not for ever.
fn accept(
    listener: &TcpListener,
    connections: &mut Vec<Connection>,
    routes: &Routes,
) -> Result<(), Closed> {
    for _ in 0..CONNECTIONS {
        match listener.accept() {
            Ok((stream, _)) => {
                let Ok(mut connection) = Connection::new(stream, Instant::now()) else {
                    continue;
                };
                // What it wants has mostly come with it.
                connection.go_on(routes);
                if connection.is_over() {
                    continue;
                }
                if connections.len() >= CONNECTIONS {
                    connections.remove(0);
                }
                connections.push(connection);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => break,
                ErrorKind::InvalidInput => return Err(Closed),
                _ => {
                    log::debug!(
                        "somebody who wants to see how everything stands can't connect: {error}"
                    );
                    sleep(PAUSE);
                    break;
                }
            },
        }
    }
    Ok(())
}
