//! The state file: every job that we answer for, on disk before it matters.
//!
//! It has the shape that the Python runner writes and reads (`launched`, `pending`,
//! `to_decommission`, `standby_resources`; a *handle* for each job), so that an operator can go
//! from that program to this one and back. What that shape has no room for stands in a top-level
//! key of ours, which the Python runner ignores.

mod content;
pub mod file;
pub mod journal;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::content::Content;
use crate::clock::Timestamp;
use crate::executor::{History, Machine, Resource};
use crate::job::{Age, Job, Phase, Summary, Untold};
use crate::names::{JobId, JobKey, MachineName, RunnerName};
use crate::payload::{FailureReason, JobCredentials, Payload};
use crate::secret::Secret;
use crate::weight::Weight;

/// A job in the file: whose it is, and what it weighs until its machine is gone.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// Its runner, which need not be in the configuration any more. The unique part is empty when
    /// the Python runner wrote the file, which does not know it.
    pub runner: RunnerName,
    /// The name of its section in the configuration; the Python runner does not write it.
    pub section: Option<String>,
    pub weight: Weight,
    pub job: Job,
}

impl Tracked {
    #[must_use]
    pub fn key(&self) -> JobKey {
        let job = &self.job.credentials;
        JobKey::of(&self.runner, job.id, &job.token)
    }

    /// Whether a machine of this runner's job may be this one's. Runners whose tokens begin alike
    /// share a machine's name by the Python runner's rule.
    #[must_use]
    pub fn may_own(&self, runner: &RunnerName, job: JobId) -> bool {
        self.job.credentials.id == job && self.runner.python == runner.python
    }

    /// It is known now which runner it belongs to: the one of this section.
    pub fn belongs_to(&mut self, section: &str, runner: &RunnerName) {
        self.section = Some(section.to_owned());
        if self.runner.unique.is_empty() {
            self.runner = runner.clone();
            self.job.machine.name = MachineName::of(runner, self.job.credentials.id);
        }
    }
}

/// The whole content of the file.
#[derive(Debug, Default)]
pub struct State {
    pub tracked: Vec<Tracked>,
    pub python_standby: PythonStandby,
    /// Top-level groups that may have machines here.
    pub tenants: BTreeSet<String>,
    /// Who wrote it, as coordinators know us.
    pub system_id: Option<String>,
    /// What goes on from it.
    pub journal: Option<String>,
}

/// Machines that the Python runner kept for reuse. They are not ours to understand: they stay in the
/// file as they are.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct PythonStandby(Vec<Box<RawValue>>);

/// Each has a token.
impl fmt::Debug for PythonStandby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PythonStandby({} machines)", self.0.len())
    }
}

/// For jobs without a word on how long they may take.
const UNKNOWN_AGE: Duration = Duration::from_secs(24 * 3600);
/// Longer than any that is granted; another one is no age.
const LONGEST_AGE: Duration = Duration::from_secs(400 * 24 * 3600);
const OUR_KEY: &str = "heptapod_paas_runner";

#[derive(Deserialize, Serialize)]
struct Handle {
    runner_name: String,
    job_id: u64,
    token: String,
    #[serde(default)]
    trace_offset: u64,
    #[serde(default = "one")]
    expected_weight: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paas_resource: Option<Box<RawValue>>,
}

/// The Python runner's own default.
const fn one() -> f64 {
    1.0
}

