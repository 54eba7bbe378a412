//! From a job's name to its one application.

use std::time::{Duration, Instant};

use super::api::{Account, ApiError, Application, Wanted};
use super::flavors::Flavor;
use super::{CleverDocker, words};
use crate::backoff::Backoff;
use crate::executor::{Doubt, Halt, MachineName};
use crate::shutdown::{Stop, Stopped};

/// How long a job waits for an API in trouble before its user is told.
const PATIENCE: Duration = Duration::from_secs(300);
/// A list shows a new application after seconds (3.11): the pauses between looks for a lost one.
const LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl CleverDocker {
    /// The application of this name: the one that a lost answer or an earlier process left, else
    /// a new one. `doubt` is raised when there may be one more than the one that is given back.
    pub(super) fn find_or_create(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        flavor: &Flavor,
        doubt: &mut Doubt,
        stop: &Stop,
    ) -> Result<Application, Halt> {
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(20));
        let mut refreshed = false;
        loop {
            let error = match self.find_else_create(name, tenant, flavor, *doubt, stop)? {
                Ok(application) => return Ok(application),
                Err(error) => error,
            };
            if error.may_have_been_done() {
                *doubt = Doubt::now();
            }
            if error.is_bad_request() && !refreshed {
                // The machine type's version has changed (id 9017): what we know of it is stale.
                self.catalogue.forget();
                refreshed = true;
                continue;
            }
            let what = format!("creating application {name} at {}", self.settings.api_url);
            if !error.may_pass() || Instant::now() >= until {
                return Err(words::not_created(&what, &error).into());
            }
            let pause = error.retry_after().unwrap_or_else(|| backoff.pause());
            log::warn!("{what}: {error}; trying again in {pause:.0?}");
            stop.wait(pause)?;
        }
    }

    fn find_else_create(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        flavor: &Flavor,
        doubt: Doubt,
        stop: &Stop,
    ) -> Result<Result<Application, ApiError>, Stopped> {
        if doubt.is_some() {
            match self.search(name, tenant, stop)? {
                Ok(None) => {}
                Ok(Some(application)) => return Ok(self.adopt(name, tenant, application)),
                Err(error) => return Ok(Err(error)),
            }
        }
        let create = |account: &Account| self.create(account, name, flavor);
        Ok(self.tenants.with_account(tenant, create))
    }

    /// Looks for an application that may have been created, long enough for a list that lags.
    fn search(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        stop: &Stop,
    ) -> Result<Result<Option<Application>, ApiError>, Stopped> {
        for pause in LOOKS {
            stop.wait(pause)?;
            match self.tenants.with_account(tenant, |account| {
                self.api.find(account, |other| name.is(other))
            }) {
                Ok(found) if found.is_empty() => {}
                found => return Ok(found.map(|found| found.into_iter().next())),
            }
        }
        Ok(Ok(None))
    }

    /// Takes over an application whose creation nobody saw finished. The Python runner sends the
    /// environment after the creation, so it may lack one.
    fn adopt(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        found: Application,
    ) -> Result<Application, ApiError> {
        log::info!(
            "going on with application {name} ({}), which exists already",
            found.id
        );
        let environment = &self.environment;
        self.tenants.with_account(tenant, |account| {
            self.api.set_environment(account, &found.id, environment)
        })?;
        Ok(found)
    }

    fn create(
        &self,
        account: &Account,
        name: &MachineName,
        flavor: &Flavor,
    ) -> Result<Application, ApiError> {
        let version = self
            .catalogue
            .instance_version()
            .map_err(ApiError::Unprepared)?;
        let wanted = Wanted {
            name: name.as_str(),
            zone: &self.settings.zone,
            instance_version: &version,
            instance_variant: &self.settings.instance_variant,
            flavor: &format!("{}{}", self.settings.flavor_prefix, flavor.name),
            environment: &self.environment,
        };
        self.api.create(account, &wanted)
    }
}
