//! What has changed since the state file was written whole: one line for each change, added to a file beside it.
//!
//! With hundreds of jobs the whole file at each change would be megabytes a job. So most changes are added here,
//! and the state file is written whole only as often as that costs little for each job ([`Budget`]); then
//! this file begins anew. Each writing of the state file names the journal that goes on from it. One of another
//! name tells of another time, and is no journal: the file was written by somebody else since, or brought back.
//!
//! A crash may cut the last line, which nobody has waited for. What comes behind an odd line is not read.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Handle, Supplement, Tracked};
use crate::job::Phase;
use crate::names::JobKey;
use crate::payload::Payload;
use crate::whole_file::{MODE, folder_of, is_at};

/// A job that is not as it was, as it is now, or one that is not tracked any more.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    Is(&'a Tracked),
    Gone(&'a JobKey),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<P> {
    /// The first one: its name.
    Journal(String),
    Is(Box<Record<P>>),
    Gone(JobKey),
}

/// A job, as in the state file.
#[derive(Serialize, Deserialize)]
struct Record<P> {
    phase: InFile,
    handle: Handle,
    /// Of a job that needs it, unless it was written before.
    payload: Option<P>,
    job: Supplement,
}

/// The list in which the state file has it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InFile {
    Pending,
    Launched,
    ToDecommission,
}

/// A name that no other journal has, for the next time that the state file is written whole.
#[must_use]
pub fn new_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().as_nanos();
    format!("{}-{since}", std::process::id())
}

/// The file, open for one process.
pub struct Journal {
    path: PathBuf,
    /// None, until the state file was written whole, and when nothing can be added any more.
    name: Option<String>,
    /// None, until the first change.
    file: Option<File>,
    length: u64,
    /// Whose payloads are on disk.
    payloads: BTreeSet<JobKey>,
}

impl Journal {
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self {
            path,
            name: None,
            file: None,
            length: 0,
            payloads: BTreeSet::new(),
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// False, when somebody has removed it: what is added then is nowhere.
    fn is_in_place(&self) -> bool {
        self.file
            .as_ref()
            .is_none_or(|file| is_at(file, &self.path))
    }

    #[must_use]
    pub fn has_payload_of(&self, key: &JobKey) -> bool {
        self.payloads.contains(key)
    }

    /// The state file was written whole, with this name, and with these payloads.
    pub fn begin_anew(&mut self, name: &str, payloads: BTreeSet<JobKey>) {
        if self.length > 0 || self.name.is_none() {
            let _ = fs::remove_file(&self.path);
        }
        *self = Self {
            name: Some(name.to_owned()),
            payloads,
            ..Self::at(std::mem::take(&mut self.path))
        };
    }

    /// Adds these changes; on return they are on disk.
    ///
    /// # Errors
    /// Then nothing more can be added until the state file was written whole.
    pub fn add(&mut self, changes: &[Change<'_>]) -> io::Result<()> {
        let Some(name) = self.name.take().filter(|_| self.is_in_place()) else {
            return Err(io::Error::other("nothing can be added to it"));
        };
        let mut text = Vec::new();
        let is_new = self.file.is_none();
        if is_new {
            write_line(&mut text, &Line::<&RawValue>::Journal(name.clone()))?;
            // What a crash left there may have another mode.
            let _ = fs::remove_file(&self.path);
        }
        let (mut with_payload, mut gone) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Is(tracked) => {
                    let key = tracked.key();
                    let is_known = self.has_payload_of(&key);
                    let payload = tracked.job.payload().filter(|_| !is_known);
                    let record = Record {
                        phase: InFile::of(&tracked.job.phase),
                        handle: Handle::of(tracked),
                        payload: payload.map(|payload| payload.raw()),
                        job: Supplement::of(tracked),
                    };
                    with_payload.extend(payload.map(|_| key));
                    write_line(&mut text, &Line::Is(Box::new(record)))?;
                }
                Change::Gone(key) => {
                    gone.push((*key).clone());
                    write_line(&mut text, &Line::<&RawValue>::Gone((*key).clone()))?;
                }
            }
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .create_new(true)
                .append(true)
                .mode(MODE)
                .open(&self.path)?,
        };
        (&file).write_all(&text)?;
        file.sync_data()?;
        if is_new {
            File::open(folder_of(&self.path))?.sync_all()?;
        }
        self.length += text.len() as u64;
        self.payloads.extend(with_payload);
        self.payloads.retain(|key| !gone.contains(key));
        self.file = Some(file);
        self.name = Some(name);
        Ok(())
    }
}

