//! Says to the service manager that the service is there, where it wants to hear it: `sd_notify(3)`.
//!
//! Then a start that fails, above all for a wrong configuration, is told by the very command that asked
//! for it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Once, when nothing can go wrong any more that trying again would not mend. Where it can't be said
/// that is a warning, for the manager will end the service.
pub fn tell() {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = tell_at(&socket) {
        let socket = socket.display();
        log::warn!("cannot say at NOTIFY_SOCKET ({socket}) that the service is ready: {error}");
    }
}

fn tell_at(socket: &OsStr) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::tell_at;

    #[test]
    fn a_socket_without_a_file_is_reached_and_one_that_is_not_there_is_an_error() {
        let name = format!("heptapod-paas-runner-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        tell_at(format!("@{name}").as_ref()).unwrap();
        let mut heard = [0; 16];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        assert!(tell_at("/nowhere/notify".as_ref()).is_err());
    }
}
