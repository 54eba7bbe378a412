//! From an application to a machine that starts: wait for its git repository, push the job.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{CleverDocker, PATIENCE, Remembered, words};
use crate::backoff::Backoff;
use crate::clever::{Account, Credential};
use crate::config::StandIn;
use crate::deploy::push::{Destination, Pushed};
use crate::deploy::remote::{PushError, Remote};
use crate::deploy::{BuildContext, trusted};
use crate::executor::{Halt, Machine, Patience};
use crate::foreign::{Keep, bare_address, one_line};
use crate::http::authority;
use crate::payload::Payload;
use crate::secret::Secret;

/// How long a push is tried again.
const PUSH_PATIENCE: Duration = Duration::from_secs(60);
/// New repositories often take a moment only; the configured step is for those that don't.
const FIRST_STEP: Duration = Duration::from_millis(20);

impl CleverDocker {
    /// Waits until the application's git repository is there, and says where.
    pub(super) fn await_repository(
        &self,
        machine: &Machine,
        application: &Remembered,
        patience: &dyn Patience,
    ) -> Result<String, Halt> {
        let tenant = machine.tenant.as_deref();
        let give_up = Instant::now() + PATIENCE;
        let mut until = Instant::now() + self.settings.repository_timeout;
        let mut step = FIRST_STEP.min(self.settings.repository_step);
        loop {
            let last = match self.tenants.with_last_account(tenant, |account| {
                let owner = self.owner_of(application, account);
                let application = self.api.get(&owner, &application.id)?;
                Ok((application, self.ssh_key_for(account).is_some()))
            }) {
                Ok((application, by_ssh)) if application.has_repository() => {
                    let url = if by_ssh {
                        self.ssh_url(application.ssh_url.as_deref())
                    } else {
                        self.http_url(machine, application.push_url)
                    };
                    return Ok(url.map_err(|why| words::unusable(&machine.name, &why))?);
                }
                Ok(_) => "it is still being created".to_owned(),
                Err(error) => {
                    // What counts is how long it is being created while somebody can say so.
                    if error.may_pass() {
                        until = (Instant::now() + self.settings.repository_timeout).min(give_up);
                    }
                    error.to_string()
                }
            };
            if Instant::now() >= until {
                let patience = self.settings.repository_timeout;
                let why = format!(
                    "its git repository is not there after {patience:.0?} \
                     (cc_deployment_repo_timeout): {last}"
                );
                return Err(words::unusable(&machine.name, &why).into());
            }
            patience.wait(step.min(until.saturating_duration_since(Instant::now())))?;
            step = (step * 2).min(self.settings.repository_step);
        }
    }

    /// With what is pushed by ssh, if it is.
    fn ssh_key_for(&self, account: &Account) -> Option<&Path> {
        match (&account.credential, &self.settings.git_logins.for_api_token) {
            (Credential::ApiToken(_), Some(StandIn::SshKey(key))) => Some(key),
            _ => None,
        }
    }

    fn ssh_url(&self, url: Option<&str>) -> Result<String, String> {
        let url = url.ok_or("it has no address to push to by ssh (cc_ssh_key)")?;
        if trusted::over_ssh(url, &self.settings.api_url).is_some() {
            return Ok(url.to_owned());
        }
        let shown = one_line(&bare_address(url), Keep::Start(200));
        Err(format!(
            "its git repository is said to be at {shown:?}, which by ssh is neither one of Clever \
             Cloud's nor where cc_api_url is; the job is not sent there"
        ))
    }

    fn http_url(&self, machine: &Machine, url: Option<String>) -> Result<String, String> {
        let url = url.ok_or("it has no HTTP address to push to")?;
        if trusted::is_trusted(&url, &self.settings.api_url) {
            return Ok(url);
        }
        let host = trusted::host(&url).unwrap_or_default();
        let account = self.tenants.last_account(machine.tenant.as_deref());
        let host =
            account.map_or_else(|_| String::new(), |account| account.credential.scrub(&host));
        Err(format!(
            "its git repository is said to be at {host:?}, which is neither one of Clever Cloud's \
             over https nor where cc_api_url is; the token is not sent there"
        ))
    }

