//! A GitLab or Heptapod as its runners and their jobs see it.
//!
//! Written from the description of the real one: its statuses, headers and texts, what it ignores
//! and what it forgets. A test hands jobs to it and watches what becomes of them; it takes whatever
//! a runner says as the real one would, and complains in the journal where that is lenient. It may
//! not know where its jobs are run.

mod asking;
mod job;
mod known;
mod lookup;
mod payload;
mod registration;
mod reply;
mod request;
mod routes;
mod runner;
mod settings;
mod spec;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod trace;
mod update;
mod variables;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::fault::{Fault, Faults};
use crate::http::{Response, Server};
use crate::journal::Journal;

pub use job::{Action, JobCall, JobId, JobStatus, JobView};
pub use runner::{JobRequest, RunnerSpec};
pub use settings::{CoordinatorSettings, Deadlines, Era};
pub use spec::{JobSpec, Variable};

use runner::Runner;
use world::World;

/// Cheap to clone; the coordinator ends with its last clone.
#[derive(Clone)]
pub struct Coordinator {
    running: Arc<Running>,
}

/// What a personal access token may see. All have the scope `read_api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything, custom attributes included.
    Administrator,
    /// All projects and their logs.
    Reporter,
    /// All projects, but no logs.
    Guest,
    /// No project.
    Stranger,
}

/// One `POST /runners` that succeeded.
#[derive(Clone, Debug)]
pub struct Registration {
    pub body: Value,
    /// What the runner was given.
    pub token: String,
}

struct Running {
    world: Arc<World>,
    faults: Faults,
    server: Option<Server>,
    clock: Option<JoinHandle<()>>,
}

impl Coordinator {
    /// # Errors
    /// When no port is free, or no thread can be started.
    pub fn start(settings: CoordinatorSettings) -> io::Result<Self> {
        let journal = settings.journal.clone();
        let world = Arc::new(World::new(settings));
        let faults = Faults::new();
        let front = Arc::new(routes::Front(Arc::clone(&world)));
        let server = Server::start(front, faults.clone(), journal)?;
        let relative = world.settings.relative_url.as_deref().unwrap_or_default();
        let url = format!("http://{}{relative}", server.address());
        world.url.get_or_init(|| url);
        let timed = Arc::clone(&world);
        let clock = thread::Builder::new()
            .name("sandbox coordinator's clock".to_owned())
            .spawn(move || timed.keep_time())?;
        let running = Arc::new(Running {
            world,
            faults,
            server: Some(server),
            clock: Some(clock),
        });
        Ok(Self { running })
    }

