//! The configuration file, and its replacement by a longer one.
//!
//! Not a byte of what is there is touched: it may hold comments, and an order, that mean something
//! to somebody. The file is replaced as a whole, so that a reader finds the old content or the new
//! one. The trap: the place must be known to be good before a coordinator registers a runner,
//! because that runner's token exists nowhere else.

mod removal;

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::section::{self, Executor, Globals, NewRunner};
use crate::config::keys::{self, Key};
use crate::secret::Secret;
use crate::whole_file::{self, MODE, beside, folder_of};

/// Whose the service is, by its unit.
const SERVICE_USER: &str = "heptapod-runner";

/// The file as it is found.
pub struct Configuration {
    /// Where it really is, when the path that was given is a link.
    pub path: PathBuf,
    /// Its text, and what it says; empty when there is no file.
    text: String,
    document: Table,
    /// Nothing when there is no file.
    metadata: Option<Metadata>,
}

/// What is added to it.
pub struct Addition<'a> {
    pub globals: Option<&'a Globals>,
    /// `reference_jobs_count`
    pub jobs: Option<u64>,
    pub runner: &'a NewRunner,
    pub token: &'a Secret,
}

impl Configuration {
    /// # Errors
    /// A text for the operator: the file is there and is no configuration.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::none(path),
            Err(error) => return Err(format!("cannot read {name}: {error}")),
        };
        let metadata = fs::metadata(&path).map_err(|e| format!("cannot read {name}: {e}"))?;
        if !metadata.is_file() {
            return Err(format!("{name} is not a file"));
        }
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {name}: {e}"))?;
        let document = parse(&text).map_err(|why| {
            format!("{name} is left as it is, because it is not valid TOML: {why}. Repair it first")
        })?;
        Ok(Self {
            path,
            text,
            document,
            metadata: Some(metadata),
        })
    }

    fn none(path: &Path) -> Result<Self, String> {
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(format!(
                "there is no folder {}; create it first",
                folder.display()
            ));
        }
        if path.is_symlink() {
            return Err(format!("{} is a link to nothing", path.display()));
        }
        Ok(Self {
            path: path.to_owned(),
            text: String::new(),
            document: Table::new(),
            metadata: None,
        })
    }

    pub const fn is_new(&self) -> bool {
        self.metadata.is_none()
    }

    pub fn has_quota(&self) -> bool {
        self.has(&keys::QUOTA_COMPUTATION)
    }

    pub fn has_state_file(&self) -> bool {
        self.has(&keys::STATE_FILE)
    }

    fn has(&self, key: &Key) -> bool {
        let mut names = key.names().iter();
        names.any(|name| self.document.contains_key(*name))
    }

    /// Whether the global keys can be appended: they are not there, and neither is a table, for
    /// behind its head they would be the table's.
    pub fn takes_globals(&self) -> bool {
        if self.has_state_file() || self.has(&keys::CONCURRENT) {
            return false;
        }
        let longer = parse(&format!("{}\nstate_file = \"\"\n", self.text));
        longer.is_ok_and(|document| document.contains_key("state_file"))
    }

    /// Whether the quota is told in jobs of this runner.
    pub fn measures_quota_by(&self, name: &str) -> bool {
        let quota = self.document.get(keys::QUOTA_COMPUTATION.name());
        let quota = quota.and_then(Value::as_table);
        quota.is_some_and(|quota| text(quota, keys::REFERENCE_RUNNER.name()) == name)
    }

    pub fn has_runner_named(&self, name: &str) -> bool {
        self.runners().any(|runner| text(runner, "name") == name)
    }

    /// The name of the runner that has this token already.
    pub fn runner_with(&self, url: &str, token: &str) -> Option<&str> {
        let same_place = |runner: &&Table| {
            text(runner, "url").trim_end_matches('/') == url.trim_end_matches('/')
        };
        let mut runners = self.runners().filter(same_place);
        let found = runners.find(|runner| text(runner, "token") == token);
        found.map(|runner| text(runner, "name"))
    }

    /// Who else may read the file, so that somebody may miss it: its mode, unless it is private.
    pub fn open_mode(&self) -> Option<u32> {
        let mode = self.metadata.as_ref()?.permissions().mode() & 0o777;
        (mode & !MODE != 0).then_some(mode)
    }

    /// Fails if no runner could be added, whatever it is.
    ///
    /// # Errors
    /// As below.
    pub fn takes_a_runner(&self) -> Result<(), String> {
        let globals = Globals {
            state_file: String::new(),
            concurrent: 1,
        };
        let runner = NewRunner {
            name: String::new(),
            url: String::new(),
            executor: Executor::LocalDocker,
        };
        let addition = Addition {
            globals: self.takes_globals().then_some(&globals),
            jobs: (!self.has_quota()).then_some(1),
            runner: &runner,
            token: &Secret::new(""),
        };
        self.with(&addition).map(drop)
    }

    /// The file's new text: all that was there, and the addition.
    ///
    /// # Errors
    /// A text for the operator: the file has a shape to which nothing can be appended.
    pub fn with(&self, addition: &Addition<'_>) -> Result<String, String> {
        let globals = addition.globals.map(section::globals);
        let quota = addition
            .jobs
            .map(|jobs| section::quota(addition.runner, jobs));
        let runner = section::runner(addition.runner, addition.token);
        let mut text = self.text.clone();
        if !(text.is_empty() || text.ends_with('\n')) {
            text.push('\n');
        }
        for part in globals.into_iter().chain(quota).chain([runner]) {
            if !text.is_empty() {
                text.push('\n');
            }
            text += &part;
        }
        let name = self.path.display();
        let document = parse(&text).map_err(|why| {
            format!("nothing can be appended to {name}: {why}. It is left as it is")
        })?;
        let n_runners = |document: &Table| runners_in(document).count();
        if n_runners(&document) != n_runners(&self.document) + 1 {
            return Err(format!(
                "no [[runners]] section can be appended to {name}; it is left as it is"
            ));
        }
        Ok(text)
    }

    pub fn runners(&self) -> impl Iterator<Item = &Table> {
        runners_in(&self.document)
    }

    /// The text without the `[[runners]]` section of this number, counted from 0.
    ///
    /// # Errors
    /// A text for the operator, when that can't be done without a change to the rest.
    pub fn without(&self, number: usize) -> Result<String, String> {
        let without = removal::without(&self.text, &self.document, number);
        without.ok_or_else(|| {
            format!(
                "the section can't be cut out of {}; remove it by hand",
                self.path.display()
            )
        })
    }
}

