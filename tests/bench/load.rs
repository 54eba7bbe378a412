//! What drives the load: jobs that are handed in one after the other, or all at once and held until
//! all of them run. It may not know what is measured meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use rig::{Rig, Show, Step, Times};
use sandbox::JobStatus;
use sandbox::coordinator::{JobId, JobSpec};

const ONE_BY_ONE: usize = 3;
/// The program needs a moment to see that a job runs.
const SETTLING: Duration = Duration::from_secs(1);
/// How often is measured when nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// Between two things that happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a crowd is counted aloud.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// All jobs so far.
#[derive(Default)]
pub struct Load {
    pub jobs: Vec<JobId>,
    pub times: Times,
    /// Entries of the journal that were read.
    seen: usize,
}

/// The most that was measured.
pub struct Most<T> {
    /// While some jobs were launched still.
    pub launching: Option<T>,
    /// While all were running.
    pub running: Option<T>,
}

impl Load {
    /// Some small jobs, each on its own.
    ///
    /// # Errors
    /// In words, when one does not come to its end.
    pub fn run_one_by_one(&mut self, rig: &mut Rig, show: &Show) -> Result<Vec<JobId>, String> {
        show.say(&format!(
            "{ONE_BY_ONE} jobs, one after the other, for the time of a launch"
        ));
        let mut jobs = Vec::new();
        for number in 1..=ONE_BY_ONE {
            let job = self.submit(rig, JobSpec::new(format!("single-{number}"), ["true"]));
            self.follow(rig, |load, _| load.times.is_over(job))?;
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// `count` jobs, held until all of them run; `sample` is asked again and again.
    ///
    /// # Errors
    /// In words, when one does not come to its end.
    pub fn run_at_once<T: Copy + Ord>(
        &mut self,
        rig: &mut Rig,
        show: &Show,
        count: usize,
        sample: impl Fn() -> Option<T>,
    ) -> Result<Most<T>, String> {
        show.say(&format!("{count} jobs at once"));
        let gate = rig.world.folder().join("all-are-running");
        let script = format!("while ! test -e '{}'; do sleep 0.5; done", gate.display());
        let jobs: Vec<_> = (1..=count)
            .map(|number| {
                let spec = JobSpec::new(format!("load-{number}"), [script.as_str()]);
                self.submit(rig, spec)
            })
            .collect();
        let mut most = Most {
            launching: None,
            running: None,
        };
        let mut all_run_since = None;
        let mut counter = Counter::default();
        self.follow(rig, |load, _| {
            counter.say(show, &load.times, &jobs);
            let now = sample();
            if !jobs.iter().all(|job| load.times.is_running(*job)) {
                most.launching = most.launching.max(now);
                return false;
            }
            most.running = most.running.max(now);
            all_run_since.get_or_insert_with(Instant::now).elapsed() >= SETTLING
        })?;
        show.say(&format!("all {count} are running; letting them go"));
        fs::write(&gate, "").map_err(|error| format!("cannot let the jobs go: {error}"))?;
        self.follow(rig, |load, rig| {
            counter.say(show, &load.times, &jobs);
            jobs.iter().all(|job| load.times.is_over(*job))
                && rig.world.clever.applications().is_empty()
        })?;
        Ok(most)
    }

    /// What did not end as it must, in words.
    pub fn problems(&self, rig: &Rig) -> Vec<String> {
        let mut problems = Vec::new();
        for job in &self.jobs {
            let view = rig.world.coordinator.job(*job);
            if view.status != JobStatus::Success {
                problems.push(format!("{}: {}", view.name, view.status));
            }
            problems.extend(rig.problems_of(&view));
        }
        problems
    }

    fn submit(&mut self, rig: &Rig, spec: JobSpec) -> JobId {
        let job = rig.world.coordinator.submit(spec.flavor("XS"));
        self.jobs.push(job);
        job
    }

    /// Reads the journal until `is_enough`, which is asked again and again.
    fn follow(
        &mut self,
        rig: &mut Rig,
        mut is_enough: impl FnMut(&Self, &Rig) -> bool,
    ) -> Result<(), String> {
        let mut last_news = Instant::now();
        while !is_enough(self, rig) {
            rig.check()?;
            let seen = self.seen;
            let news = rig.world.journal.wait_for(TICK, |entries| {
                (entries.len() > seen).then(|| entries[seen..].to_vec())
            });
            for entry in news.unwrap_or_default() {
                self.seen += 1;
                if self.times.hear(&entry).is_some() {
                    last_news = Instant::now();
                }
            }
            if last_news.elapsed() > PATIENCE {
                let stuck = self.jobs.iter().filter(|job| !self.times.is_over(**job));
                return Err(format!(
                    "nothing has happened for {PATIENCE:.0?}, and {} jobs are not at their end",
                    stuck.count()
                ));
            }
        }
        Ok(())
    }
}

/// Says how many are how far, when that has changed.
#[derive(Default)]
struct Counter(Option<(Instant, String)>);

impl Counter {
    fn say(&mut self, show: &Show, times: &Times, jobs: &[JobId]) {
        let count = |step| jobs.iter().filter(|job| times.has(**job, step)).count();
        let (taken, over, gone) = (
            count(Step::Granted),
            count(Step::Finished),
            count(Step::Gone),
        );
        let running = jobs.iter().filter(|job| times.is_running(**job)).count();
        let text = format!(
            "{} pending, {} booting, {running} running, {over} over, {gone} gone",
            jobs.len() - taken,
            taken - running - over,
        );
        let is_news = self.0.as_ref().is_none_or(|(at, said)| {
            *said != text && (at.elapsed() >= COUNT_EVERY || gone == jobs.len())
        });
        if is_news {
            show.say(&text);
            self.0 = Some((Instant::now(), text));
        }
    }
}
