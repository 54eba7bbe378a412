//! A runner as the coordinator knows it: a token, what it may take, and who polls with it.

use std::time::Instant;

use serde_json::{Map, Value};

use super::spec::JobSpec;
use crate::ids;

/// What an administrator set up.
#[derive(Clone, Debug)]
pub struct RunnerSpec {
    pub token: String,
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// `None`: the whole instance's. Otherwise projects, or groups with all below them.
    pub namespaces: Option<Vec<String>>,
    /// When its token ends, in seconds since 1970.
    pub token_ends: Option<u64>,
}

/// One request for a job.
#[derive(Clone, Debug)]
pub struct JobRequest {
    pub at: Instant,
    pub system_id: Option<String>,
    pub last_update: Option<String>,
    pub features: Map<String, Value>,
    pub headers: Vec<(String, String)>,
    pub connection: u64,
}

pub(super) struct Runner {
    pub id: u64,
    pub spec: RunnerSpec,
    pub paused: bool,
    /// Changes whenever there may be something new for it.
    pub last_update: String,
    pub requests: Vec<JobRequest>,
}

impl RunnerSpec {
    /// Of the whole instance, for jobs without tags.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            tags: Vec::new(),
            run_untagged: true,
            namespaces: None,
            token_ends: None,
        }
    }

    /// Also takes jobs that ask for some of these tags and no others.
    #[must_use]
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub const fn only_tagged(mut self) -> Self {
        self.run_untagged = false;
        self
    }

    /// Belongs to a group or a project.
    #[must_use]
    pub fn of(mut self, namespace: impl Into<String>) -> Self {
        let namespaces = self.namespaces.get_or_insert_default();
        namespaces.push(namespace.into());
        self
    }
}

impl Runner {
    pub fn new(id: u64, spec: RunnerSpec) -> Self {
        Self {
            id,
            spec,
            paused: false,
            last_update: new_last_update(),
            requests: Vec::new(),
        }
    }

    pub fn may_take(&self, job: &JobSpec) -> bool {
        let tags_fit = if job.tags.is_empty() {
            self.spec.run_untagged
        } else {
            job.tags.iter().all(|tag| self.spec.tags.contains(tag))
        };
        tags_fit && self.owns(&job.project)
    }

    /// There is something new.
    pub fn tick(&mut self) {
        self.last_update = new_last_update();
    }

    fn owns(&self, project: &str) -> bool {
        self.spec.namespaces.as_ref().is_none_or(|namespaces| {
            namespaces.iter().any(|namespace| {
                let below = project.strip_prefix(namespace.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            })
        })
    }
}

fn new_last_update() -> String {
    ids::uuid().replace('-', "")
}
