//! A file of an installation: put where it belongs, or taken away.
//!
//! What is there already is replaced whole, also while it runs, and left alone when it is the same.
//! Others must be able to use it, whatever the process denies them by default.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::whole_file::{Replacement, beside};

const PROGRAM: u32 = 0o755;
const TEXT: u32 = 0o644;
const FOLDER: u32 = 0o755;

pub struct Place {
    pub path: PathBuf,
    content: Content,
}

enum Content {
    File(Vec<u8>, u32),
    Link(&'static str),
}

/// What was to be done to come there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Wrote,
    Unchanged,
    Removed,
    Absent,
}

impl Done {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wrote => "wrote",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Absent => "not there",
        }
    }
}

impl Place {
    pub const fn program(path: PathBuf, content: Vec<u8>) -> Self {
        let content = Content::File(content, PROGRAM);
        Self { path, content }
    }

    pub fn text(path: PathBuf, content: String) -> Self {
        let content = Content::File(content.into_bytes(), TEXT);
        Self { path, content }
    }

    /// A link to a file in the same folder.
    pub const fn link(path: PathBuf, target: &'static str) -> Self {
        let content = Content::Link(target);
        Self { path, content }
    }

    /// # Errors
    /// In words.
    pub fn fill(&self) -> Result<Done, String> {
        let fill = || {
            if self.is_there()? {
                return Ok(Done::Unchanged);
            }
            make_folder(self.path.parent().unwrap_or(Path::new("/")))?;
            match &self.content {
                Content::File(content, mode) => Replacement::with_mode(&self.path, *mode)?
                    .finish(|file| file.write_all(content))?,
                Content::Link(target) => {
                    let new = beside(&self.path, ".new");
                    let _ = fs::remove_file(&new);
                    symlink(target, &new)?;
                    fs::rename(&new, &self.path)?;
                }
            }
            Ok(Done::Wrote)
        };
        fill().map_err(|error: io::Error| format!("cannot write {}: {error}", self.path.display()))
    }

    /// # Errors
    /// In words.
    pub fn clear(&self) -> Result<Done, String> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(Done::Removed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Done::Absent),
            Err(error) => Err(format!("cannot remove {}: {error}", self.path.display())),
        }
    }

    fn is_there(&self) -> io::Result<bool> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(match &self.content {
            Content::File(content, mode) => {
                metadata.is_file()
                    && metadata.permissions().mode() & 0o7777 == *mode
                    && fs::read(&self.path)? == *content
            }
            Content::Link(target) => {
                metadata.is_symlink() && fs::read_link(&self.path)? == Path::new(target)
            }
        })
    }
}

/// With the folders above it, where they are missing.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(FOLDER))
}
