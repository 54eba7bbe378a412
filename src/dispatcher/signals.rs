//! What the operating system asks of us.

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// Wishes that come as signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Stop,
    /// Take no new jobs, and stop when those that are here are over.
    Drain,
    /// Read the configuration again.
    Reload,
    /// Log what is tracked.
    Log,
}

/// Every request arrives at the receiver.
///
/// # Errors
/// When the handlers can't be installed.
pub fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])?;
    let (requests, incoming): (Sender<Request>, _) = unbounded();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let request = match signal {
                    SIGUSR1 => Request::Log,
                    SIGHUP => Request::Reload,
                    SIGQUIT => Request::Drain,
                    _ => Request::Stop,
                };
                if requests.send(request).is_err() {
                    break;
                }
            }
        })?;
    Ok(incoming)
}
