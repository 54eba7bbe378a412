//! Why a job failed, in GitLab's words, where it is not its script that tells. GitLab page, 4.3.

use serde::{Deserialize, Serialize};

use super::Payload;

/// What `retry: when:` can be about. The banner above a job's log follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// What the job's author can change.
    ScriptFailure,
    /// Trouble here, or on the way to its machine.
    RunnerSystemFailure,
    JobExecutionTimeout,
    /// What the runner's administrator can change.
    RunnerConfigurationError,
    /// Trouble of a service that the runner needs.
    RunnerExternalDependencyFailure,
}

impl FailureReason {
    /// As it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScriptFailure => "script_failure",
            Self::RunnerSystemFailure => "runner_system_failure",
            Self::JobExecutionTimeout => "job_execution_timeout",
            Self::RunnerConfigurationError => "runner_configuration_error",
            Self::RunnerExternalDependencyFailure => "runner_external_dependency_failure",
        }
    }

    /// The same, or what comes next to it where the job's coordinator says nothing of it: what it
    /// does not know would be an `unknown_failure`.
    #[must_use]
    pub fn known_to(self, payload: Option<&Payload>) -> Self {
        match self {
            Self::ScriptFailure | Self::RunnerSystemFailure | Self::JobExecutionTimeout => self,
            Self::RunnerConfigurationError | Self::RunnerExternalDependencyFailure => payload
                .filter(|payload| payload.failure_reasons.contains(&self))
                .map_or(Self::RunnerSystemFailure, |_| self),
        }
    }
}
