//! Runs a pipeline: hands each job in when its turn has come, follows it through the sandbox's
//! journal, and shows what happens to it.
//!
//! A job's way ends when its machine is gone, not before. It only looks; nothing here helps the
//! program.

use std::time::{Duration, Instant};

use rig::configuration::DEFAULT_FLAVOR;
use rig::{Colour, Rig, Show, Step, Times};
use sandbox::coordinator::{JobId, JobView};
use sandbox::{Entry, JobStatus, Kind};

use crate::pipeline::{Ending, Plan, When, describe};
use crate::trace::Trace;

/// How often logs are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// Nothing but a running script takes so long here.
const PATIENCE: Duration = Duration::from_secs(60);

/// One job of the pipeline.
pub struct Job {
    pub plan: Plan,
    /// None: it is not handed in yet.
    pub id: Option<JobId>,
    /// It will not be handed in.
    pub skipped: Option<Skipped>,
    trace: Trace,
}

pub struct Skipped {
    /// In words.
    pub why: String,
    cause: Cause,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something before it failed: what comes after it is as spoiled.
    Failure,
    /// Somebody would have to start it, or what it waits for.
    Unstarted,
    /// What comes after it does not mind.
    Harmless,
}

enum Turn {
    Waits,
    Now,
    Never(Skipped),
}

/// What became of the jobs.
pub struct History {
    pub jobs: Vec<Job>,
    pub times: Times,
}

pub struct Run<'a> {
    history: History,
    rig: &'a mut Rig,
    show: &'a Show,
    /// It is worth telling who pays: it could be another one.
    has_tenants: bool,
    /// Entries of the journal that were read.
    seen: usize,
    /// When something last happened to one of the jobs.
    last_news: Instant,
}

impl<'a> Run<'a> {
    pub fn new(rig: &'a mut Rig, show: &'a Show, plans: Vec<Plan>, has_tenants: bool) -> Self {
        let job = |plan| Job {
            plan,
            id: None,
            skipped: None,
            trace: Trace::default(),
        };
        let jobs = plans.into_iter().map(job).collect();
        Self {
            history: History {
                jobs,
                times: Times::default(),
            },
            seen: rig.world.journal.entries().len(),
            rig,
            show,
            has_tenants,
            last_news: Instant::now(),
        }
    }

    /// Goes on until all jobs are over and their machines are gone.
    ///
    /// # Errors
    /// In words, when it can't come to that.
    pub fn run(&mut self) -> Result<(), String> {
        self.hand_in();
        while !self.is_over() {
            self.rig.check()?;
            self.check_patience()?;
            let seen = self.seen;
            let news = self.rig.world.journal.wait_for(TICK, |entries| {
                (entries.len() > seen).then(|| entries[seen..].to_vec())
            });
            for entry in news.unwrap_or_default() {
                self.seen += 1;
                self.hear(&entry);
            }
            for place in 0..self.history.jobs.len() {
                self.show_log(place);
            }
            self.hand_in();
        }
        Ok(())
    }

    pub fn end(self) -> History {
        self.history
    }

    fn is_over(&self) -> bool {
        let History { jobs, times } = &self.history;
        jobs.iter().all(|job| job.is_over(times)) && self.rig.world.clever.applications().is_empty()
    }

    fn check_patience(&self) -> Result<(), String> {
        let History { jobs, times } = &self.history;
        let is_running = |job: &Job| job.id.is_some_and(|id| times.is_running(id));
        if jobs.iter().any(is_running) || self.last_news.elapsed() < PATIENCE {
            return Ok(());
        }
        let stuck = jobs.iter().filter(|job| !job.is_over(times));
        let names: Vec<_> = stuck.map(|job| job.plan.name()).collect();
        Err(format!(
            "nothing has happened for {PATIENCE:.0?}, and these are not at their end: {}",
            names.join(", ")
        ))
    }

    /// Hands in every job whose turn has come.
    fn hand_in(&mut self) {
        for place in 0..self.history.jobs.len() {
            let job = &self.history.jobs[place];
            if job.id.is_some() || job.skipped.is_some() {
                continue;
            }
            match self.turn_of(job) {
                Turn::Waits => {}
                Turn::Now => {
                    let id = self.rig.world.coordinator.submit(job.plan.spec.clone());
                    self.history.jobs[place].id = Some(id);
                    self.last_news = Instant::now();
                }
                Turn::Never(skipped) => {
                    (self.show).tell(job.plan.name(), Colour::Yellow, &skipped.why);
                    self.history.jobs[place].skipped = Some(skipped);
                }
            }
        }
    }

