//! A pipeline as the demo runs it: jobs, what each waits for, and how each must end.
//!
//! This is the part of GitLab that the sandbox's coordinator does not have: it hands jobs in when
//! their turn has come. It knows nothing of YAML and of machines.

use sandbox::coordinator::{JobSpec, JobView};
use sandbox::{JobStatus, Variable};

/// The variable with which a job chooses the size of its machine.
const FLAVOR: &str = "CI_CLEVER_CLOUD_FLAVOR";

#[derive(Clone, Debug)]
pub struct Plan {
    pub spec: JobSpec,
    /// Places of the jobs in the pipeline that must be over before.
    pub after: Vec<usize>,
    /// It named them itself.
    pub has_needs: bool,
    pub when: When,
    pub ending: Ending,
}

/// Whether a job starts when its turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// When nothing before it failed.
    OnSuccess,
    /// When something did.
    OnFailure,
    Always,
    /// Not by itself.
    Held {
        /// In words.
        why: String,
        /// What comes after it waits for it.
        blocks: bool,
    },
}

/// How a job must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Success,
    /// It may fail, with any of these exit codes; none: with any at all.
    MayFail(Vec<i64>),
    /// It must fail, with exactly this exit code.
    ExitCode(i64),
    /// It must get no machine, and its log must say this.
    Refused(String),
}

impl Plan {
    pub fn new(spec: JobSpec) -> Self {
        Self {
            spec,
            after: Vec::new(),
            has_needs: false,
            when: When::OnSuccess,
            ending: Ending::Success,
        }
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The size of machine that the job asks for, if it does.
    pub fn flavor(&self) -> Option<&str> {
        let variables = self.spec.variables.iter().rev();
        let mut asked = variables.filter(|Variable { key, .. }| key == FLAVOR);
        asked.next().map(|variable| variable.value.as_str())
    }
}

impl Ending {
    /// What is wrong with how the job ended, if anything is.
    pub fn check(&self, job: &JobView) -> Result<(), String> {
        let passed = job.status == JobStatus::Success;
        let failed = job.status == JobStatus::Failed;
        let is_good = match self {
            Self::Success => passed,
            Self::MayFail(codes) => {
                let is_allowed = |code| codes.contains(&code);
                passed || failed && (codes.is_empty() || job.exit_code.is_some_and(is_allowed))
            }
            Self::ExitCode(code) => failed && job.exit_code == Some(*code),
            Self::Refused(words) => failed && job.log().contains(words.as_str()),
        };
        if is_good {
            return Ok(());
        }
        let said = describe(job);
        Err(match self {
            Self::Success => said,
            Self::MayFail(_) => format!("{said}, which it may not"),
            Self::ExitCode(code) => format!("{said}, but must fail with exit code {code}"),
            Self::Refused(words) => {
                let log = job.log();
                format!("{said}; its log must say {words:?}, but says {log:?}")
            }
        })
    }
}

/// A job's end in words.
pub fn describe(job: &JobView) -> String {
    match (job.status, job.exit_code, &job.failure_reason) {
        (JobStatus::Success, ..) => "passed".to_owned(),
        (JobStatus::Failed, Some(code), _) => format!("failed with exit code {code}"),
        (JobStatus::Failed, None, Some(reason)) => {
            format!("failed ({})", reason.replace('_', " "))
        }
        (status, ..) => status.to_string(),
    }
}
