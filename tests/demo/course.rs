//! Jobs on their way: hands each in when its turn has come, follows it through the sandbox's
//! journal, and shows what happens to it.
//!
//! A job's way ends when its machine is gone, not before. It only looks; nothing here helps the
//! program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sandbox::coordinator::{JobId, JobView};
use sandbox::{AppPhase, Entry, JobStatus, Kind, Source};

use crate::pipeline::{Ending, Plan, describe};
use crate::program::Program;
use crate::show::{Colour, Show};
use crate::trace::Trace;
use crate::world::{DEFAULT_FLAVOR, World};

/// How often logs are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// Nothing but a running script takes so long here.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a crowd is counted aloud.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// One job on its way.
pub struct Ride {
    pub plan: Plan,
    pub job: Option<JobId>,
    /// Why it will not be handed in.
    pub skipped: Option<String>,
    pub moments: Moments,
    trace: Trace,
}

/// When what happened; `None`: it didn't.
#[derive(Clone, Copy, Default)]
pub struct Moments {
    pub queued: Option<Instant>,
    pub granted: Option<Instant>,
    pub created: Option<Instant>,
    /// The application's git repository was there.
    pub repository: Option<Instant>,
    pub pushed: Option<Instant>,
    pub running: Option<Instant>,
    pub finished: Option<Instant>,
    pub gone: Option<Instant>,
}

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Every step and the log of each job.
    Full,
    /// How many are how far, under this name.
    Counting(&'static str),
    Silent,
}

pub struct Course<'a> {
    pub rides: Vec<Ride>,
    world: &'a World,
    program: &'a mut Program,
    show: &'a Show,
    interrupted: &'a AtomicBool,
    voice: Voice,
    /// Entries of the journal that were read.
    seen: usize,
    /// When something last happened to one of the jobs.
    last_news: Instant,
    counted: (Instant, String),
}

/// What a course is run with.
pub struct Setting<'a> {
    pub world: &'a World,
    pub program: &'a mut Program,
    pub show: &'a Show,
    pub interrupted: &'a AtomicBool,
}

impl<'a> Course<'a> {
    pub fn new(setting: &'a mut Setting<'_>, plans: Vec<Plan>, voice: Voice) -> Self {
        let ride = |plan| Ride {
            plan,
            job: None,
            skipped: None,
            moments: Moments::default(),
            trace: Trace::default(),
        };
        Self {
            rides: plans.into_iter().map(ride).collect(),
            world: setting.world,
            seen: setting.world.journal.entries().len(),
            program: setting.program,
            show: setting.show,
            interrupted: setting.interrupted,
            voice,
            last_news: Instant::now(),
            counted: (Instant::now(), String::new()),
        }
    }

    /// Goes on until all jobs are over and their machines are gone.
    ///
    /// # Errors
    /// In words, when it can't come to that.
    pub fn run(mut self) -> Result<Vec<Ride>, String> {
        self.run_until(|_| false)?;
        Ok(self.rides)
    }

    /// The same, or until `is_enough`, which is asked again and again.
    pub fn run_until(&mut self, mut is_enough: impl FnMut(&Self) -> bool) -> Result<(), String> {
        self.hand_in();
        while !self.is_over() && !is_enough(self) {
            self.check_patience()?;
            let seen = self.seen;
            let news = self.world.journal.wait_for(TICK, |entries| {
                (entries.len() > seen).then(|| entries[seen..].to_vec())
            });
            for entry in news.unwrap_or_default() {
                self.seen += 1;
                self.hear(&entry);
            }
            self.show_logs();
            self.hand_in();
            self.count_aloud();
        }
        Ok(())
    }

    pub fn all_running(&self) -> bool {
        self.rides.iter().all(Ride::is_running)
    }

    fn is_over(&self) -> bool {
        self.rides.iter().all(Ride::is_over) && self.world.clever.applications().is_empty()
    }

