//! Whoever asks is answered by the main loop, one after the other: an answer shows that it turns. One who
//! hangs is waited for a moment, and disturbs nobody but the next one.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rustix::fs::Mode;
use rustix::process::umask;

use super::{Reach, Wish};
use crate::status::View;
use crate::thread::spawn;

const MOMENT: Duration = Duration::from_secs(2);
/// The main loop may be writing to a slow disk.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const SILENCE: &str = "{\"error\": \"the main loop of the service does not answer\"}\n";
const LONGEST_WORD: u64 = 16;
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody waits for an answer.
pub enum Asked {
    /// At the socket. The sender takes the answer; dropped without one, there is none.
    Wish(Wish, Sender<String>),
    /// For a page, or for metrics.
    View(Sender<Box<View>>),
}

/// The socket, which goes with this.
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens at `path`, of which only this process may make use: whoever has the state file. Must be called
/// while there are no other threads that make files.
///
/// # Errors
/// A text for the operator, when that can't be done.
pub fn listen(path: &Path, asked: Sender<Asked>) -> Result<Socket, String> {
    let listener =
        bind(path).map_err(|error| format!("cannot listen at {}: {error}", path.display()))?;
    let socket = Socket(path.to_owned());
    spawn("control", listener, move |listener| {
        for caller in listener.incoming() {
            // There may be no room for another connection.
            let caller = caller.inspect_err(|_| sleep(PAUSE));
            if let Err(error) = caller.and_then(|caller| answer(&caller, &asked)) {
                log::debug!("somebody who asked how everything stands got no answer: {error}");
            }
        }
    })?;
    Ok(socket)
}

/// A socket of a process that is gone is replaced; anything else stays what it is.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let reach = Reach::of(path)?;
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let listener = UnixListener::bind(&reach.path);
    umask(before);
    listener
}

fn answer(mut caller: &UnixStream, asked: &Sender<Asked>) -> io::Result<()> {
    caller.set_read_timeout(Some(MOMENT))?;
    caller.set_write_timeout(Some(MOMENT))?;
    let mut word = String::new();
    BufReader::new(caller.take(LONGEST_WORD)).read_line(&mut word)?;
    let Some(wish) = Wish::read(word.trim_end()) else {
        return caller
            .write_all(b"{\"error\": \"write `status`, `drain` or `reload` and a line break\"}\n");
    };
    let (answer, told) = bounded(1);
    let text = match asked.send(Asked::Wish(wish, answer)) {
        Ok(()) => match told.recv_timeout(ANSWERED_WITHIN) {
            Ok(text) => text,
            Err(RecvTimeoutError::Timeout) => SILENCE.to_owned(),
            // It ends just now.
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        },
        Err(_) => return Ok(()),
    };
    caller.write_all(text.as_bytes())
}
