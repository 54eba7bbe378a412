//! What the program costs in time, memory and processes. The latencies that the sandbox imposes
//! are not its doing, and are taken off.

use std::fs;
use std::time::{Duration, Instant};

use sandbox::coordinator::JobSpec;

use crate::course::{Course, Moments, Ride, Setting, Voice};
use crate::pipeline::Plan;
use crate::world::LATENCIES;

/// A single job is measured so often; the median counts.
const SINGLE_JOBS: usize = 3;
/// The program needs a moment to see that a job runs.
const SETTLING: Duration = Duration::from_secs(1);

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

pub struct Numbers {
    /// From grant to push, of a job on its own.
    pub launch: Option<Duration>,
    pub idle: Option<Memory>,
    pub load: Load,
    pub jobs_at_once: usize,
    pub git_calls: usize,
    pub pushes: usize,
}

impl Numbers {
    /// KiB for each job, given the most that there was.
    pub fn per_job(&self, most: Option<Memory>) -> Option<f64> {
        let more = most?.resident.saturating_sub(self.idle?.resident);
        Some(more as f64 / self.jobs_at_once.max(1) as f64)
    }

    pub fn git_per_launch(&self) -> f64 {
        self.git_calls as f64 / self.pushes.max(1) as f64
    }
}

/// The most memory that the program had.
#[derive(Clone, Copy, Default)]
pub struct Load {
    /// While some were launched still.
    pub launching: Option<Memory>,
    /// While all were running.
    pub running: Option<Memory>,
}

/// Jobs one after the other, each on its own.
///
/// # Errors
/// In words, when one does not come to its end.
pub fn run_single_jobs(setting: &mut Setting<'_>) -> Result<Vec<Ride>, String> {
    let show = setting.show;
    show.say(&format!(
        "{SINGLE_JOBS} jobs, one after the other, for the time of a launch"
    ));
    let mut rides = Vec::new();
    for number in 1..=SINGLE_JOBS {
        let plan = small_job(&format!("single-{number}"), "true");
        rides.extend(Course::new(setting, vec![plan], Voice::Silent).run()?);
    }
    Ok(rides)
}

/// The median time from grant to push.
pub fn launch_time(rides: &[Ride]) -> Option<Duration> {
    let mut times: Vec<_> = rides
        .iter()
        .filter_map(|it| own_time(&it.moments))
        .collect();
    times.sort();
    times.get(times.len() / 2).copied()
}

/// From grant to push, without what the sandbox took to create the application and its repository.
fn own_time(moments: &Moments) -> Option<Duration> {
    let (granted, created) = (moments.granted?, moments.created?);
    let repository = moments.repository?.duration_since(created);
    let all = moments.pushed?.duration_since(granted);
    Some(all.saturating_sub(LATENCIES.create + repository))
}

/// `count` jobs, held until all of them run.
///
/// # Errors
/// In words, when one does not come to its end.
pub fn run_load(setting: &mut Setting<'_>, count: usize) -> Result<(Vec<Ride>, Load), String> {
    let (world, show, process) = (setting.world, setting.show, setting.program.id());
    let gate = world.path("all-are-running");
    let plans = (1..=count).map(|number| {
        let script = "while ! test -e \"$GATE\"; do sleep 0.5; done";
        let mut plan = small_job(&format!("load-{number}"), script);
        plan.spec = plan.spec.variable("GATE", gate.display().to_string());
        plan
    });
    let plans = plans.collect();
    show.say(&format!("{count} jobs at once"));
    let mut course = Course::new(setting, plans, Voice::Counting("load"));
    let mut load = Load::default();
    let mut since = None;
    course.run_until(|course| {
        let now = Memory::of(process);
        if !course.all_running() {
            load.launching = load.launching.max(now);
            return false;
        }
        load.running = load.running.max(now);
        since.get_or_insert_with(Instant::now).elapsed() >= SETTLING
    })?;
    show.say(&format!("all {count} are running; letting them go"));
    fs::write(&gate, "").map_err(|error| format!("cannot let the jobs go: {error}"))?;
    Ok((course.run()?, load))
}

fn small_job(name: &str, script: &str) -> Plan {
    Plan::new(JobSpec::new(name, [script]).flavor("XS"))
}
