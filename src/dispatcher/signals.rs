//! What the operating system asks of us.

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Stop,
    Status,
}

/// Every request arrives at the receiver.
///
/// # Errors
/// When the handlers can't be installed.
pub fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let (requests, incoming) = unbounded();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let request = match signal {
                    SIGUSR1 => Request::Status,
                    SIGHUP => {
                        log::warn!(
                            "SIGHUP: the configuration is read at start only; restart to apply it"
                        );
                        continue;
                    }
                    _ => Request::Stop,
                };
                if requests.send(request).is_err() {
                    break;
                }
            }
        })?;
    Ok(incoming)
}