fn parse(text: &str) -> Result<Table, String> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        format!("line {line}: {}", error.message().replace('\n', ", "))
    })
}

fn runners_in(document: &Table) -> impl Iterator<Item = &Table> {
    let runners = document.get("runners").and_then(Value::as_array);
    runners.into_iter().flatten().filter_map(Value::as_table)
}

pub fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A new content beside the old one, which nobody else replaces meanwhile.
pub struct Replacement {
    path: PathBuf,
    new: whole_file::Replacement,
    _lock: Lock,
}

impl Replacement {
    /// Waits for whoever is replacing the same file.
    ///
    /// # Errors
    /// A text for the operator: the file can't be replaced.
    pub fn begin(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("cannot write {}: {error}", path.display());
        let lock = Lock::take(path).map_err(failed)?;
        let replacement = Self {
            path: path.to_owned(),
            new: whole_file::Replacement::begin(path).map_err(failed)?,
            _lock: lock,
        };
        replacement.keep_owner()?;
        Ok(replacement)
    }

    /// A program that reads the file now must be able to read it afterwards. A new file is for
    /// whom its folder was made, or else for the service's user, if we may give it away.
    fn keep_owner(&self) -> Result<(), String> {
        let (Ok(old), Ok(new)) = (fs::metadata(&self.path), self.new.file().metadata()) else {
            if let Some((user, group)) = owner_of_new(folder_of(&self.path)) {
                let _ = fchown(self.new.file(), Some(user), Some(group));
            }
            return Ok(());
        };
        let given_away = fchown(self.new.file(), Some(old.uid()), Some(old.gid()));
        // The group has no part in it: only the owner may read.
        if given_away.is_err() && old.uid() != new.uid() {
            return Err(format!(
                "{} belongs to another user (number {}); run this as that user or as root",
                self.path.display(),
                old.uid()
            ));
        }
        Ok(())
    }

    /// Puts `content` in the file's place; on return it is on disk.
    ///
    /// # Errors
    /// What the system says. The old content is still there.
    pub fn finish(self, content: &str) -> io::Result<()> {
        self.new.finish(|file| file.write_all(content.as_bytes()))
    }
}

/// User and group whose a new file in this folder should be.
fn owner_of_new(folder: &Path) -> Option<(u32, u32)> {
    let folder = fs::metadata(folder).ok()?;
    if folder.uid() != 0 {
        return Some((folder.uid(), folder.gid()));
    }
    service_user(&fs::read_to_string("/etc/passwd").ok()?)
}

/// The service's user and its group, as passwd(5) has them.
fn service_user(passwd: &str) -> Option<(u32, u32)> {
    let mut users = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    users.find_map(|user| match user[..] {
        [name, _, user, group, ..] if name == SERVICE_USER => {
            Some((user.parse().ok()?, group.parse().ok()?))
        }
        _ => None,
    })
}

/// Held by one process at a time; its file goes with it.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let path = beside(path, ".lock");
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(MODE)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    log::info!("waiting for another registration with the same file");
                    file.lock()?;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Who had it before has removed its file: the lock of a file that nobody else can find
            // keeps nobody away.
            let ours = file.metadata()?.ino();
            if fs::metadata(&path).is_ok_and(|found| found.ino() == ours) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
