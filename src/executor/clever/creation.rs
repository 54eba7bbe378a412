//! From a job's name to its one application.

use std::time::{Duration, Instant};

use super::api::{Account, ApiError, Application, Wanted};
use super::flavors::Flavor;
use super::{CleverDocker, PATIENCE, Remembered, words};
use crate::backoff::Backoff;
use crate::executor::{Doubt, Halt, Patience, Resource};
use crate::names::MachineName;
use crate::payload::Payload;

/// A list shows a new application after seconds (3.11): the pauses between looks for a lost one.
const LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// One try came to nothing: for now, or because the job does not go on.
enum Try {
    Again(ApiError),
    Halt(Halt),
}

impl From<ApiError> for Try {
    fn from(error: ApiError) -> Self {
        Self::Again(error)
    }
}

impl From<Halt> for Try {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl CleverDocker {
    /// The application of this name: the one that a lost answer or an earlier process left, else
    /// a new one. `doubt` is raised when there may be one more than the one that is given back.
    pub(super) fn find_or_create(
        &self,
        name: &MachineName,
        payload: &Payload,
        doubt: &mut Doubt,
        patience: &dyn Patience,
    ) -> Result<Resource, Halt> {
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(20));
        let mut refreshed = false;
        loop {
            let error = match self.find_else_create(name, payload, *doubt, patience) {
                Ok(resource) => return Ok(resource),
                Err(Try::Halt(halt)) => return Err(halt),
                Err(Try::Again(error)) => error,
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
            let pause = backoff.pause();
            let pause = error.retry_after().map_or(pause, |asked| asked.max(pause));
            log::warn!("{what}: {error}; trying again in {pause:.0?}");
            patience.wait(pause)?;
        }
    }

    fn find_else_create(
        &self,
        name: &MachineName,
        payload: &Payload,
        doubt: Doubt,
        patience: &dyn Patience,
    ) -> Result<Resource, Try> {
        // Refused may mean that the flavor went; then this says so, with what is on offer now.
        let flavor = self.flavor_of(payload)?;
        let tenant = payload.tenant();
        if doubt.is_some()
            && let Some((organization, found)) = self.search(name, tenant, patience)?
        {
            let found = self.adopt(name, tenant, found)?;
            return Ok(self.remember(organization, tenant, &flavor, found));
        }
        let (organization, created) = self.tenants.with_account(tenant, |account| {
            let created = self.create(account, name, &flavor)?;
            Ok((account.organization.clone(), created))
        })?;
        Ok(self.remember(organization, tenant, &flavor, created))
    }

    fn remember(
        &self,
        organization: String,
        tenant: Option<&str>,
        flavor: &Flavor,
        application: Application,
    ) -> Resource {
        let remembered = Remembered {
            id: application.id,
            organization: Some(organization),
            gitlab_namespace: tenant
                .filter(|_| self.tenants.are_many())
                .map(str::to_owned),
            weight: Some(flavor.weight.as_f64()),
            launched: false,
            deploy_url: application.push_url,
        };
        remembered.write()
    }

    /// Looks for an application that may have been created, long enough for a list that lags, and
    /// says who owns it.
    fn search(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        patience: &dyn Patience,
    ) -> Result<Option<(String, Application)>, Try> {
        for pause in LOOKS {
            patience.wait(pause)?;
            let found = self.tenants.with_account(tenant, |account| {
                let found = self.api.find(account, |other| name.is(other))?;
                let oldest = found.into_iter().next();
                Ok(oldest.map(|oldest| (account.organization.clone(), oldest)))
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
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
