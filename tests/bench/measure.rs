//! What is measured: a process seen from outside, and times from the journal. It may not know how
//! the load comes about.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::world::{self, LATENCIES};
use rig::{Step, Times};
use sandbox::coordinator::JobId;

/// What a process has of memory, in KiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    pub resident: u64,
    /// Of that, what is not the pages of the binary and of libraries.
    pub own: u64,
}

impl Memory {
    /// Where the system tells.
    pub fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let size = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Self {
            resident: size("VmRSS:")?,
            own: size("RssAnon:")?,
        })
    }
}

/// How long a process has kept a processor busy, together with those of its children that have ended.
/// None, where the system doesn't tell.
pub fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may have anything in it: user and system time, and the children's.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let times = fields.skip(11).take(4).map(str::parse::<u64>);
    let ticks: u64 = times.sum::<Result<_, _>>().ok()?;
    Some(TICK * u32::try_from(ticks).ok()?)
}

/// In which Linux counts the time of processes, on all of its usual platforms.
const TICK: Duration = Duration::from_millis(10);

/// Of one program. What could not be measured is none.
pub struct Numbers {
    /// From grant to push, of a job on its own.
    pub launch: Option<Duration>,
    pub idle: Option<Memory>,
    /// The most while jobs were launched, and while all were running.
    pub launching: Option<Memory>,
    pub running: Option<Memory>,
    pub jobs_at_once: usize,
    /// Since it was idle.
    pub processor: Option<Duration>,
    pub git_calls: usize,
    pub launches: usize,
}

impl Numbers {
    /// KiB for each job, given the most that there was.
    pub fn per_job(&self, most: Option<Memory>) -> Option<f64> {
        let more = most?.resident.saturating_sub(self.idle?.resident);
        Some(more as f64 / self.jobs_at_once.max(1) as f64)
    }

    pub fn processor_per_launch(&self) -> Option<Duration> {
        let launches = u32::try_from(self.launches).ok()?;
        self.processor?.checked_div(launches)
    }

    pub fn git_per_launch(&self) -> f64 {
        self.git_calls as f64 / self.launches.max(1) as f64
    }
}

/// The median time from grant to push, without what the sandbox took to create the application and
/// its repository.
pub fn median_launch(times: &Times, jobs: &[JobId]) -> Option<Duration> {
    let own_time = |job: &JobId| {
        let repository = times.between(*job, Step::Created, Step::Prepared)?;
        let all = times.between(*job, Step::Granted, Step::Pushed)?;
        Some(all.saturating_sub(LATENCIES.create + repository))
    };
    let mut all: Vec<_> = jobs.iter().filter_map(own_time).collect();
    all.sort();
    all.get(all.len() / 2).copied()
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
