//! Files that are replaced whole: at any moment there is the old content or the new, never a part.
//!
//! The new content grows in a file beside the old one, which only its owner may read, and takes its
//! place when it is on disk.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// There are secrets in all files that this program writes at work.
pub const MODE: u32 = 0o600;

/// Links that lead to further links.
const MOST_LINKS: usize = 40;

/// Where a file really is, or will be: a link that is replaced would leave what it points to behind.
///
/// # Errors
/// When the folder is not there, or links lead nowhere.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Some(name) = path.file_name() else {
            return fs::canonicalize(path);
        };
        let folder = fs::canonicalize(folder_of(&path))?;
        let place = folder.join(name);
        match fs::read_link(&place) {
            Ok(target) => path = folder.join(target),
            // It is none, or nothing is there.
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("too many links lead to each other"))
}

/// The folder that a path is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A new content that has not taken its place yet. Dropped before that, it leaves nothing behind.
pub struct Replacement {
    path: PathBuf,
    new_path: PathBuf,
    new: File,
}

impl Replacement {
    /// Only one at a time may be replacing the same file; a link is replaced itself, see [`resolve`].
    ///
    /// # Errors
    /// When nothing can be written beside it.
    pub fn begin(path: &Path) -> io::Result<Self> {
        Self::with_mode(path, MODE)
    }

    /// The same for a file that others may use, whatever the process denies them by default.
    ///
    /// # Errors
    /// As above.
    pub fn with_mode(path: &Path, mode: u32) -> io::Result<Self> {
        let new_path = beside(path, ".new");
        // What a crash left of it may have another mode.
        let _ = fs::remove_file(&new_path);
        let new = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(MODE)
            .open(&new_path)?;
        let replacement = Self {
            path: path.to_owned(),
            new_path,
            new,
        };
        replacement
            .new
            .set_permissions(Permissions::from_mode(mode))?;
        Ok(replacement)
    }

    /// The new file, to give it to another owner.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.new
    }

    /// Puts what `write` writes in the file's place; on return it is on disk.
    ///
    /// # Errors
    /// The old content is still there.
    pub fn finish(
        self,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut new = BufWriter::new(&self.new);
        write(&mut new)?;
        new.flush()?;
        drop(new);
        self.new.sync_data()?;
        fs::rename(&self.new_path, &self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a success it is not there any more.
        let _ = fs::remove_file(&self.new_path);
    }
}

/// The path with something added to its last part.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether this very file is at `path`.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(found)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (file.dev(), file.ino()) == (found.dev(), found.ino())
}
