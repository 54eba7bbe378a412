//! What is pushed to a machine, and the push.
//!
//! A machine builds a container image from three files: a `Dockerfile`, the job, and the inner
//! runner's configuration. They travel as one commit (Clever page, 4.6), which the system's `git`
//! makes and our HTTP client carries, or the system's `ssh`.

mod git;
mod pkt_line;
pub mod presence;
pub mod push;
pub mod remote;
mod repository;
pub mod scratch;
pub mod ssh;
pub mod trusted;

use crate::config::InnerConfiguration;
use crate::payload::Payload;
use crate::trust::Authorities;

/// What runs on every machine of a runner.
pub struct InnerRunner {
    pub image: String,
    /// Its `runner.toml`.
    pub configuration: InnerConfiguration,
    /// Those that its image doesn't know.
    pub authorities: Option<Authorities>,
}

/// The files of a job, ready to be pushed.
pub struct BuildContext {
    files: Vec<(&'static str, Vec<u8>)>,
}

impl BuildContext {
    #[must_use]
    pub fn new(inner: &InnerRunner, payload: &Payload) -> Self {
        let mut files = vec![
            ("Dockerfile", dockerfile(inner).into_bytes()),
            ("job.json", payload.for_machine().into_bytes()),
            ("runner.toml", inner.configuration.render().into_bytes()),
        ];
        let authorities = inner.authorities.as_ref();
        files.extend(authorities.map(|known| ("ca.crt", known.pem().into_bytes())));
        Self { files }
    }

    /// The same, for a builder that keeps unfinished images: all that come after the base image
    /// bear the label.
    #[must_use]
    pub fn labelled(mut self, label: &str) -> Self {
        let dockerfile = self
            .files
            .iter_mut()
            .find(|(name, _)| *name == "Dockerfile");
        if let Some((_, text)) = dockerfile {
            let base = text.iter().position(|byte| *byte == b'\n');
            let behind_base = base.map_or(text.len(), |end| end + 1);
            let line = format!("LABEL {label}\n");
            text.splice(behind_base..behind_base, line.into_bytes());
        }
        self
    }

    /// Name and content of each file.
    pub fn into_files(self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        self.files.into_iter()
    }
}

/// Debug output of the inner runner goes to the machine's own log, where an administrator looks.
fn dockerfile(inner: &InnerRunner) -> String {
    let image = &inner.image;
    let more = if inner.authorities.is_some() {
        " ca.crt"
    } else {
        ""
    };
    format!(
        r#"FROM {image}
COPY runner.toml job.json{more} /etc/heptapod-runner/
ENV DEBUG="true"
ENTRYPOINT ["/usr/bin/gitlab-runner", "exec-fetched-job", "--config", "/etc/heptapod-runner/runner.toml", "/etc/heptapod-runner/job.json"]
"#
    )
}