/// What a handle has no room for.
#[derive(Deserialize, Serialize)]
struct Supplement {
    runner_name: String,
    unique_runner_name: String,
    #[serde(default)]
    section: Option<String>,
    job_id: u64,
    token: String,
    expected_weight: f64,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    expires: Option<Timestamp>,
    /// How long it may be there in all.
    #[serde(default)]
    age_seconds: Option<u64>,
    #[serde(default)]
    flavor: Option<String>,
    #[serde(default)]
    machine: History,
    #[serde(default)]
    summary: Summary,
    /// Whether a machine of the job's name may exist that isn't known.
    machine_in_doubt: bool,
    #[serde(default)]
    may_lack_mark: bool,
    /// Whether it waits for room: it is `pending` for the Python runner, which knows no such thing.
    #[serde(default)]
    is_held: bool,
    /// A failure that the coordinator was not told yet, in the words for the job's log.
    verdict: Option<String>,
    #[serde(default)]
    failure_reason: Option<FailureReason>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Ours<Id, Tenants, Jobs> {
    system_id: Option<Id>,
    journal: Option<Id>,
    tenants: Tenants,
    jobs: Jobs,
}

impl State {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let file: HashMap<String, &RawValue> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let pending: Vec<(Handle, Box<RawValue>)> = required(&file, "pending")?;
        let mut tracked = Vec::new();
        for (handle, payload) in pending {
            let payload = Payload::from_raw(payload)
                .map_err(|why| format!("the payload of job {}: {why}", handle.job_id))?;
            tracked.push(handle.tracked(Phase::Pending(payload.into())));
        }
        for handle in required::<Handle>(&file, "launched")? {
            tracked.push(handle.tracked(Phase::Launched));
        }
        for handle in optional::<Handle>(&file, "to_decommission")? {
            tracked.push(handle.tracked(Phase::Ended { untold: None }));
        }
        let ours: Ours<String, BTreeSet<String>, Vec<Supplement>> = match file.get(OUR_KEY) {
            Some(ours) => {
                serde_json::from_str(ours.get()).map_err(|error| format!("{OUR_KEY}: {error}"))?
            }
            None => Ours::default(),
        };
        for supplement in ours.jobs {
            supplement.apply(&mut tracked);
        }
        Ok(Self {
            tracked,
            python_standby: PythonStandby(optional(&file, "standby_resources")?),
            tenants: ours.tenants,
            system_id: ours.system_id,
            journal: ours.journal,
        })
    }
}

/// A list that every state file has had.
fn required<'a, T: Deserialize<'a>>(
    file: &HashMap<String, &'a RawValue>,
    key: &str,
) -> Result<Vec<T>, String> {
    if file.contains_key(key) {
        optional(file, key)
    } else {
        Err(format!("it has no `{key}`"))
    }
}

fn optional<'a, T: Deserialize<'a>>(
    file: &HashMap<String, &'a RawValue>,
    key: &str,
) -> Result<Vec<T>, String> {
    let list = file.get(key).map(|list| serde_json::from_str(list.get()));
    let list = list
        .transpose()
        .map_err(|error| format!("`{key}`: {error}"));
    list.map(Option::unwrap_or_default)
}

impl Handle {
    fn of(tracked: &Tracked) -> Self {
        let job = &tracked.job;
        let resource = job.machine.resource.as_ref();
        Self {
            runner_name: tracked.runner.python.clone(),
            job_id: job.credentials.id.0,
            token: job.credentials.token.reveal().to_owned(),
            trace_offset: job.log_bytes,
            expected_weight: tracked.weight.as_f64(),
            paas_resource: resource.map(|resource| resource.raw().to_owned()),
        }
    }

    fn tracked(self, phase: Phase) -> Tracked {
        let runner = RunnerName {
            unique: String::new(),
            python: self.runner_name,
        };
        let id = JobId(self.job_id);
        let resource = self.paas_resource.map(Resource::new);
        let tenant = resource.as_ref().and_then(Resource::tenant);
        let mut machine = Machine::new(MachineName::of(&runner, id), tenant);
        machine.resource = resource;
        // Until the supplement says otherwise.
        machine.may_lack_mark = true;
        if let Phase::Pending(payload) = &phase {
            let tenant = machine.tenant.take();
            machine.tenant = tenant.or_else(|| payload.tenant().map(str::to_owned));
            if machine.resource.is_none() {
                // A creation may have been under way when the other process ended.
                machine.may_be_unseen();
            }
        }
        Tracked {
            runner,
            section: None,
            weight: Weight::from_f64(self.expected_weight),
            job: Job {
                credentials: JobCredentials {
                    id,
                    token: Secret::new(self.token),
                },
                phase,
                // Until the supplement says otherwise: the Python runner knows no such limit.
                age: Age::at_most(UNKNOWN_AGE),
                log_bytes: self.trace_offset,
                machine,
                summary: Summary::default(),
                trouble: None,
            },
        }
    }
}

