//! The service that runs, asked and steered from another process: `--status`, `--reload` and `--drain`.
//!
//! It listens at a Unix socket beside its state file, which only its user and root may use. Whoever
//! connects writes one word and a line break, and reads one JSON text, such as the report on how everything
//! stands, until the service hangs up.

mod client;
pub mod command;
pub mod server;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::whole_file::{beside, folder_of, resolve};

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Status,
    /// The same, after the service has begun to drain.
    Drain,
    /// What is wrong with the configuration, after it was read again: a list of texts.
    Reload,
}

impl Wish {
    const ALL: [Self; 3] = [Self::Status, Self::Drain, Self::Reload];

    const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Drain => "drain",
            Self::Reload => "reload",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.word() == word)
    }
}

/// What is behind the state file's own name in that of the socket.
pub const SOCKET: &str = ".socket";

/// The longest path of a socket, unix(7).
const LONGEST: usize = 107;

/// A path by which a socket can be had, though its own may be too long for one.
struct Reach {
    path: PathBuf,
    /// In which it is, where that is needed.
    _folder: Option<File>,
}

impl Reach {
    fn of(socket: &Path) -> io::Result<Self> {
        let name = socket.file_name().unwrap_or_default();
        if socket.as_os_str().len() <= LONGEST {
            return Ok(Self {
                path: socket.to_owned(),
                _folder: None,
            });
        }
        let folder = File::open(folder_of(socket))?;
        let number = folder.as_raw_fd();
        Ok(Self {
            path: Path::new(&format!("/proc/self/fd/{number}")).join(name),
            _folder: Some(folder),
        })
    }
}

/// Where the service with this state file listens.
#[must_use]
pub fn socket_of(state_file: &Path) -> PathBuf {
    let place = resolve(state_file).unwrap_or_else(|_| state_file.to_owned());
    beside(&place, SOCKET)
}
