//! What drives the load: jobs that come one after the other or all at once, followed through the world's
//! journal. It may not know what is made of what is seen.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rig::{Rig, Show, Step};
use sandbox::coordinator::JobSpec;

use crate::process;
use crate::seen::{Call, Seen};

/// The variable that names a pipe to a job: opened for reading, it holds the job until it is written to.
pub const GATE: &str = "GATE";
/// How often is measured when nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// The program needs a moment to see that a job runs.
const SETTLING: Duration = Duration::from_secs(1);
/// Between two things that happen: longer than the longest job.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a crowd is counted aloud.
const COUNT_EVERY: Duration = Duration::from_secs(2);

pub struct Load {
    pub jobs: Vec<JobSpec>,
    pub arrival: Arrival,
    /// They go on at their [gate](GATE) when all of them have run for so long.
    pub hold: Option<Duration>,
    /// What happens to jobs later is of no interest.
    pub until: Until,
}

pub enum Arrival {
    AtOnce,
    /// Each when the one before is over.
    OneByOne,
    /// Each so long after the one before was taken; the first waits, too.
    Spaced(Vec<Duration>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Taken,
    Pushed,
    Over,
}

/// One load on its way.
struct Driver<'a> {
    rig: &'a mut Rig,
    show: &'a Show,
    seen: Seen,
    /// Entries of the journal that were read.
    read: usize,
    /// The most memory while all jobs ran, in KiB.
    running: Option<u64>,
    all_run_since: Option<Instant>,
    /// Of jobs that are held.
    gate: PathBuf,
    told: Option<(Instant, String)>,
}

/// Drives the load to its end. Returns what was seen, and the most memory while all jobs ran.
///
/// # Errors
/// In words, when it does not come to its end.
pub fn drive(rig: &mut Rig, show: &Show, load: &Load) -> Result<(Seen, Option<u64>), String> {
    let read = rig.world.journal.entries().len();
    let gate = rig.world.folder().join("gate");
    let mut driver = Driver {
        rig,
        show,
        seen: Seen::default(),
        read,
        running: None,
        all_run_since: None,
        gate,
        told: None,
    };
    match &load.arrival {
        Arrival::AtOnce => {
            driver.make_gate()?;
            driver.submit(&load.jobs);
        }
        Arrival::OneByOne => {
            for job in &load.jobs {
                driver.submit(std::slice::from_ref(job));
                driver.follow(|driver| driver.are_all(load.until))?;
            }
        }
        Arrival::Spaced(pauses) => {
            for (job, pause) in load.jobs.iter().zip(pauses) {
                let until = Instant::now() + *pause;
                driver.follow(|_| Instant::now() >= until)?;
                driver.submit(std::slice::from_ref(job));
                driver.follow(|driver| driver.are_all(Until::Taken))?;
            }
        }
    }
    // For as long as it is open, all who come go through.
    let _open = load.hold.map(|hold| driver.hold(hold)).transpose()?;
    driver.follow(|driver| driver.are_all(load.until))?;
    Ok((driver.seen, driver.running))
}

impl Driver<'_> {
    fn submit(&mut self, jobs: &[JobSpec]) {
        for job in jobs {
            let job = job.clone().variable(GATE, self.gate.display().to_string());
            let id = self.rig.world.coordinator.submit(job);
            self.seen.jobs.push(id);
        }
    }

    fn make_gate(&self) -> Result<(), String> {
        let made = Command::new("mkfifo").arg(&self.gate).status();
        let made = made.is_ok_and(|status| status.success());
        made.then_some(())
            .ok_or_else(|| "mkfifo made no pipe".to_owned())
    }

    /// Lets the jobs go when all have run for so long.
    fn hold(&mut self, hold: Duration) -> Result<File, String> {
        self.follow(|driver| {
            driver
                .all_run_since
                .is_some_and(|since| since.elapsed() >= hold)
        })?;
        // Both ways: whoever only writes would wait for a reader.
        let opened = File::options().read(true).write(true).open(&self.gate);
        opened.map_err(|error| format!("cannot let the jobs go: {error}"))
    }

    fn are_all(&self, until: Until) -> bool {
        let times = &self.seen.times;
        let mut jobs = self.seen.jobs.iter();
        match until {
            Until::Taken => jobs.all(|job| times.has(*job, Step::Granted)),
            Until::Pushed => jobs.all(|job| times.has(*job, Step::Pushed)),
            Until::Over => jobs.all(|job| times.is_over(*job)),
        }
    }

    /// Reads the journal until `is_enough`, which is asked again and again.
    fn follow(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut last_news = Instant::now();
        while !is_enough(self) {
            self.rig.check()?;
            for entry in self.rig.world.journal.read_on(self.read, TICK) {
                self.read += 1;
                self.seen.calls.extend(Call::told(&entry));
                if self.seen.times.hear(&entry).is_some() {
                    last_news = Instant::now();
                }
            }
            self.measure();
            self.count();
            if last_news.elapsed() > PATIENCE {
                return Err(format!(
                    "nothing has happened to any job for {PATIENCE:.0?}; {}",
                    self.how_far()
                ));
            }
        }
        Ok(())
    }

    fn measure(&mut self) {
        let times = &self.seen.times;
        if !self.seen.jobs.iter().all(|job| times.is_running(*job)) {
            self.all_run_since = None;
        } else if self
            .all_run_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= SETTLING
        {
            self.running = self.running.max(process::resident(self.rig.program.id()));
        }
    }

    /// Says how many are how far, when that has changed.
    fn count(&mut self) {
        let is_news =
            |(at, said): &(Instant, String)| at.elapsed() >= COUNT_EVERY && *said != self.how_far();
        if self.told.as_ref().is_none_or(is_news) {
            let text = self.how_far();
            self.show.say(&text);
            self.told = Some((Instant::now(), text));
        }
    }

    fn how_far(&self) -> String {
        let (jobs, times) = (&self.seen.jobs, &self.seen.times);
        let count = |step| jobs.iter().filter(|job| times.has(**job, step)).count();
        let (taken, over, gone) = (
            count(Step::Granted),
            count(Step::Finished),
            count(Step::Gone),
        );
        let running = jobs.iter().filter(|job| times.is_running(**job)).count();
        format!(
            "{} pending, {} booting, {running} running, {over} over, {gone} gone",
            jobs.len() - taken,
            taken.saturating_sub(running + over),
        )
    }
}