impl Supplement {
    fn key(&self) -> JobKey {
        let runner = RunnerName {
            unique: self.unique_runner_name.clone(),
            python: self.runner_name.clone(),
        };
        let token = Secret::new(self.token.as_str());
        JobKey::of(&runner, JobId(self.job_id), &token)
    }

    fn of(tracked: &Tracked) -> Self {
        let (runner, job) = (&tracked.runner, &tracked.job);
        let untold = match &job.phase {
            Phase::Ended { untold } => untold.as_ref(),
            Phase::Held(_) | Phase::Pending(_) | Phase::Launched => None,
        };
        Self {
            runner_name: runner.python.clone(),
            unique_runner_name: runner.unique.clone(),
            section: tracked.section.clone(),
            job_id: job.credentials.id.0,
            token: job.credentials.token.reveal().to_owned(),
            expected_weight: tracked.weight.as_f64(),
            tenant: job.machine.tenant.clone(),
            expires: Some(job.age.end_by_clock()),
            age_seconds: Some(job.age.most().as_secs()),
            flavor: job.machine.flavor.clone(),
            machine: job.machine.history,
            summary: job.summary.clone(),
            machine_in_doubt: job.machine.maybe_unseen_since.is_some(),
            may_lack_mark: job.machine.may_lack_mark,
            is_held: matches!(job.phase, Phase::Held(_)),
            verdict: untold.map(|untold| untold.words.clone()),
            failure_reason: untold.map(|untold| untold.reason),
        }
    }

    /// Completes the job's handle, or stands for one that had no place in the lists.
    fn apply(self, tracked: &mut Vec<Tracked>) {
        let (id, token) = (JobId(self.job_id), Secret::new(self.token.as_str()));
        let same = |known: &Tracked| {
            let job = &known.job.credentials;
            job.id == id && job.token == token && known.runner.python == self.runner_name
        };
        let place = tracked.iter().position(same).unwrap_or(tracked.len());
        if place == tracked.len() {
            let handle = Handle {
                runner_name: self.runner_name,
                job_id: self.job_id,
                token: self.token,
                trace_offset: 0,
                expected_weight: self.expected_weight,
                paas_resource: None,
            };
            tracked.push(handle.tracked(Phase::Ended { untold: None }));
        }
        let known = &mut tracked[place];
        known.runner.unique = self.unique_runner_name;
        known.section = self.section;
        let job = &mut known.job;
        if let Some(expires) = self.expires {
            let most = self.age_seconds.map_or(UNKNOWN_AGE, Duration::from_secs);
            job.age = Age::restored(most.min(LONGEST_AGE), expires);
        }
        if let Phase::Ended { untold } = &mut job.phase {
            // Older files have no reason: all were called so then.
            let reason = self.failure_reason.unwrap_or(FailureReason::ScriptFailure);
            *untold = self.verdict.map(|words| Untold { words, reason });
        }
        job.summary = self.summary;
        let machine = &mut job.machine;
        if self.is_held
            && let Phase::Pending(payload) = &job.phase
        {
            job.phase = Phase::Held(payload.clone());
            // Nothing was done for it.
            machine.maybe_unseen_since = None;
        }
        machine.name = MachineName::of(&known.runner, id);
        machine.tenant = self.tenant.or(machine.tenant.take());
        machine.flavor = self.flavor;
        machine.history = self.machine;
        machine.may_lack_mark = self.may_lack_mark;
        if self.machine_in_doubt {
            machine.may_be_unseen();
        }
    }
}
