//! Where the [`State`] is kept. A new content replaces the file atomically: at any moment it is
//! whole. A lock beside it keeps a second process away.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Content, State, Tracked};
use crate::whole_file::{MODE, Replacement, beside};

/// The file and its lock: no other process of ours uses the file as long as this lives.
pub struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    /// Takes the lock.
    ///
    /// # Errors
    /// A text for the operator: another process has the file, or the folder can't be used.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display();
        if path.is_dir() {
            return Err(format!(
                "the state file {name} is a directory; name a file in it"
            ));
        }
        let lock_path = beside(path, ".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE)
            .open(&lock_path)
            .map_err(|error| format!("cannot create {}: {error}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "the state file {name} is in use by another process; stop that one first, or give \
                 each its own `state_file`"
            )),
            Err(TryLockError::Error(error)) => {
                Err(format!("cannot lock {}: {error}", lock_path.display()))
            }
        }
    }

    /// What the last process left; nothing, when there is no file.
    ///
    /// # Errors
    /// A text for the operator when the file can't be read or isn't a state file. It is kept.
    pub fn load(&self) -> Result<State, String> {
        Self::read(&self.path)
    }

    /// As [`StateFile::load`], beside the process that has the file.
    ///
    /// # Errors
    /// As there.
    pub fn read(path: &Path) -> Result<State, String> {
        let name = path.display();
        match fs::read(path) {
            Ok(text) => State::parse(&text).map_err(|why| {
                format!(
                    "{name} is not a state file: {why}. It is left as it is; move it away to start \
                     without it, but mind the machines that it may tell of"
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(format!("cannot read the state file {name}: {error}")),
        }
    }

    /// Replaces the file's content; on return it is on disk.
    ///
    /// # Errors
    /// A text for the operator. The old content is still there.
    pub fn save<'a>(
        &self,
        content: &Content<'_, impl Iterator<Item = &'a Tracked> + Clone>,
    ) -> Result<(), String> {
        let write = |file: &mut BufWriter<&File>| Ok(serde_json::to_writer(file, content)?);
        Replacement::begin(&self.path)
            .and_then(|new| new.finish(write))
            .map_err(|error| {
                format!(
                    "cannot write the state file {}: {error}",
                    self.path.display()
                )
            })
    }
}