fn write_line<T: Serialize>(text: &mut Vec<u8>, line: &Line<T>) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

impl InFile {
    const fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Held(_) | Phase::Pending(_) => Self::Pending,
            Phase::Launched => Self::Launched,
            Phase::Ended { .. } => Self::ToDecommission,
        }
    }
}

/// The journal that is there; none, where there is none, or it has no name yet.
///
/// # Errors
/// When it can't be read.
pub fn read(path: &Path) -> io::Result<Option<(String, Vec<u8>)>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = text.split_inclusive(|byte| *byte == b'\n').next();
    let first = first.filter(|line| line.ends_with(b"\n"));
    Ok(match first.map(serde_json::from_slice) {
        Some(Ok(Line::<Box<RawValue>>::Journal(name))) => Some((name, text)),
        _ => None,
    })
}

/// Makes of what was tracked what is tracked, by all whole lines.
pub fn replay(text: &[u8], tracked: &mut Vec<Tracked>) {
    let lines = text.split_inclusive(|byte| *byte == b'\n').skip(1);
    for line in lines.take_while(|line| line.ends_with(b"\n")) {
        let is_read = match serde_json::from_slice::<Line<Box<RawValue>>>(line) {
            Ok(Line::Is(record)) => record.apply(tracked),
            Ok(Line::Gone(gone)) => {
                tracked.retain(|known| known.key() != gone);
                true
            }
            Ok(Line::Journal(_)) | Err(_) => false,
        };
        if !is_read {
            break;
        }
    }
}

impl Record<Box<RawValue>> {
    /// False, when it can't be understood.
    fn apply(self, tracked: &mut Vec<Tracked>) -> bool {
        let key = self.job.key();
        let place = tracked.iter().position(|known| known.key() == key);
        let phase = match self.phase {
            InFile::Pending => {
                let before = place.and_then(|place| tracked[place].job.payload().cloned());
                let read = self.payload.map(Payload::from_raw);
                match read.map_or(before, |read| read.ok().map(Into::into)) {
                    Some(payload) => Phase::Pending(payload),
                    None => return false,
                }
            }
            InFile::Launched => Phase::Launched,
            InFile::ToDecommission => Phase::Ended { untold: None },
        };
        let mut one = vec![self.handle.tracked(phase)];
        self.job.apply(&mut one);
        match (place, one.pop()) {
            (Some(place), Some(known)) => tracked[place] = known,
            (None, Some(known)) => tracked.push(known),
            (_, None) => {}
        }
        true
    }
}

/// How often the state file is written whole: so that it costs each job little.
pub struct Budget {
    left: u64,
    last: u64,
}

impl Budget {
    /// Few jobs have a state file that is always whole.
    const AT_FIRST: u64 = 128 << 10;
    const FOR_EACH_JOB: u64 = 8 << 10;

    #[must_use]
    pub const fn at_first() -> Self {
        Self {
            left: Self::AT_FIRST,
            last: 0,
        }
    }

    pub const fn has_job(&mut self) {
        self.left = self.left.saturating_add(Self::FOR_EACH_JOB);
    }

    /// Whether it may be written whole, with so many bytes of changes since the last time.
    #[must_use]
    pub const fn allows(&self, changes: u64) -> bool {
        self.left >= self.last.saturating_add(changes)
    }

    pub const fn written(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.last = bytes;
    }
}

#[cfg(test)]
mod tests;
