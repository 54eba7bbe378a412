//! Asking the service: one question, one answer.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Reach, Wish};
use crate::foreign::{Keep, one_line};

/// Longer than the service takes at most.
const PATIENCE: Duration = Duration::from_secs(10);
const SHOWN: usize = 200;

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// No service listens there.
    NoService,
    /// It has ended just now, before it answered.
    Gone,
    /// In words.
    Trouble(String),
}

/// What it says instead of an answer.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// What the service at `socket` tells: as it came, and read.
pub fn ask<T: DeserializeOwned>(socket: &Path, wish: Wish) -> Result<(String, T), NoAnswer> {
    let asked = Reach::of(socket).and_then(|reach| UnixStream::connect(&reach.path));
    let asked = asked.and_then(|stream| speak(stream, wish));
    let text = asked.map_err(|error| no_answer(socket, &error))?;
    if text.is_empty() {
        return Err(NoAnswer::Gone);
    }
    let place = socket.display();
    if let Ok(Refusal { error }) = serde_json::from_str(&text) {
        let error = one_line(&error, Keep::Start(SHOWN));
        return Err(NoAnswer::Trouble(format!(
            "the service at {place} answers: {error}"
        )));
    }
    match serde_json::from_str(&text) {
        Ok(told) => Ok((text, told)),
        Err(_) => Err(NoAnswer::Trouble(format!(
            "the service at {place} says what this version does not understand: {}",
            one_line(&text, Keep::Start(SHOWN))
        ))),
    }
}

fn no_answer(socket: &Path, error: &io::Error) -> NoAnswer {
    let place = socket.display();
    NoAnswer::Trouble(match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => return NoAnswer::NoService,
        ErrorKind::PermissionDenied => {
            format!("{place}: {error}; ask as root or as the service's user")
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("the service at {place} gives no answer: it may hang")
        }
        _ => format!("{place}: {error}"),
    })
}

fn speak(mut stream: UnixStream, wish: Wish) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    writeln!(stream, "{}", wish.word())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