    /// Hands the job over. A branch that exists was pushed by us before.
    pub(super) fn push(
        &self,
        machine: &Machine,
        url: &str,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        let (name, tenant) = (&machine.name, machine.tenant.as_deref());
        // Whose remote hangs keeps nobody else from theirs.
        let account = self.tenants.last_account(tenant);
        let organization = account.map_or_else(|_| String::new(), |account| account.organization);
        let whose = format!("{} {organization}", authority(url));
        let until = Instant::now() + PUSH_PATIENCE;
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        let mut is_looked_up_again = false;
        loop {
            let await_push = |turn: &_| patience.wait_for(turn);
            let permit = self.pusher.await_push(&whose, await_push)?;
            patience.wait(Duration::ZERO)?;
            let pushed = self.push_once(machine, url, payload, patience);
            drop(permit);
            let error = match pushed {
                Ok(Pushed::Now) => return Ok(()),
                Ok(Pushed::Before) => {
                    log::warn!("{name} was pushed before; waiting for the machine of that push");
                    return Ok(());
                }
                Err(error) => error,
            };
            // It may have been given up because of that.
            patience.wait(Duration::ZERO)?;
            let pause = backoff.pause();
            let pause = error.retry_after.map_or(pause, |asked| asked.max(pause));
            // A tenant's token may have been changed a moment ago.
            let may_be_stale =
                error.credentials_refused && self.tenants.are_many() && !is_looked_up_again;
            if may_be_stale {
                self.tenants.forget(tenant);
                is_looked_up_again = true;
            }
            if error.credentials_refused && !self.tenants.are_many() {
                self.tenants.refused();
            }
            let is_hopeless = !(error.may_pass || may_be_stale);
            if is_hopeless || Instant::now() >= until {
                return Err(words::not_pushed(name, &error).into());
            }
            log::warn!(
                "pushing {name}: {}; trying again in {pause:.0?}",
                error.text
            );
            patience.wait(pause)?;
        }
    }

    /// User and password of the git remote (Clever page, 1.6): either may be the secret.
    fn git_login(&self, account: &Account) -> (Secret, Secret) {
        let logins = &self.settings.git_logins;
        match (&account.credential, &logins.for_api_token) {
            (Credential::OAuth { user, .. }, _) => (user.key.clone(), user.secret.clone()),
            (Credential::ServiceToken(token), _) => (token.clone(), Secret::new("")),
            (Credential::ApiToken(_), Some(StandIn::OAuth { user, .. })) => {
                (user.key.clone(), user.secret.clone())
            }
            // An API token is not known to push; the remote says so.
            (Credential::Token(token) | Credential::ApiToken(token), _) => {
                (logins.user.clone(), token.clone())
            }
        }
    }

    fn push_once(
        &self,
        machine: &Machine,
        url: &str,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<Pushed, PushError> {
        let context = BuildContext::new(&self.inner, payload);
        let account = self
            .tenants
            .last_account(machine.tenant.as_deref())
            .map_err(|error| PushError {
                may_pass: error.may_pass(),
                ..PushError::trouble(error.to_string())
            })?;
        let by_ssh = self
            .ssh_key_for(&account)
            .zip(trusted::over_ssh(url, &self.settings.api_url));
        let destination = by_ssh.map_or_else(
            || {
                let (user, password) = self.git_login(&account);
                Destination::Http(Remote::new(url, &user, &password))
            },
            |(key, address)| Destination::Ssh(address, key),
        );
        let is_wanted = || patience.wait(Duration::ZERO).is_ok();
        self.pusher
            .push(machine.name.as_str(), context, &destination, &is_wanted)
    }
}
