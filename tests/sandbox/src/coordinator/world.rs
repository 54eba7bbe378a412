//! The coordinator's state, and the only places that change a job's status.
//!
//! One lock guards it all; every change wakes the long polls that are held and the clock.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::asking::Asking;
use super::job::{Action, Job, JobCall, JobId, JobStatus};
use super::runner::Runner;
use super::settings::CoordinatorSettings;
use super::spec::JobSpec;
use super::{Access, Registration, payload, tokens};
use crate::http::Request;
use crate::journal::{Kind, Source};

pub struct World {
    pub settings: CoordinatorSettings,
    /// Known once the server listens.
    pub url: OnceLock<String>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub struct State {
    pub jobs: BTreeMap<JobId, Job>,
    pub runners: Vec<Runner>,
    /// Personal access tokens.
    pub users: BTreeMap<String, Access>,
    /// Custom attributes, by the group's full path.
    pub groups: BTreeMap<String, BTreeMap<String, String>>,
    /// Bodies of the registrations that succeeded, each with the token that it was given.
    pub registrations: Vec<Registration>,
    /// Paths; a project's id is its place.
    projects: Vec<String>,
    /// Requests for jobs on their way.
    pub asking: Asking,
    /// Requests that are held must end: an outage, or the end of the world.
    pub releases_held: bool,
    /// The end of the world.
    pub ends: bool,
}

/// Ids of projects begin here.
const FIRST_PROJECT: u64 = 77;
/// Automatic retries of a job that nobody acknowledged.
const RETRIES: usize = 2;

impl World {
    pub fn new(settings: CoordinatorSettings) -> Self {
        Self {
            settings,
            url: OnceLock::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, at most until `until`.
    pub fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match until {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    pub fn wake(&self) {
        self.changed.notify_all();
    }

    pub fn source(&self) -> Source {
        Source::Coordinator(self.settings.name.clone())
    }

    pub fn complain(&self, what: impl Into<String>) {
        self.settings.journal.complain(self.source(), what);
    }

    /// Adds a job to the queue.
    pub fn enqueue(&self, state: &mut State, spec: JobSpec) -> JobId {
        let last = state.jobs.last_key_value().map(|(id, _)| *id);
        let id = last.map_or(self.settings.first_job_id, |last| last + 1);
        state.project_id(&spec.project);
        for runner in &mut state.runners {
            if runner.may_take(&spec) {
                runner.tick();
            }
        }
        let mut job = Job::new(id, tokens::job_token(self.settings.job_token_bytes), spec);
        job.lagging_looks = self.settings.lagging_looks;
        job.storing_answers = self.settings.storing_answers;
        state.jobs.insert(id, job);
        self.tell(id, JobStatus::Pending, None);
        id
    }

    /// Hands a queued job to a runner. It is running from now on, before anybody is told.
    pub fn grant(&self, state: &mut State, id: JobId, grant: Grant) -> serde_json::Value {
        let project_id = state.job(id).map(|job| job.spec.project.clone());
        let project_id = project_id.map_or(0, |path| state.project_id(&path));
        let job = state.jobs.get_mut(&id).expect("the job is in the queue");
        let payload = payload::of(self, job, project_id);
        let now = Instant::now();
        job.view.granted = Some(now);
        job.view.runner_token = Some(grant.runner_token);
        job.view.system_id = grant.system_id;
        job.view.payload = Some(payload.clone());
        job.cancels_gracefully = grant.cancels_gracefully;
        job.updated = now;
        match self.settings.two_phase.filter(|_| grant.acknowledges) {
            Some(patience) => {
                job.waits_until = Some(now + patience);
                self.wake();
            }
            None => self.set_status(job, JobStatus::Running, None),
        }
        payload
    }

    pub fn set_status(&self, job: &mut Job, status: JobStatus, failure_reason: Option<&str>) {
        let now = Instant::now();
        job.view.status = status;
        job.view.failure_reason = failure_reason.map(str::to_owned);
        job.updated = now;
        job.waits_until = None;
        if status.is_over() {
            job.view.finished = Some(now);
        }
        self.tell(job.view.id, status, failure_reason);
    }

    /// News of a job count only now and then.
    pub fn touch(&self, job: &mut Job) {
        if job.updated.elapsed() >= self.settings.deadlines.touch_after {
            job.updated = Instant::now();
            self.wake();
        }
    }

    pub fn cancel(&self, job: &mut Job) {
        let graceful = self
            .settings
            .cancel_gracefully
            .unwrap_or(job.cancels_gracefully);
        match job.view.status {
            JobStatus::Running if graceful => self.set_status(job, JobStatus::Canceling, None),
            JobStatus::Pending | JobStatus::Running => {
                self.set_status(job, JobStatus::Canceled, None);
            }
            JobStatus::Canceling | JobStatus::Canceled | JobStatus::Failed | JobStatus::Success => {
            }
        }
    }

    /// Gives up on jobs whose time is over. The next moment to look again, if any.
    pub fn settle(&self, state: &mut State) -> Option<Instant> {
        let now = Instant::now();
        let mut unacknowledged = Vec::new();
        let mut next = None::<Instant>;
        for job in state.jobs.values_mut() {
            let Some((deadline, status, reason)) = self.deadline(job) else {
                continue;
            };
            if deadline > now {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
                continue;
            }
            if job.is_waiting() {
                unacknowledged.push(job.view.id);
            }
            self.set_status(job, status, reason);
        }
        for id in unacknowledged {
            self.retry(state, id);
        }
        next
    }

    fn deadline(&self, job: &Job) -> Option<(Instant, JobStatus, Option<&'static str>)> {
        let limits = &self.settings.deadlines;
        let stuck = job.updated + limits.stuck;
        match job.view.status {
            JobStatus::Pending => {
                let reason = Some("runner_provisioning_timeout");
                Some((job.waits_until?, JobStatus::Failed, reason))
            }
            JobStatus::Running => {
                let overtime = job.view.granted? + job.spec.timeout + limits.overtime;
                if overtime < stuck {
                    Some((overtime, JobStatus::Failed, Some("server_timeout_running")))
                } else {
                    Some((stuck, JobStatus::Failed, Some("no_updates_running")))
                }
            }
            JobStatus::Canceling => Some((stuck, JobStatus::Canceled, None)),
            JobStatus::Canceled | JobStatus::Failed | JobStatus::Success => None,
        }
    }

    /// A job that nobody acknowledged is made anew, under another id.
    fn retry(&self, state: &mut State, id: JobId) {
        let Some(job) = state.job(id) else { return };
        let retries = job.retries + 1;
        if retries > RETRIES {
            return;
        }
        let spec = job.spec.clone();
        let again = self.enqueue(state, spec);
        if let Some(job) = state.jobs.get_mut(&again) {
            job.retries = retries;
        }
        if let Some(job) = state.jobs.get_mut(&id) {
            job.view.retried_as = Some(again);
        }
    }

    fn tell(&self, job: JobId, status: JobStatus, failure_reason: Option<&str>) {
        let why = failure_reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let kind = Kind::JobStatus {
            job,
            status: status.as_str().to_owned(),
        };
        let what = format!("job {job} is {status}{why}");
        self.settings.journal.record(self.source(), kind, what);
        self.wake();
    }

    /// Watches the deadlines until the world ends.
    pub fn keep_time(&self) {
        let mut state = self.lock();
        while !state.ends {
            let next = self.settle(&mut state);
            state = self.wait(state, next);
        }
    }

    /// Lets go of the requests that are held.
    pub fn release_held(&self, releases: bool) {
        self.lock().releases_held = releases;
        self.wake();
    }

    pub fn end(&self) {
        let mut state = self.lock();
        state.releases_held = true;
        state.ends = true;
        drop(state);
        self.wake();
    }

    pub fn trace_update_interval(&self) -> String {
        let seconds = self.settings.trace_update_interval;
        seconds.max(Duration::from_secs(1)).as_secs().to_string()
    }
}

/// What the runner that gets a job told about itself.
pub struct Grant {
    pub runner_token: String,
    pub system_id: Option<String>,
    /// `cancel_gracefully`
    pub cancels_gracefully: bool,
    /// `two_phase_job_commit`
    pub acknowledges: bool,
}

impl State {
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    pub fn runner(&mut self, token: &str) -> Option<&mut Runner> {
        self.runners
            .iter_mut()
            .find(|runner| runner.spec.token == token)
    }

    /// The job that `token` opens, if it still does.
    pub fn job_of_token(&mut self, token: &str) -> Option<&mut Job> {
        self.jobs
            .values_mut()
            .find(|job| job.view.token == token && !job.erased)
    }

    /// `named` is an id or a full path.
    pub fn project_path(&self, named: &str) -> Option<String> {
        let place = named.parse::<u64>().ok();
        let place = place.and_then(|id| usize::try_from(id.checked_sub(FIRST_PROJECT)?).ok());
        let path = match place {
            Some(place) => self.projects.get(place),
            None => self.projects.iter().find(|path| *path == named),
        };
        path.cloned()
    }

    pub fn project_id(&mut self, path: &str) -> u64 {
        let place = self.projects.iter().position(|known| known == path);
        let place = place.unwrap_or_else(|| {
            self.projects.push(path.to_owned());
            self.projects.len() - 1
        });
        FIRST_PROJECT + place as u64
    }
}

impl Job {
    pub fn remember(&mut self, request: &Request, action: Action, answered: u16) {
        self.view.calls.push(JobCall {
            at: Instant::now(),
            action,
            answered,
            job_status: self.view.status,
            client: request.header("User-Agent").unwrap_or_default().to_owned(),
        });
    }
}
