//! From an application to a machine that starts: wait for its git repository, push the job.

use std::time::{Duration, Instant};

use super::{CleverDocker, remote};
use crate::backoff::Backoff;
use crate::deploy::BuildContext;
use crate::deploy::git::{PushError, Pushed, Remote};
use crate::executor::{Failure, Halt, MachineName};
use crate::job::payload::Payload;
use crate::shutdown::Stop;

const PUSH_ATTEMPTS: u32 = 3;
/// New repositories often take a moment only; the configured step is for those that don't.
const FIRST_STEP: Duration = Duration::from_millis(50);

impl CleverDocker {
    /// Waits until the application's git repository is there, and says where.
    pub(super) fn await_repository(
        &self,
        name: &MachineName,
        id: &str,
        stop: &Stop,
    ) -> Result<String, Halt> {
        let until = Instant::now() + self.settings.repository_timeout;
        let mut step = FIRST_STEP.min(self.settings.repository_step);
        loop {
            let last = match self.api.get(&self.account, id) {
                Ok(application) if application.has_repository() => {
                    return Ok(self.push_url(name, application.push_url)?);
                }
                Ok(_) => "it is still being created".to_owned(),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= until {
                let patience = self.settings.repository_timeout;
                let why = format!(
                    "its git repository is not there after {patience:.0?} \
                     (cc_deployment_repo_timeout): {last}"
                );
                return Err(self.unusable(name, &why).into());
            }
            stop.wait(step)?;
            step = (step * 2).min(self.settings.repository_step);
        }
    }

    fn push_url(&self, name: &MachineName, url: Option<String>) -> Result<String, Failure> {
        let url = url.ok_or_else(|| self.unusable(name, "it has no HTTP address to push to"))?;
        if remote::is_trusted(&url, &self.settings.api_url) {
            return Ok(url);
        }
        let host = remote::host(&url).unwrap_or_default();
        let why = format!(
            "its git repository is said to be at {host:?}, which is neither one of Clever Cloud's \
             over https nor where cc_api_url is; the token is not sent there"
        );
        Err(self.unusable(name, &why))
    }

    pub(super) fn push(
        &self,
        name: &MachineName,
        url: &str,
        payload: &Payload,
        stop: &Stop,
    ) -> Result<(), Halt> {
        let context = BuildContext::new(&self.inner.image, &self.inner.configuration, payload);
        let remote = Remote {
            url,
            user: &self.settings.git_user,
            password: &self.account.token,
        };
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        loop {
            let error = match self.workshop.push(name.as_str(), &context, &remote) {
                Ok(Pushed::Now) => return Ok(()),
                Ok(Pushed::Before) => {
                    log::warn!("{name} was pushed before; waiting for the machine of that push");
                    return Ok(());
                }
                Err(error) => error,
            };
            let pause = backoff.pause();
            if !error.may_pass || backoff.failures() >= PUSH_ATTEMPTS {
                return Err(push_failure(name, &error).into());
            }
            log::warn!(
                "pushing {name}: {}; trying again in {pause:.0?}",
                error.text
            );
            stop.wait(pause)?;
        }
    }

    pub(super) fn unusable(&self, name: &MachineName, why: &str) -> Failure {
        Failure {
            user: "Clever Cloud did not prepare a machine for this job in time. Please retry it \
                   later."
                .to_owned(),
            admin: format!("application {name} {} can't be used: {why}", self.place()),
        }
    }
}

fn push_failure(name: &MachineName, error: &PushError) -> Failure {
    let hint = if error.credentials_refused {
        "; check cc_token and cc_auth_user"
    } else {
        ""
    };
    Failure {
        user: "The job could not be handed over to its machine. Please retry it later, and tell \
               the runner's administrator if that does not help."
            .to_owned(),
        admin: format!("pushing {name}: {}{hint}", error.text),
    }
}
