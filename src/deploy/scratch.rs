//! The private folder in which a job's files lie for as long as another program reads them.
//!
//! They hold the job's secrets: what is made here is for its owner alone and is gone when it is not
//! needed any more, after a crash at the next start.

use std::fs;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::BuildContext;

/// It is empty between two pushes. Cheap to clone; clones are the same folder.
#[derive(Clone, Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// This process's own, in it.
    own: PathBuf,
}

impl Scratch {
    /// For those who prepare nothing.
    #[must_use]
    pub fn none() -> Self {
        let nowhere = PathBuf::from("/nonexistent");
        Self {
            folder: nowhere.clone(),
            own: nowhere,
        }
    }

    /// A folder of its own in `folder`, which only one process at a time may use. What a crashed
    /// process left there goes, as far as a git that outlived it lets it go already.
    ///
    /// # Errors
    /// When nothing can be created there.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        match private_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
                for left in fs::read_dir(&folder)?.flatten() {
                    let _ = fs::remove_dir_all(left.path());
                }
            }
            result => result?,
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let own = folder.join(format!("{}-{}", std::process::id(), since.as_nanos()));
        private_dir(&own)?;
        Ok(Self { folder, own })
    }

    /// An empty folder. `name` must be unique among those that are there at the same time.
    ///
    /// # Errors
    /// When it can't be created; the text says where.
    pub fn folder(&self, name: &str) -> io::Result<Folder> {
        let path = self.own.join(name);
        let made = private_dir(&path).or_else(|error| {
            // Somebody has cleaned up.
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            if is_gone {
                self.make_anew(&path)
            } else {
                Err(error)
            }
        });
        match made {
            Ok(()) => Ok(Folder(path)),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("cannot create {}: {error}", path.display()),
            )),
        }
    }

    fn make_anew(&self, path: &Path) -> io::Result<()> {
        for folder in [&self.folder, &self.own] {
            match private_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        private_dir(path)
    }

    /// Writes the context's files into a folder of their own, for a program that wants files.
    /// `name` must be unique as with [`Scratch::folder`].
    ///
    /// # Errors
    /// When they can't be written.
    pub fn lay_out(&self, name: &str, context: BuildContext) -> io::Result<Folder> {
        let folder = self.folder(name)?;
        for (name, content) in context.into_files() {
            fs::write(folder.path().join(name), content)?;
        }
        Ok(folder)
    }

    /// Removes the folder, at the end of the service.
    pub fn close(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// A private folder that is gone when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
