//! A scene's configuration, as text. All is quick, so that tests are.

use std::fs;

use super::{CLEVER_TOKEN, ORGANIZATION, RUNNER_TOKEN, Scene};

impl Scene {
    /// As it is written before every start.
    pub fn configuration(&self) -> String {
        format!(
            r#"state_file = "{state}"
check_interval = 0.1
job_progress_poll_interval = 0.2
{global}
[quota_computation]
reference_runner = "ci"
reference_flavor = "3XL"
reference_jobs_count = {quota}
[[runners]]
name = "ci"
url = "{coordinator}"
token = "{RUNNER_TOKEN}"
executor = "clever-docker"
cc_api_url = "{clever}"
cc_orga_id = "{ORGANIZATION}"
cc_token = "{CLEVER_TOKEN}"
{runner}
[runners.paas_job_trace_watch]
poll_step = 0.1
timeout_seconds = 30
[runners.cc_extra_env]
CC_ENABLE_HEPTAPOD_RUNNER = "true"
[runners.docker]
image = "debian:stable-slim"
{more}
"#,
            state = self.state_path().display(),
            global = self.global,
            quota = self.quota_jobs,
            coordinator = self.coordinator.url(),
            clever = self.clever.api_url(),
            runner = self.runner,
            more = self.more,
        )
    }

    /// With other words instead: pairs of what is in it and what shall be.
    ///
    /// # Panics
    /// When it is not in it: the test would be about nothing.
    pub fn configuration_but(&self, changes: &[(&str, &str)]) -> String {
        let usual = self.configuration();
        changes.iter().fold(usual, |text, (before, after)| {
            assert!(text.contains(before), "{before:?} is not in {text}");
            text.replace(before, after)
        })
    }

    pub fn write_configuration(&self) {
        fs::write(self.config_path(), self.configuration()).unwrap();
    }

    /// A section for this scene's runner, in the configuration of another one.
    pub fn runner_elsewhere(&self, name: &str) -> String {
        format!(
            r#"
[[runners]]
name = "{name}"
url = "{}/"
token = "{RUNNER_TOKEN}"
executor = "clever-docker"
cc_api_url = "{}"
cc_orga_id = "{ORGANIZATION}"
cc_token = "{CLEVER_TOKEN}"
[runners.paas_job_trace_watch]
poll_step = 0.1
"#,
            self.coordinator.url(),
            self.clever.api_url(),
        )
    }
}
