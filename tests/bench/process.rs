//! A process as the system sees it from outside. What the system doesn't tell is none.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::world;

/// In which Linux counts the time of processes, on all of its usual platforms.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used up so far.
#[derive(Clone, Copy)]
pub struct Used {
    /// Of a processor.
    pub own: Duration,
    /// By those of its children that have ended.
    pub by_children: Duration,
    /// Bytes that went into files, theirs included: whole pages, when they first differ from the disk.
    pub written: u64,
    /// Of these, what never reached a disk, for the files were gone before.
    pub cancelled: u64,
}

impl Used {
    pub fn by(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which may have anything in it: user and system time, and the children's.
        let fields = stat.rsplit_once(')')?.1.split_whitespace();
        let ticks: Vec<u32> = fields.skip(11).take(4).flat_map(str::parse).collect();
        let [user, system, children_user, children_system] = ticks.as_slice() else {
            return None;
        };
        Some(Self {
            own: TICK * (user + system),
            by_children: TICK * (children_user + children_system),
            written: field(&format!("/proc/{process}/io"), "write_bytes:")?,
            cancelled: field(&format!("/proc/{process}/io"), "cancelled_write_bytes:")?,
        })
    }

    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            own: self.own.saturating_sub(before.own),
            by_children: self.by_children.saturating_sub(before.by_children),
            written: self.written.saturating_sub(before.written),
            cancelled: self.cancelled.saturating_sub(before.cancelled),
        }
    }
}

/// Its memory now, in KiB.
pub fn resident(process: u32) -> Option<u64> {
    field(&format!("/proc/{process}/status"), "VmRSS:")
}

/// The most that it ever was.
pub fn peak(process: u32) -> Option<u64> {
    field(&format!("/proc/{process}/status"), "VmHWM:")
}

/// The number behind a name.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// A `git` before the real one, which writes down who started it. The git processes that git
/// itself starts are not the program's doing, and are told apart by that.
pub struct GitCalls {
    folder: PathBuf,
    calls: PathBuf,
}

impl GitCalls {
    /// # Errors
    /// In words, when it can't be put there.
    pub fn count_in(folder: &Path) -> Result<Self, String> {
        let counter = Self {
            folder: folder.join("bin"),
            calls: folder.join("git-calls"),
        };
        let git = world::find_git()?;
        let words = |error: io::Error| format!("cannot put a counter before git: {error}");
        counter.write(&git).map_err(words)?;
        Ok(counter)
    }

    fn write(&self, git: &Path) -> io::Result<()> {
        fs::create_dir(&self.folder)?;
        let script = self.folder.join("git");
        let (calls, git) = (self.calls.display(), git.display());
        let text = format!("#!/bin/sh\necho \"$PPID\" >>'{calls}'\nexec '{git}' \"$@\"\n");
        fs::write(&script, text)?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))
    }

    /// In which the counter is found first.
    pub fn search_path(&self) -> OsString {
        let mut search_path = self.folder.clone().into_os_string();
        if let Some(usual) = env::var_os("PATH") {
            search_path.push(":");
            search_path.push(usual);
        }
        search_path
    }

    /// How many git processes this process started.
    pub fn of(&self, process: u32) -> usize {
        let calls = fs::read_to_string(&self.calls).unwrap_or_default();
        let process = process.to_string();
        calls.lines().filter(|line| *line == process).count()
    }
}