    fn check_patience(&mut self) -> Result<(), String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        self.program.check()?;
        let is_script_running =
            self.voice == Voice::Full && self.rides.iter().any(Ride::is_running);
        if is_script_running || self.last_news.elapsed() < PATIENCE {
            return Ok(());
        }
        let stuck = self.rides.iter().filter(|ride| !ride.is_over());
        let names: Vec<_> = stuck.map(|ride| ride.plan.name()).take(5).collect();
        Err(format!(
            "nothing has happened for {PATIENCE:.0?}, and these are not at their end: {}",
            names.join(", ")
        ))
    }

    /// Hands in every job whose predecessors are over, unless one of them spoiled it.
    fn hand_in(&mut self) {
        for place in 0..self.rides.len() {
            let ride = &self.rides[place];
            if ride.job.is_some() || ride.skipped.is_some() {
                continue;
            }
            let before: Vec<&Ride> = (ride.plan.after.iter())
                .map(|&other| &self.rides[other])
                .collect();
            if let Some(spoiler) = before.iter().find(|other| self.is_spoiled(other)) {
                let why = format!("skipped, because of {}", spoiler.plan.name());
                self.tell(place, Colour::Yellow, &why);
                self.rides[place].skipped = Some(why);
            } else if before.iter().all(|it| it.moments.finished.is_some()) {
                let job = self.world.coordinator.submit(ride.plan.spec.clone());
                self.rides[place].job = Some(job);
                self.last_news = Instant::now();
            }
        }
    }

    /// What comes after it must not run.
    fn is_spoiled(&self, ride: &Ride) -> bool {
        let job = ride.job.filter(|_| ride.moments.finished.is_some());
        let job = job.map(|job| self.world.coordinator.job(job));
        ride.skipped.is_some() || job.is_some_and(|job| ride.plan.ending.check(&job).is_err())
    }

    fn hear(&mut self, entry: &Entry) {
        match &entry.kind {
            Kind::JobStatus { job, status } => {
                if let Some(place) = self.place_of(*job) {
                    self.job_became(place, status, entry.at);
                }
            }
            Kind::Application { name, state } => {
                if let Some(place) = self.place_of_application(name) {
                    self.application_became(place, name, *state, entry.at);
                }
            }
            Kind::Note => self.heard_note(entry),
            Kind::Complaint => {
                let complaint = format!("{} complains: {}", entry.source, entry.what);
                self.show.tell("", Colour::Red, &complaint);
            }
            Kind::Request { .. } => {}
        }
    }

    fn job_became(&mut self, place: usize, status: &str, at: Instant) {
        let moments = &mut self.rides[place].moments;
        self.last_news = Instant::now();
        match status {
            "pending" => {
                moments.queued = Some(at);
                let flavor = self.rides[place].flavor();
                self.tell(place, Colour::Dim, &format!("pending, asks for {flavor}"));
            }
            "running" => {
                moments.granted = Some(at);
                self.tell(place, Colour::Plain, "taken by the runner");
            }
            _ => {
                moments.finished = Some(at);
                self.show_log(place);
                let (colour, text) = self.ending(place);
                self.tell(place, colour, &text);
            }
        }
    }

    fn application_became(&mut self, place: usize, name: &str, phase: AppPhase, at: Instant) {
        let moments = &mut self.rides[place].moments;
        self.last_news = Instant::now();
        match phase {
            AppPhase::Created => {
                moments.created = Some(at);
                let payer = self.payer(name);
                let text = format!("has an application: {name}{payer}");
                self.tell(place, Colour::Plain, &text);
            }
            AppPhase::Pushed => {
                moments.pushed = Some(at);
                self.tell(place, Colour::Plain, "handed over by git push");
            }
            AppPhase::Booting => self.tell(place, Colour::Plain, "its machine is booting"),
            AppPhase::Running => {
                moments.running = Some(at);
                self.tell(place, Colour::Blue, "running");
            }
            AppPhase::Gone => {
                moments.gone = Some(at);
                self.tell(place, Colour::Dim, "its machine is gone");
            }
            AppPhase::Exited | AppPhase::Deleted => {}
        }
    }

    /// Said only where it could be another one.
    fn payer(&self, application: &str) -> String {
        let application = self.world.clever.application(application);
        let application = application.filter(|_| !self.world.tenants.is_empty());
        application.map_or_else(String::new, |it| format!(", paid by {}", it.organization))
    }

    /// That a repository is there is only told in words.
    fn heard_note(&mut self, entry: &Entry) {
        let name = (entry.what.strip_prefix("application "))
            .and_then(|rest| rest.strip_suffix(": repository created"));
        if let Some(name) = name.filter(|_| entry.source == Source::Clever)
            && let Some(place) = self.place_of_application(name)
        {
            self.rides[place].moments.repository = Some(entry.at);
        }
    }

    fn place_of(&self, job: JobId) -> Option<usize> {
        self.rides.iter().position(|ride| ride.job == Some(job))
    }

    /// An application's name ends with the id of its job.
    fn place_of_application(&self, name: &str) -> Option<usize> {
        let id = name.rsplit('-').next()?;
        self.place_of(id.parse().ok()?)
    }

    fn ending(&self, place: usize) -> (Colour, String) {
        let ride = &self.rides[place];
        let Some(job) = ride.job.map(|job| self.world.coordinator.job(job)) else {
            return (Colour::Plain, String::new());
        };
        match ride.verdict(&job) {
            Ok(words) if job.status == JobStatus::Success => (Colour::Green, words),
            Ok(words) => (Colour::Yellow, words),
            Err(_) => (Colour::Red, describe(&job)),
        }
    }

    fn show_logs(&mut self) {
        for place in 0..self.rides.len() {
            if self.rides[place].is_running() {
                self.show_log(place);
            }
        }
    }

    fn show_log(&mut self, place: usize) {
        let ride = &mut self.rides[place];
        let Some(job) = ride.job.filter(|_| self.voice == Voice::Full) else {
            return;
        };
        let job = self.world.coordinator.job(job);
        for line in ride.trace.news(&job.trace, job.status.is_over()) {
            self.show.quote(ride.plan.name(), &line);
        }
    }

    fn tell(&self, place: usize, colour: Colour, text: &str) {
        if self.voice == Voice::Full {
            self.show.tell(self.rides[place].plan.name(), colour, text);
        }
    }

    fn count_aloud(&mut self) {
        let Voice::Counting(name) = self.voice else {
            return;
        };
        let count = |is_so: fn(&Ride) -> bool| self.rides.iter().filter(|it| is_so(it)).count();
        let all = self.rides.len();
        let taken = count(|ride| ride.moments.granted.is_some());
        let over = count(|ride| ride.moments.finished.is_some());
        let running = count(Ride::is_running);
        let gone = count(|ride| ride.moments.gone.is_some());
        let preparing = taken - running - over;
        let pending = all - taken;
        let text = format!(
            "{pending} pending, {preparing} booting, {running} running, {over} over, {gone} gone"
        );
        if text != self.counted.1 && (self.counted.0.elapsed() >= COUNT_EVERY || gone == all) {
            self.show.tell(name, Colour::Plain, &text);
            self.counted = (Instant::now(), text);
        }
    }
}

impl Ride {
    pub fn flavor(&self) -> &str {
        self.plan.flavor().unwrap_or(DEFAULT_FLAVOR)
    }

    pub fn is_running(&self) -> bool {
        self.moments.running.is_some() && self.moments.finished.is_none()
    }

    /// The job is, and its machine is gone if it had one.
    fn is_over(&self) -> bool {
        let Moments {
            created,
            finished,
            gone,
            ..
        } = self.moments;
        self.skipped.is_some() || finished.is_some() && (created.is_none() || gone.is_some())
    }

    /// How it ended, in words.
    ///
    /// # Errors
    /// When it did not end as it must, with why.
    pub fn verdict(&self, job: &JobView) -> Result<String, String> {
        self.plan.ending.check(job)?;
        let words = describe(job);
        Ok(match self.plan.ending {
            Ending::Success => words,
            Ending::MayFail(_) if job.status == JobStatus::Success => words,
            Ending::MayFail(_) => format!("{words}, which it may"),
            Ending::ExitCode(_) => format!("{words}, as it must"),
            Ending::Refused(_) => "refused: there is no such machine".to_owned(),
        })
    }
}