    fn turn_of(&self, job: &Job) -> Turn {
        let never = |why: String, cause| Turn::Never(Skipped { why, cause });
        if let When::Held { why, blocks } = &job.plan.when {
            let cause = [Cause::Harmless, Cause::Unstarted][usize::from(*blocks)];
            return never(why.clone(), cause);
        }
        let after = &job.plan.after;
        let before: Vec<_> = after.iter().map(|it| &self.history.jobs[*it]).collect();
        let needs_all = job.plan.has_needs;
        let is_unstarted = |other: &&&Job| match &other.skipped {
            Some(skipped) => match skipped.cause {
                Cause::Unstarted => true,
                Cause::Harmless => needs_all,
                Cause::Failure => false,
            },
            None => false,
        };
        if let Some(other) = before.iter().find(is_unstarted) {
            let why = format!("not started: it waits for {}", other.plan.name());
            return never(why, Cause::Unstarted);
        }
        let spoiler = before.iter().find(|other| self.is_spoiled(other));
        let is_over = |other: &&Job| other.skipped.is_some() || self.is_finished(other);
        match (&job.plan.when, spoiler) {
            (When::OnSuccess, Some(spoiler)) => {
                let why = format!("skipped, because of {}", spoiler.plan.name());
                never(why, Cause::Failure)
            }
            _ if !before.iter().all(is_over) => Turn::Waits,
            (When::OnFailure, None) => never(
                "not started: nothing before it failed".to_owned(),
                Cause::Harmless,
            ),
            _ => Turn::Now,
        }
    }

    fn is_finished(&self, job: &Job) -> bool {
        (job.id).is_some_and(|id| self.history.times.has(id, Step::Finished))
    }

    /// What comes after it must not run.
    fn is_spoiled(&self, job: &Job) -> bool {
        let view = job.id.map(|id| self.rig.world.coordinator.job(id));
        let ended_wrong = view.is_some_and(|view| job.plan.ending.check(&view).is_err());
        let is_skipped = (job.skipped.as_ref()).is_some_and(|it| it.cause == Cause::Failure);
        is_skipped || self.is_finished(job) && ended_wrong
    }

    fn hear(&mut self, entry: &Entry) {
        if entry.kind == Kind::Complaint {
            let complaint = format!("{} complains: {}", entry.source, entry.what);
            self.show.tell("", Colour::Red, &complaint);
        }
        let Some((id, step)) = self.history.times.hear(entry) else {
            return;
        };
        let mut jobs = self.history.jobs.iter();
        let Some(place) = jobs.position(|job| job.id == Some(id)) else {
            return;
        };
        self.last_news = Instant::now();
        if step == Step::Finished {
            self.show_log(place);
        }
        if let Some((colour, text)) = self.describe(place, id, step) {
            let name = self.history.jobs[place].plan.name();
            self.show.tell(name, colour, &text);
        }
    }

    fn describe(&self, place: usize, id: JobId, step: Step) -> Option<(Colour, String)> {
        let job = &self.history.jobs[place];
        let text = match step {
            Step::Queued => (Colour::Dim, format!("pending, asks for {}", job.flavor())),
            Step::Granted => (Colour::Plain, "taken by the runner".to_owned()),
            Step::Created => {
                let application = self.rig.world.applications_of(id).pop()?;
                let (name, payer) = (application.name, application.organization);
                let text = if self.has_tenants {
                    format!("has an application: {name}, paid by {payer}")
                } else {
                    format!("has an application: {name}")
                };
                (Colour::Plain, text)
            }
            Step::Prepared | Step::Deleted => return None,
            Step::Pushed => (Colour::Plain, "handed over by git push".to_owned()),
            Step::Booting => (Colour::Plain, "its machine is booting".to_owned()),
            Step::Running => (Colour::Blue, "running".to_owned()),
            Step::Finished => job.result(&self.rig.world.coordinator.job(id)),
            Step::Gone => (Colour::Dim, "its machine is gone".to_owned()),
        };
        Some(text)
    }

    fn show_log(&mut self, place: usize) {
        let job = &mut self.history.jobs[place];
        let Some(view) = job.id.map(|id| self.rig.world.coordinator.job(id)) else {
            return;
        };
        let keeps_colours = self.show.has_colours();
        let is_over = view.status.is_over();
        for line in job.trace.news(&view.trace, is_over, keeps_colours) {
            self.show.quote(job.plan.name(), &line);
        }
    }
}

impl Job {
    pub fn flavor(&self) -> &str {
        self.plan.flavor().unwrap_or(DEFAULT_FLAVOR)
    }

    fn is_over(&self, times: &Times) -> bool {
        self.skipped.is_some() || self.id.is_some_and(|id| times.is_over(id))
    }

    /// How it ended, in words, and how well.
    pub fn result(&self, view: &JobView) -> (Colour, String) {
        if let Err(why) = self.plan.ending.check(view) {
            return (Colour::Red, why);
        }
        let words = describe(view);
        if view.status == JobStatus::Success {
            return (Colour::Green, words);
        }
        let words = match self.plan.ending {
            Ending::Success => words,
            Ending::MayFail(_) => format!("{words}, which it may"),
            Ending::ExitCode(_) => format!("{words}, as it must"),
            Ending::Refused(_) => "refused: there is no such machine".to_owned(),
        };
        (Colour::Yellow, words)
    }
}
