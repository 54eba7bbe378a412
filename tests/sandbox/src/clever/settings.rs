//! What a test can choose: how long things take, and where this Clever Cloud departs from its
//! usual self. Clever page, 8 and 10.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::flavors::usual_flavors;
use crate::journal::Journal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Until `POST applications` answers.
    pub create: Duration,
    /// From there until the git repository is there.
    pub repository: Duration,
    /// From a push until its deployment is listed.
    pub deployment_visible: Duration,
    pub boot: Duration,
    pub build: Duration,
    /// From `DELETE` until the application is not found any more.
    pub deletion: Duration,
    /// How long a new application is missing in lists.
    pub list_lag: Duration,
}

impl Latencies {
    #[must_use]
    pub const fn realistic() -> Self {
        Self {
            create: Duration::from_secs(1),
            repository: Duration::from_secs(1),
            deployment_visible: Duration::from_secs(2),
            boot: Duration::from_secs(15),
            build: Duration::from_secs(10),
            deletion: Duration::from_secs(1),
            list_lag: Duration::from_secs(2),
        }
    }

    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            create: self.create.mul_f64(factor),
            repository: self.repository.mul_f64(factor),
            deployment_visible: self.deployment_visible.mul_f64(factor),
            boot: self.boot.mul_f64(factor),
            build: self.build.mul_f64(factor),
            deletion: self.deletion.mul_f64(factor),
            list_lag: self.list_lag.mul_f64(factor),
        }
    }
}

/// Two hundred times faster than life: a machine is up within an eighth of a second.
impl Default for Latencies {
    fn default() -> Self {
        Self::realistic().scaled(0.005)
    }
}

pub struct CleverSettings {
    pub journal: Journal,
    pub latencies: Latencies,
    /// The answer to `GET /products/flavors?context=heptapod-runner`.
    pub flavors: Vec<Value>,
    /// The version of the machine type `Docker`.
    pub instance_version: String,
    /// How the ids of applications begin.
    pub application_prefix: &'static str,
    /// Whether the git remote speaks https, with a certificate of [`Clever::authority`](super::Clever::authority),
    /// as the real one does.
    pub git_over_https: bool,
    /// Repositories and machines live in it; a temporary folder when `None`.
    pub work_dir: Option<PathBuf>,
}

impl CleverSettings {
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self {
            journal,
            latencies: Latencies::default(),
            flavors: usual_flavors(),
            instance_version: "20250211".to_owned(),
            application_prefix: "app_",
            git_over_https: false,
            work_dir: None,
        }
    }
}

/// What a credential may do in its organization. Clever page, 1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Manager,
    /// May create applications and push, but not delete.
    Developer,
    /// May only look at invoices.
    Accounting,
}

/// What the repository's hook does with a push to `master`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hook {
    #[default]
    Normal,
    /// Says so as it did years ago: one line of JSON.
    Json,
    Silent,
    Refuses,
    /// The branch is updated and success is reported, but nothing is deployed.
    QueuesNothing,
}

/// Departures from the usual; the default is none.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    pub hook: Hook,
    /// Repositories of new applications stay `CREATING`.
    pub repository_never_ready: bool,
    /// Shown as every application's `deployment.repoState`.
    pub repository_state: Option<String>,
    /// Shown as every application's `state`.
    pub application_state: Option<String>,
    /// Applications show no `deployment.httpUrl`.
    pub without_http_url: bool,
    /// Lists show applications without `env`, as in 2022.
    pub lists_without_env: bool,
    /// `DELETE` says 200, but the machine goes on.
    pub deletion_spares_machine: bool,
    /// A second `DELETE`, while the application lingers, is answered 404 instead of 200.
    pub second_deletion_not_found: bool,
    /// A push before the repository is there is answered 401 instead of 404.
    pub early_push_unauthorized: bool,
    /// No organization may have the machine type that is made for runners.
    pub without_heptapod_variant: bool,
    /// More creations than this at the same time are refused with 503 (about ten in reality).
    pub creations_at_once: Option<usize>,
}
