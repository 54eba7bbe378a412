//! One ordered list of what happened in this world, and waiting for it.
//!
//! Every part of the world writes here: requests answered, jobs and applications that changed,
//! and complaints, that is what a client should not have done. Tests read it, and wait on it
//! instead of sleeping. A part changes its state first and records second, so that whoever is
//! woken by an entry finds the state it tells of. It may not know any of the parts.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Cheap to clone; clones are the same list.
#[derive(Clone, Default)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Readers look at a snapshot, so that they may ask the world while they look.
    entries: Mutex<Arc<Vec<Entry>>>,
    grown: Condvar,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Instant,
    pub source: Source,
    pub kind: Kind,
    /// For people, such as `POST /api/v4/jobs/request -> 201`.
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// By its name.
    Coordinator(String),
    Clever,
    Git,
    /// By its application's name.
    Machine(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Request {
        method: String,
        path: String,
        /// `None` when no answer was given.
        status: Option<u16>,
        /// Its `User-Agent`.
        client: String,
        /// Equal numbers of one source are one connection.
        connection: u64,
        /// From its last byte to its answer.
        took: Duration,
    },
    JobStatus {
        job: u64,
        status: String,
    },
    Application {
        name: String,
        state: AppPhase,
    },
    /// What a client should not have done.
    Complaint,
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppPhase {
    Created,
    /// Its git repository is there.
    Prepared,
    Pushed,
    Booting,
    Running,
    Exited,
    Deleted,
    Gone,
}

impl Journal {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn record(&self, source: Source, kind: Kind, what: impl Into<String>) {
        let what = what.into();
        let mut entries = self.lock();
        Arc::make_mut(&mut entries).push(Entry {
            at: Instant::now(),
            source,
            kind,
            what,
        });
        self.inner.grown.notify_all();
    }

    pub fn complain(&self, source: Source, what: impl Into<String>) {
        self.record(source, Kind::Complaint, what);
    }

    pub fn note(&self, source: Source, what: impl Into<String>) {
        self.record(source, Kind::Note, what);
    }

    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.snapshot().to_vec()
    }

    /// All complaints so far, each with who complains.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.snapshot()
            .iter()
            .filter(|entry| entry.kind == Kind::Complaint)
            .map(|entry| format!("{}: {}", entry.source, entry.what))
            .collect()
    }

    /// How many requests of this method were made to a path that `path` accepts, answered or not.
    #[must_use]
    pub fn count_requests(&self, method: &str, path: impl Fn(&str) -> bool) -> usize {
        self.snapshot()
            .iter()
            .filter(|entry| match &entry.kind {
                Kind::Request {
                    method: made,
                    path: to,
                    ..
                } => made == method && path(to),
                _ => false,
            })
            .count()
    }

    /// The entries from number `seen` on, as soon as there are any; none at the timeout. It takes no snapshot,
    /// which would cost whoever records meanwhile a copy of the whole list.
    #[must_use]
    pub fn read_on(&self, seen: usize, timeout: Duration) -> Vec<Entry> {
        let deadline = Instant::now() + timeout;
        if !self.wait_beyond(seen, deadline) {
            return Vec::new();
        }
        self.lock()[seen..].to_vec()
    }

    /// Blocks until `pick` finds something in the entries so far; it is asked again after each
    /// new entry. `None` at the timeout.
    pub fn wait_for<T>(
        &self,
        timeout: Duration,
        mut pick: impl FnMut(&[Entry]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        loop {
            let snapshot = self.snapshot();
            if let Some(found) = pick(&snapshot) {
                return Some(found);
            }
            let seen = snapshot.len();
            drop(snapshot);
            if !self.wait_beyond(seen, deadline) {
                return None;
            }
        }
    }

    /// The same for any condition on the world's state: asked again whenever anything is recorded.
    pub fn wait_until(&self, timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
        self.wait_for(timeout, |_| condition().then_some(()))
            .is_some()
    }

    /// False when the deadline passed without a new entry.
    fn wait_beyond(&self, seen: usize, deadline: Instant) -> bool {
        let mut entries = self.lock();
        while entries.len() <= seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            entries = self
                .inner
                .grown
                .wait_timeout(entries, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    fn snapshot(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.lock())
    }

    /// An entry is pushed whole or not at all, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Arc<Vec<Entry>>> {
        self.inner
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.snapshot().iter()).finish()
    }
}

/// The whole story, one line per entry with the seconds since the first: for a test that failed.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.snapshot();
        let Some(start) = entries.first().map(|entry| entry.at) else {
            return f.write_str("nothing happened");
        };
        for entry in entries.iter() {
            let seconds = entry.at.duration_since(start).as_secs_f64();
            let mark = if entry.kind == Kind::Complaint {
                "COMPLAINT "
            } else {
                ""
            };
            writeln!(f, "{seconds:9.3} {}: {mark}{}", entry.source, entry.what)?;
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator(name) => write!(f, "coordinator {name}"),
            Self::Clever => f.write_str("clever"),
            Self::Git => f.write_str("git"),
            Self::Machine(name) => write!(f, "machine {name}"),
        }
    }
}
