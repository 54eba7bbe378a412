//! A runner at work: one section of the configuration, with the coordinator and the executor that it
//! names, and its share of the quota. It knows no other runner.

pub mod expiry;
mod health;
mod installation;
pub mod standing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::health::Health;
pub use self::installation::Installation;
use self::standing::{Doing, Standing};
use crate::config::{ExecutorSettings, RunnerSettings, TraceWatch};
use crate::coordinator::{Coordinator, RunnerIdentity};
use crate::deploy::InnerRunner;
use crate::executor::clever::CleverDocker;
use crate::executor::local_docker::LocalDocker;
use crate::executor::{Executor, Expiry};
use crate::names::{JobKey, RunnerName};
use crate::payload::JobCredentials;
use crate::quota::{Part, Quota, Share};
use crate::thread::lock;

pub struct Runner {
    /// Of its section.
    pub name: String,
    pub unique_name: RunnerName,
    pub identity: RunnerIdentity,
    pub coordinator: Coordinator,
    pub executor: Box<dyn Executor>,
    pub trace_watch: TraceWatch,
    /// Handed on when the section is read again: its jobs are still here.
    pub share: Arc<Share>,
    health: Health,
    /// As its poller says.
    pub standing: Standing,
    /// What it needs and that ends, as it was told the last time.
    expiries: Mutex<Vec<Expiry>>,
}

/// All runners of a configuration, in its order, each with its part of the quota, of which no runner
/// has more than `allowed_fraction`. Those that were there `before` keep their shares.
#[must_use]
pub fn all(
    settings: Vec<RunnerSettings>,
    quota: &Arc<Quota>,
    allowed_fraction: f64,
    installation: &Installation,
    before: &[Arc<Runner>],
) -> Vec<Arc<Runner>> {
    let predecessors: Vec<_> = settings
        .iter()
        .map(|section| predecessors(section, &settings, before))
        .collect();
    let runner = |(settings, predecessors): (RunnerSettings, Vec<&Arc<Runner>>)| {
        let part = Part {
            jobs: settings.limit.unwrap_or(usize::MAX),
            fraction: settings.quota_max_fraction.min(allowed_fraction),
            fraction_per_group: settings.max_fraction_per_group,
        };
        for before in &predecessors {
            before.executor.renew(&settings.executor);
        }
        let share = if let Some(before) = predecessors.first() {
            before.share.set_part(part);
            before.share.clone()
        } else {
            Arc::new(quota.share(part))
        };
        Arc::new(Runner::new(settings, share, installation))
    };
    settings.into_iter().zip(predecessors).map(runner).collect()
}

/// Which runners of `before` a section goes on with: those with its token at its coordinator, or else
/// with its name, for a token may be reset.
fn predecessors<'a>(
    section: &RunnerSettings,
    all: &[RunnerSettings],
    before: &'a [Arc<Runner>],
) -> Vec<&'a Arc<Runner>> {
    let is = |runner: &Runner, section: &RunnerSettings| runner.unique_name == section.unique_name;
    let is_free = |runner: &Runner| !all.iter().any(|other| is(runner, other));
    let is_meant = |runner: &&Arc<Runner>| {
        is(runner, section) || runner.name == section.name && is_free(runner)
    };
    let mut meant: Vec<_> = before.iter().filter(is_meant).collect();
    meant.sort_by_key(|runner| !is(runner, section));
    meant
}

/// All runners of this moment, for threads that outlive a reading of the configuration.
#[derive(Clone)]
pub struct Roster(Arc<Mutex<Arc<[Arc<Runner>]>>>);

impl Roster {
    #[must_use]
    pub fn new(runners: Vec<Arc<Runner>>) -> Self {
        Self(Arc::new(Mutex::new(runners.into())))
    }

    #[must_use]
    pub fn now(&self) -> Arc<[Arc<Runner>]> {
        lock(&self.0).clone()
    }

    pub fn replace(&self, runners: Vec<Arc<Runner>>) {
        *lock(&self.0) = runners.into();
    }
}

/// How long after its request any creation is listed, if it comes to its end at all.
#[must_use]
pub fn created_within(runners: &[Arc<Runner>]) -> Duration {
    let each = runners.iter();
    let each = each.map(|runner| runner.executor.created_within());
    each.max().unwrap_or_default()
}

impl Runner {
    #[must_use]
    pub fn new(settings: RunnerSettings, share: Arc<Share>, installation: &Installation) -> Self {
        let Installation {
            http,
            scratch,
            pusher,
            system_id,
            mark,
        } = installation;
        // The coordinator may have a trust of its own; Clever Cloud hasn't.
        let trust = settings.trust;
        let authorities = trust.authorities.clone();
        let coordinator_http = if trust.is_the_systems() {
            http.for_another_service()
        } else {
            http.with(trust)
        };
        let coordinator = Coordinator::new(coordinator_http, &settings.url);
        let inner = InnerRunner {
            image: settings.main_image,
            configuration: settings.inner_configuration,
            authorities,
        };
        let executor: Box<dyn Executor> = match settings.executor {
            ExecutorSettings::CleverDocker(clever) => Box::new(CleverDocker::new(
                clever,
                http.for_another_service(),
                coordinator.clone(),
                pusher.clone(),
                inner,
                mark.clone(),
            )),
            ExecutorSettings::LocalDocker(local) => {
                Box::new(LocalDocker::new(local, scratch.clone(), inner))
            }
        };
        Self {
            unique_name: settings.unique_name,
            identity: RunnerIdentity {
                token: settings.token,
                system_id: system_id.clone(),
                features: settings.features,
            },
            name: settings.name,
            coordinator,
            executor,
            trace_watch: settings.trace_watch,
            share,
            health: Health::default(),
            standing: Standing::default(),
            expiries: Mutex::default(),
        }
    }

    /// Whether it can serve a job, see [`health`].
    ///
    /// # Errors
    /// How long to wait before this is worth asking again.
    pub fn check_health(&self) -> Result<(), Duration> {
        self.health
            .check(self.executor.as_ref())
            .map_err(|(why, pause)| {
                self.standing.is(Doing::CanNot(why));
                pause
            })
    }

    /// One of its jobs, among all of this program.
    #[must_use]
    pub fn key(&self, job: &JobCredentials) -> JobKey {
        JobKey::of(&self.unique_name, job.id, &job.token)
    }
}
