//! Asking the service: one question, one answer.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::Wish;
use crate::foreign::{Keep, one_line};
use crate::status::Report;

/// Longer than the service takes at most.
const PATIENCE: Duration = Duration::from_secs(10);
const SHOWN: usize = 200;

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// No service listens there.
    NoService,
    /// In words.
    Trouble(String),
}

/// What the service at `socket` tells: as it came, and read.
pub fn ask(socket: &Path, wish: Wish) -> Result<(String, Report), NoAnswer> {
    let asked = UnixStream::connect(socket).and_then(|stream| speak(stream, wish));
    let text = asked.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => NoAnswer::NoService,
        ErrorKind::PermissionDenied => NoAnswer::Trouble(format!(
            "{}: {error}; ask as root or as the service's user",
            socket.display()
        )),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => NoAnswer::Trouble(format!(
            "the service at {} gives no answer: it may hang",
            socket.display()
        )),
        _ => NoAnswer::Trouble(format!("{}: {error}", socket.display())),
    })?;
    if text.is_empty() {
        // It has ended meanwhile.
        return Err(NoAnswer::NoService);
    }
    let report = serde_json::from_str(&text).map_err(|_| {
        NoAnswer::Trouble(format!(
            "the service at {} says what this version does not understand: {}",
            socket.display(),
            one_line(&text, Keep::Start(SHOWN))
        ))
    })?;
    Ok((text, report))
}

fn speak(mut stream: UnixStream, wish: Wish) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    writeln!(stream, "{}", wish.word())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
