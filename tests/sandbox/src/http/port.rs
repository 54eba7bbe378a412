//! A port that stays a server's own, while it listens and while it is suspended.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ids;

/// Those of all servers of this process. To the system a suspended server's port is free, and the
/// next server could get it.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Given back when it is dropped.
pub struct Port(SocketAddr);

impl Port {
    /// A suspended server must find its port free again. So it is one from below those that the
    /// system gives to outgoing connections, where only the like of it look for one.
    ///
    /// # Errors
    /// When there is none.
    pub fn take() -> io::Result<(Self, TcpListener)> {
        const PORTS: std::ops::Range<u64> = 12_000..32_000;
        const TRIES: usize = 100;
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let random = || PORTS.start + ids::random() % (PORTS.end - PORTS.start);
        let ports = (0..TRIES).filter_map(|_| u16::try_from(random()).ok());
        let listener = ports
            .filter(|port| !taken.contains(port))
            .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
            .find(Result::is_ok)
            .unwrap_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        taken.insert(address.port());
        Ok((Self(address), listener))
    }

    pub const fn address(&self) -> SocketAddr {
        self.0
    }

    /// A process that is being started elsewhere in this one holds copies of all sockets for a
    /// moment.
    ///
    /// # Errors
    /// When another process has it.
    pub fn listen_again(&self) -> io::Result<TcpListener> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let since = Instant::now();
        loop {
            match TcpListener::bind(self.0) {
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && since.elapsed() < PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                result => return result,
            }
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.0.port());
    }
}