    /// As an operator writes it into a configuration: without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.world().url().to_owned()
    }

    #[must_use]
    pub fn faults(&self) -> Faults {
        self.running.faults.clone()
    }

    #[must_use]
    pub fn journal(&self) -> Journal {
        self.world().settings.journal.clone()
    }

    /// What this coordinator itself says when it refuses something, as a fault.
    #[must_use]
    pub fn refusal(code: u16) -> Fault {
        let Response { headers, body, .. } = reply::refusal(code, None);
        Fault::Status {
            code,
            headers,
            body,
        }
    }

    /// An outage: connections are closed and refused until [`Coordinator::resume`].
    pub fn suspend(&self) {
        self.world().release_held(true);
        self.server().suspend();
    }

    pub fn resume(&self) {
        self.world().release_held(false);
        self.server().resume();
    }

    pub fn add_runner(&self, spec: RunnerSpec) {
        let mut state = self.world().lock();
        let id = state.runners.len() as u64 + 1;
        state.runners.push(Runner::new(id, spec));
    }

    /// A paused runner gets no job, and is not told why.
    pub fn pause_runner(&self, token: &str) {
        self.change_runner(token, |runner| runner.paused = true);
    }

    /// From now on it takes jobs with some of these tags.
    pub fn set_runner_tags<const N: usize>(&self, token: &str, tags: [&str; N]) {
        let tags = tags.map(str::to_owned);
        self.change_runner(token, |runner| {
            runner.spec.tags = tags.into();
            runner.tick();
        });
    }

    /// From now on its token ends, so many seconds after 1970.
    pub fn set_token_end(&self, token: &str, ends: u64) {
        self.change_runner(token, |runner| runner.spec.token_ends = Some(ends));
    }

    pub fn resume_runner(&self, token: &str) {
        self.change_runner(token, |runner| {
            runner.paused = false;
            runner.tick();
        });
    }

    /// The token is unknown from now on; the jobs that were given out go on.
    pub fn revoke_runner(&self, token: &str) {
        let mut state = self.world().lock();
        state.runners.retain(|runner| runner.spec.token != token);
        drop(state);
        self.world().wake();
    }

    /// Every request for a job that reached the queue with this token.
    #[must_use]
    pub fn job_requests(&self, token: &str) -> Vec<JobRequest> {
        let mut state = self.world().lock();
        let runner = state.runner(token);
        runner.map_or_else(Vec::new, |runner| runner.requests.clone())
    }

    #[must_use]
    pub fn registrations(&self) -> Vec<Registration> {
        self.world().lock().registrations.clone()
    }

    pub fn add_user(&self, private_token: impl Into<String>, access: Access) {
        let mut state = self.world().lock();
        state.users.insert(private_token.into(), access);
    }

    /// A group with its custom attributes, in place of those it had.
    pub fn set_group<'a>(
        &self,
        path: impl Into<String>,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let attributes: BTreeMap<_, _> = attributes
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        self.world().lock().groups.insert(path.into(), attributes);
    }

    /// Adds a job to the queue.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn submit(&self, spec: JobSpec) -> JobId {
        let mut state = self.world().lock();
        self.world().enqueue(&mut state, spec)
    }

    /// # Panics
    /// When there is no such job.
    #[must_use]
    pub fn job(&self, id: JobId) -> JobView {
        let state = self.world().lock();
        let job = state.job(id).expect("a job that was submitted");
        job.view.clone()
    }

    /// All jobs, oldest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        let state = self.world().lock();
        state.jobs.values().map(|job| job.view.clone()).collect()
    }

    /// Waits until the job has a status that `is_wanted` accepts; `None` at the timeout.
    #[must_use]
    pub fn wait_for_status(
        &self,
        id: JobId,
        timeout: Duration,
        is_wanted: impl Fn(JobStatus) -> bool,
    ) -> Option<JobView> {
        self.journal().wait_for(timeout, |_| {
            Some(self.job(id)).filter(|job| is_wanted(job.status))
        })
    }

    /// A user's click. A job whose runner announced `cancel_gracefully` becomes `canceling`.
    pub fn cancel(&self, id: JobId) {
        self.with_job(id, World::cancel);
    }

    /// The second click, on a job that is `canceling`.
    pub fn force_cancel(&self, id: JobId) {
        self.with_job(id, |world, job| {
            if job.view.status == JobStatus::Canceling {
                world.set_status(job, JobStatus::Canceled, None);
            }
        });
    }

    /// An administrator ends it: it has failed, and its runner hears of that only when it asks.
    pub fn drop_job(&self, id: JobId) {
        self.with_job(id, |world, job| {
            if !job.view.status.is_over() {
                world.set_status(job, JobStatus::Failed, Some("unknown_failure"));
            }
        });
    }

    /// The job's log and its token are gone, as when its project is deleted.
    pub fn erase(&self, id: JobId) {
        self.with_job(id, |_, job| {
            job.erased = true;
            job.view.trace.clear();
        });
    }

    /// It was restored from a backup of before its first job: none is known any more, and the next one
    /// has the first one's number.
    pub fn restore_from_backup(&self) {
        self.world().lock().jobs.clear();
    }

    fn with_job(&self, id: JobId, change: impl FnOnce(&World, &mut job::Job)) {
        let mut state = self.world().lock();
        if let Some(job) = state.jobs.get_mut(&id) {
            change(self.world(), job);
        }
    }

    fn change_runner(&self, token: &str, change: impl FnOnce(&mut Runner)) {
        let mut state = self.world().lock();
        if let Some(runner) = state.runner(token) {
            change(runner);
        }
        drop(state);
        self.world().wake();
    }

    fn world(&self) -> &World {
        &self.running.world
    }

    fn server(&self) -> &Server {
        let server = self.running.server.as_ref();
        server.expect("the server lives as long as its coordinator")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Requests that are held must end before the server can.
        self.world.end();
        self.server = None;
        if let Some(clock) = self.clock.take() {
            // Had it panicked, its message was printed.
            let _ = clock.join();
        }
    }
}
