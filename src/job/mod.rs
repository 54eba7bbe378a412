//! A job as this program knows it: how to speak for it, how far it has come, and where it runs.

pub mod life;
mod pulse;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::executor::{Doubt, Resource};
use crate::payload::{JobCredentials, Payload};

/// A job that we answer for, from its grant until nothing of it is left.
#[derive(Clone, Debug)]
pub struct Job {
    pub credentials: JobCredentials,
    pub phase: Phase,
    /// The top-level group of its project.
    pub tenant: Option<String>,
    /// When its machine goes, whatever the job says.
    pub expires: Instant,
    /// How much stood in its log before its machine could write to it.
    pub log_length: u64,
    /// Where it runs, as soon as there is such a place.
    pub resource: Option<Resource>,
    /// Whether there may be a machine that `resource` doesn't tell of.
    pub doubt: Doubt,
    /// A failure that its coordinator has not been told yet, in the words for the job's log.
    pub verdict: Option<String>,
}

/// How far a job has come. What happens in each phase is in [`life`].
#[derive(Clone, Debug)]
pub enum Phase {
    /// Granted, and not seen running yet. The payload is needed for as long.
    Pending(Arc<Payload>),
    /// Seen running.
    Launched,
    /// Over, as far as the coordinator goes; its machine may still be there.
    Ended,
}

/// The coordinator ends a job 15 minutes after its timeout (GitLab page, section 11), which runs since
/// the grant; the inner runner's begins with the machine. After so much more nothing can be
/// gained.
const MARGIN: Duration = Duration::from_secs(30 * 60);

impl Job {
    /// `max_age` is for jobs without a timeout of their own.
    #[must_use]
    pub fn granted(payload: Payload, max_age: Duration) -> Self {
        Self {
            expires: Instant::now() + payload.timeout().map_or(max_age, |own| own + MARGIN),
            credentials: payload.credentials.clone(),
            tenant: payload.tenant().map(str::to_owned),
            log_length: 0,
            phase: Phase::Pending(Arc::new(payload)),
            resource: None,
            doubt: Doubt::None,
            verdict: None,
        }
    }

    /// Whether there may be something that costs money.
    #[must_use]
    pub fn may_have_a_machine(&self) -> bool {
        self.resource.is_some() || self.doubt.is_some()
    }
}
