//! What is pushed to a machine, and the push.
//!
//! A machine builds a container image from three files: a `Dockerfile`, the job, and the inner
//! runner's configuration. They travel as one commit (Clever page, 4.6), through the system's
//! `git`.

pub mod git;

use crate::job::payload::Payload;

/// The three files of a job, ready to be pushed.
pub struct BuildContext {
    files: [(&'static str, Vec<u8>); 3],
}

impl BuildContext {
    /// `image` is the inner runner's image, `runner_toml` its configuration.
    #[must_use]
    pub fn new(image: &str, runner_toml: &str, payload: &Payload) -> Self {
        Self {
            files: [
                ("Dockerfile", dockerfile(image).into_bytes()),
                ("job.json", payload.for_machine().into_bytes()),
                ("runner.toml", runner_toml.as_bytes().to_vec()),
            ],
        }
    }

    /// Name and content of each file.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.files
            .iter()
            .map(|(name, content)| (*name, content.as_slice()))
    }
}

/// Debug output of the inner runner goes to the machine's own log, where an administrator looks.
fn dockerfile(image: &str) -> String {
    format!(
        r#"FROM {image}
COPY runner.toml job.json /etc/heptapod-runner/
ENV DEBUG="true"
ENTRYPOINT ["/usr/bin/gitlab-runner", "exec-fetched-job", "--config", "/etc/heptapod-runner/runner.toml", "/etc/heptapod-runner/job.json"]
"#
    )
}
