//! The file with a line for each job, one for each year, to which lines are only ever added.
//!
//! A line is written before the state file forgets its job. After a crash in between it comes again, and counts
//! once; a line that was cut is passed over. It is on disk within a second: that long a power cut may cost.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Entry;
use crate::whole_file::{MODE, beside};

/// What is behind the state file's own name in that of a ledger, before the year.
const LEDGER: &str = ".ledger-";
/// As many are kept for a disk that has room again.
const MOST_WAITING: usize = 10_000;
const SYNCED_EVERY: Duration = Duration::from_secs(1);

pub struct Ledger {
    state_file: PathBuf,
    waiting: Vec<Entry>,
    /// Why the last line could not be written, as it was told.
    trouble: Option<String>,
    /// What was written to and is not on disk yet, by its year.
    unsynced: BTreeMap<String, File>,
    synced: Instant,
}

impl Ledger {
    #[must_use]
    pub fn beside(state_file: &Path) -> Self {
        Self {
            state_file: state_file.to_owned(),
            waiting: Vec::new(),
            trouble: None,
            unsynced: BTreeMap::new(),
            synced: Instant::now(),
        }
    }

    /// When what was written is to be on disk.
    #[must_use]
    pub fn due_in(&self) -> Option<Duration> {
        let rest = SYNCED_EVERY.saturating_sub(self.synced.elapsed());
        (!self.unsynced.is_empty()).then_some(rest)
    }

    /// To be written with the next [`Ledger::write`].
    pub fn add(&mut self, entry: Entry) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push(entry);
        }
    }

    /// Writes what waits, and sees to it that it is on disk when that is due. Trouble is told once, and
    /// stops nothing.
    pub fn write(&mut self) {
        let is_due = self.due_in() == Some(Duration::ZERO);
        if self.waiting.is_empty() && !is_due {
            return;
        }
        let done = self
            .append()
            .and_then(|()| if is_due { self.sync() } else { Ok(()) });
        match done {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    log::info!("the ledger can be written again");
                }
            }
            Err(error) => {
                let why = format!("cannot write the ledger beside the state file: {error}");
                if self.trouble.as_ref() != Some(&why) {
                    log::error!("{why}; what jobs cost is written down when that works again");
                }
                self.trouble = Some(why);
            }
        }
    }

    /// Why it can't be written.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// # Errors
    /// When it is not certain that all of it is on disk.
    fn sync(&mut self) -> io::Result<()> {
        self.synced = Instant::now();
        let mut files = mem::take(&mut self.unsynced).into_values();
        files.try_for_each(|file| file.sync_data())
    }

    fn append(&mut self) -> io::Result<()> {
        let mut years: Vec<(String, Vec<u8>)> = Vec::new();
        for entry in &self.waiting {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            let year = year(&entry.ended.month());
            match years.last_mut().filter(|(last, _)| *last == year) {
                Some((_, lines)) => lines.extend(line),
                None => years.push((year, line)),
            }
        }
        for (year, lines) in years {
            let path = place(&self.state_file, &year);
            let mut options = OpenOptions::new();
            let mut file = options
                .create(true)
                .read(true)
                .append(true)
                .mode(MODE)
                .open(path)?;
            if !ends_a_line(&mut file)? {
                file.write_all(b"\n")?;
            }
            file.write_all(&lines)?;
            self.unsynced.insert(year, file);
        }
        // What is written is not written again, whatever becomes of the disk.
        self.waiting.clear();
        Ok(())
    }

    /// All entries of a month, `2026-11`, each job once.
    ///
    /// # Errors
    /// A text for the operator, when there is a file that can't be read.
    pub fn read(state_file: &Path, month: &str) -> Result<Vec<Entry>, String> {
        let path = place(state_file, &year(month));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        };
        let mut entries: HashMap<u64, Vec<Entry>> = HashMap::new();
        for line in text.lines() {
            let entry = serde_json::from_str::<Entry>(line).ok();
            if let Some(entry) = entry.filter(|entry| entry.ended.month() == month) {
                let same = entries.entry(entry.job).or_default();
                same.retain(|other| !entry.is_again(other));
                same.push(entry);
            }
        }
        let mut entries: Vec<_> = entries.into_values().flatten().collect();
        entries.sort_by_key(|entry| (entry.ended, entry.job));
        Ok(entries)
    }
}

fn year(month: &str) -> String {
    month.split('-').next().unwrap_or(month).to_owned()
}

fn place(state_file: &Path, year: &str) -> PathBuf {
    beside(state_file, &format!("{LEDGER}{year}"))
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // The process ends: what is not on disk by now will be, unless the power goes.
        let _ = self.sync();
    }
}

/// Whether the last line is whole, or there is none.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Ledger, place};
    use crate::clock::Timestamp;
    use crate::money::Entry;

    fn entry(job: u64, ended: &str) -> Entry {
        let ended = Timestamp::read(ended).unwrap();
        Entry {
            version: 1,
            job,
            runner: "ci".to_owned(),
            project: Some("acme/x".to_owned()),
            group: Some("acme".to_owned()),
            user: None,
            flavor: Some("M".to_owned()),
            begun: Some(ended),
            ended,
            seconds: 60,
            hourly: Some(0.6),
            cost: Some(0.01),
            currency: Some("EUR".to_owned()),
            result: Some("success".to_owned()),
        }
    }

    #[test]
    fn a_line_that_was_cut_costs_itself_only_and_one_that_comes_again_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let state_file = folder.path().join("state.json");
        let mut ledger = Ledger::beside(&state_file);
        let (old, first) = (
            entry(1, "2026-11-30T23:59:59Z"),
            entry(2, "2026-12-01T00:00:00Z"),
        );
        for entry in [&old, &first, &first] {
            ledger.add(entry.clone());
        }
        ledger.write();
        let path = place(&state_file, "2026");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"version\": 1, \"jo")).unwrap();
        let next_year = entry(4, "2027-01-01T00:00:00Z");
        let last = entry(3, "2026-12-31T23:00:00Z");
        ledger.add(last.clone());
        ledger.add(next_year.clone());
        ledger.write();
        assert_eq!(ledger.trouble(), None);
        for (month, expected) in [
            ("2026-11", vec![old]),
            ("2026-12", vec![first, last]),
            ("2027-01", vec![next_year]),
            ("2027-02", vec![]),
        ] {
            assert_eq!(Ledger::read(&state_file, month), Ok(expected), "{month}");
        }
    }
}
