//! Where the [`State`] is kept. A new content replaces the file atomically: at any moment it is
//! whole. Locks keep a second process away: on a file beside it, for there may be no state file yet,
//! and on the state file itself, whatever it is called and whoever removes the other one.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::journal::{self, Budget, Change, Journal};
use super::{Content, State, Tracked};
use crate::whole_file::{MODE, Replacement, beside, is_at, resolve};

/// What is behind the file's own name in that of its journal.
const JOURNAL: &str = ".journal";

/// The file and its locks: no other process of ours uses the file as long as this lives.
pub struct StateFile {
    /// Where it really was when the service started.
    path: PathBuf,
    _lock: File,
    /// The file as it was found, which may have other names.
    _found: Option<File>,
    /// The file as it was found or written last.
    current: RefCell<Option<File>>,
    journal: RefCell<(Journal, Budget)>,
}

/// A state file may be written between a look at it and one at its journal.
const LOOKS: u32 = 10;

impl StateFile {
    /// Takes the locks. Links are followed once, here.
    ///
    /// # Errors
    /// A text for the operator: another process has the file, or the folder can't be used.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let path =
            resolve(path).map_err(|error| format!("no state file can be at {name}: {error}"))?;
        if path.is_dir() {
            return Err(format!(
                "the state file {name} is a directory; name a file in it"
            ));
        }
        let lock_path = beside(&path, ".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE)
            .open(&lock_path)
            .map_err(|error| format!("cannot create {}: {error}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&path)),
            Err(TryLockError::Error(error)) => {
                return Err(format!("cannot lock {}: {error}", lock_path.display()));
            }
        }
        let found = take(&path)?;
        let again = found.as_ref().and_then(|file| file.try_clone().ok());
        let journal = Journal::at(beside(&path, JOURNAL));
        Ok(Self {
            journal: RefCell::new((journal, Budget::at_first())),
            path,
            _lock: lock,
            _found: found,
            current: RefCell::new(again),
        })
    }

    /// Whether a process has it at the moment, as far as the kernel tells. To try the lock would be to have it
    /// for a moment, in which a service that starts could not.
    #[must_use]
    pub fn is_in_use(path: &Path) -> bool {
        let path = resolve(path).unwrap_or_else(|_| path.to_owned());
        let file = fs::metadata(beside(&path, ".lock"));
        let locks = fs::read_to_string("/proc/locks");
        file.ok().zip(locks.ok()).is_some_and(|(file, locks)| {
            let device = file.dev();
            let place = format!(
                "{:02x}:{:02x}:{}",
                rustix::fs::major(device),
                rustix::fs::minor(device),
                file.ino()
            );
            locks.lines().any(|lock| {
                let mut words = lock.split_whitespace().skip(1);
                words.next() == Some("FLOCK") && words.any(|word| word == place)
            })
        })
    }

    /// Where it really is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
        let path = resolve(path).unwrap_or_else(|_| path.to_owned());
        let journal_path = beside(&path, JOURNAL);
        let mut state = read_whole(&path)?;
        for _ in 0..LOOKS {
            let journal = journal::read(&journal_path);
            let journal = journal
                .map_err(|error| format!("cannot read {}: {error}", journal_path.display()))?;
            match journal {
                Some((name, changes)) if state.journal.as_ref() == Some(&name) => {
                    journal::replay(&changes, &mut state.tracked);
                    return Ok(state);
                }
                _ => {
                    let again = read_whole(&path)?;
                    if again.journal == state.journal {
                        return Ok(again);
                    }
                    state = again;
                }
            }
        }
        Err(format!("{} changes all the time", path.display()))
    }

    /// Writes `changes`, or the file whole; on return that is on disk. Without changes it is written whole.
    ///
    /// # Errors
    /// A text for the operator. The old content is still there.
    pub fn save<'a>(
        &self,
        content: &Content<'_, impl Iterator<Item = &'a Tracked> + Clone>,
        changes: Option<&[Change<'_>]>,
    ) -> Result<(), String> {
        let is_there = self.is_there();
        if let Some(changes) = changes.filter(|_| is_there) {
            let (journal, budget) = &mut *self.journal.borrow_mut();
            let is_new = |change: &&Change<'_>| match change {
                Change::Is(it) => it.job.payload().is_some() && !journal.has_payload_of(&it.key()),
                Change::Gone(_) => false,
            };
            for _ in changes.iter().filter(is_new) {
                budget.has_job();
            }
            // What can't be added is tried whole.
            if !budget.allows(journal.length()) && journal.add(changes).is_ok() {
                return Ok(());
            }
        }
        if !is_there {
            // Somebody removed it, or another process has put its own in its place.
            take(&self.path)?;
        }
        self.replace(content).map_err(|error| {
            let name = self.path.display();
            format!("cannot write the state file {name}: {error}")
        })
    }

    /// Whether there are changes that are not in the file itself.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal.borrow().0.length() > 0
    }

    /// Whether what was found or written last still is in its place.
    fn is_there(&self) -> bool {
        let current = self.current.borrow();
        current.as_ref().is_some_and(|file| is_at(file, &self.path))
    }

    fn replace<'a>(
        &self,
        content: &Content<'_, impl Iterator<Item = &'a Tracked> + Clone>,
    ) -> io::Result<()> {
        let write = |file: &mut BufWriter<&File>| Ok(serde_json::to_writer(file, content)?);
        let new = Replacement::begin(&self.path)?;
        let file = new.file().try_clone()?;
        // Where files can't be locked, the lock beside it has to do.
        let _ = file.try_lock();
        new.finish(write)?;
        let pending = content.tracked.clone();
        let pending = pending.filter(|tracked| tracked.job.payload().is_some());
        let (journal, budget) = &mut *self.journal.borrow_mut();
        journal.begin_anew(content.journal, pending.map(Tracked::key).collect());
        budget.written(file.metadata()?.len());
        // Not everywhere does a file keep its number.
        let is_known = is_at(&file, &self.path);
        self.current.replace(is_known.then_some(file));
        Ok(())
    }
}

fn read_whole(path: &Path) -> Result<State, String> {
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

/// Locks the file that is at `path`; none, if there is none.
///
/// # Errors
/// A text for the operator: another process has it.
fn take(path: &Path) -> Result<Option<File>, String> {
    // Whoever had it may replace it in that moment; the new one is locked before it is there.
    for _ in 0..2 {
        let Ok(file) = File::open(path) else {
            break;
        };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(in_use(path));
        }
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn in_use(path: &Path) -> String {
    format!(
        "the state file {} is in use by another process; stop that one first, or give each its own \
         `state_file`",
        path.display()
    )
}
