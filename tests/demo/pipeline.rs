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
    pub ending: Ending,
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
        let failed = job.status == JobStatus::Failed;
        let said = || format!("it is {}", describe(job));
        match self {
            Self::Success if job.status == JobStatus::Success => Ok(()),
            Self::Success => Err(format!("it should have passed, but {}", said())),
            Self::MayFail(_) if job.status == JobStatus::Success => Ok(()),
            Self::MayFail(codes) => {
                let allowed =
                    codes.is_empty() || job.exit_code.is_some_and(|code| codes.contains(&code));
                if failed && allowed {
                    Ok(())
                } else {
                    Err(format!("it may not fail like this: {}", said()))
                }
            }
            Self::ExitCode(code) if failed && job.exit_code == Some(*code) => Ok(()),
            Self::ExitCode(code) => Err(format!(
                "it should have failed with exit code {code}, but {}",
                said()
            )),
            Self::Refused(words) if failed && job.log().contains(words.as_str()) => Ok(()),
            Self::Refused(words) => Err(format!(
                "its author should read {words:?} in its log, but {} and its log is {:?}",
                said(),
                job.log()
            )),
        }
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
