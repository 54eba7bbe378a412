//! Machines at Clever Cloud: an application per job, started by a git push.
//!
//! An application costs nothing until something is pushed to it; its machine costs from then on
//! until the job's container ends or the application is deleted. Names are not unique there, lists
//! lag, and deleted applications linger, so the rules are: after a lost answer wait and look
//! before creating again; once a creation was ever in doubt, delete by name in the end.

mod api;
mod creation;
pub mod flavors;
mod launch;
mod remote;
mod tenants;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use self::api::{Account, Api, ApiError, is_plain};
use self::flavors::{Catalogue, Flavor};
use self::tenants::Tenants;
use super::{Doubt, Executor, FoundMachine, Halt, Inventory, MachineName, Patience, Resource};
use crate::config::{CleverSettings, RunnerName};
use crate::coordinator::Coordinator;
use crate::deploy::InnerRunner;
use crate::deploy::git::Workshop;
use crate::http::Http;
use crate::payload::Payload;
use crate::weight::Weight;

pub struct CleverDocker {
    settings: CleverSettings,
    tenants: Tenants,
    api: Api,
    catalogue: Catalogue,
    workshop: Workshop,
    inner: InnerRunner,
    /// Of every application.
    environment: Vec<(String, String)>,
    mark: String,
}

/// How long a job waits for an API in trouble before its user is told.
const PATIENCE: Duration = Duration::from_secs(300);
/// Every application says in this variable which installation made it.
const MARK: &str = "HEPTAPOD_PAAS_RUNNER_INSTALLATION";

/// What the state file remembers of an application. The Python runner reads the same, and ignores
/// what it doesn't know.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    id: String,
    /// Who owns it, whoever pays for others by now.
    #[serde(default)]
    organization: Option<String>,
    #[serde(default)]
    gitlab_namespace: Option<String>,
    #[serde(default)]
    weight: Option<f64>,
    #[serde(default)]
    launched: bool,
    #[serde(default)]
    deploy_url: Option<String>,
}

impl CleverDocker {
    /// Pushes are prepared in `workshop`; the coordinator knows who pays, if that is not always
    /// the same; `mark` tells this installation from all others.
    #[must_use]
    pub fn new(
        settings: CleverSettings,
        http: Http,
        coordinator: Coordinator,
        workshop: Workshop,
        inner: InnerRunner,
        mark: String,
    ) -> Self {
        let configured = settings.environment.iter();
        let mut environment: Vec<_> = configured
            .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
            .collect();
        environment.push((MARK.to_owned(), mark.clone()));
        let catalogue = Catalogue::new(
            http.clone(),
            &settings.api_url,
            &settings.flavor_context,
            &settings.flavor_prefix,
        );
        Self {
            api: Api::new(http, &settings.api_url),
            tenants: Tenants::new(settings.tenancy.clone(), coordinator),
            catalogue,
            workshop,
            inner,
            environment,
            mark,
            settings,
        }
    }

    /// The flavor that a job asks for, or the default one.
    fn flavor_of(&self, payload: &Payload) -> Result<Flavor, ApiError> {
        let flavors = self.catalogue.flavors().map_err(ApiError::Unprepared)?;
        let offered = self.offered(flavors).map_err(ApiError::Unprepared)?;
        let wanted = self.wanted_flavor(payload);
        let found = offered.iter().find(|flavor| flavor.name == wanted).cloned();
        found.ok_or_else(|| {
            let names: Vec<_> = offered.iter().map(|flavor| flavor.name.as_str()).collect();
            let by_job = payload.flavor().is_some();
            ApiError::Final(words::no_such_flavor(wanted, by_job, &names.join(", ")))
        })
    }

    fn wanted_flavor<'a>(&'a self, payload: &'a Payload) -> &'a str {
        payload.flavor().unwrap_or(&self.settings.default_flavor)
    }

    /// The flavors that a job may ask for: those that can be ordered, none above the configured
    /// maximum.
    fn offered(&self, mut flavors: Vec<Flavor>) -> Result<Vec<Flavor>, String> {
        if let Some(max) = &self.settings.max_flavor {
            let heaviest = flavors
                .iter()
                .find(|flavor| flavor.name == *max)
                .map(|f| f.weight);
            let heaviest = heaviest.ok_or_else(|| {
                format!(
                    "cc_max_flavor is {max:?}, which {} does not offer",
                    self.settings.api_url
                )
            })?;
            flavors.retain(|flavor| flavor.weight <= heaviest);
        }
        flavors.retain(|flavor| flavor.is_available);
        Ok(flavors)
    }

    fn machines_of(
        &self,
        runner: &RunnerName,
        tenant: Option<&str>,
    ) -> Result<Vec<FoundMachine>, ApiError> {
        self.tenants.with_account(tenant, |account| {
            let ours = |name: &str| MachineName::job_of(runner, name).is_some();
            let found = self.api.find(account, ours)?;
            let machines = found.into_iter().filter_map(|application| {
                let job = MachineName::job_of(runner, &application.name)?;
                let mark = match self.api.variable(account, &application, MARK) {
                    Err(error) if error.is_not_there() => return None,
                    mark => mark,
                };
                Some(mark.map(|mark| FoundMachine {
                    job,
                    tenant: tenant.map(str::to_owned),
                    is_ours: mark.as_deref() == Some(self.mark.as_str()),
                    resource: Remembered::found(&application.id, account, tenant).write(),
                    name: application.name,
                }))
            });
            machines.collect()
        })
    }

    /// Whom to speak as about an application that exists, given today's account of its group.
    fn owner_of(&self, application: &Remembered, today: &Account) -> Account {
        let organization = application.organization.as_deref();
        self.tenants.account_at(organization, today)
    }

    /// Deletes one application and makes sure that it is gone.
    fn delete(&self, account: &Account, id: &str) -> Result<(), ApiError> {
        self.api.delete(account, id)?;
        match self.api.get(account, id) {
            Ok(application) if application.is_going() => Ok(()),
            Ok(_) => Err(ApiError::StillThere),
            Err(error) if error.is_not_there() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Executor for CleverDocker {
    fn weigh(&self, payload: &Payload) -> Option<Weight> {
        let offered = self.offered(self.catalogue.known_flavors()?).ok()?;
        let wanted = self.wanted_flavor(payload);
        let found = offered.into_iter().find(|flavor| flavor.name == wanted);
        Some(found.map_or(Weight::ZERO, |flavor| flavor.weight))
    }

    fn weigh_flavor(&self, flavor: &str) -> Result<Result<Weight, String>, String> {
        let flavors = self.catalogue.flavors()?;
        let found = flavors.iter().find(|known| known.name == flavor);
        if found.is_none() {
            // It may be there the next time.
            self.catalogue.forget();
        }
        Ok(found.map(|flavor| flavor.weight).ok_or_else(|| {
            let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
            format!("{} offers {}", self.settings.api_url, names.join(", "))
        }))
    }

    fn heaviest(&self) -> Result<Weight, String> {
        let offered = self.offered(self.catalogue.flavors()?)?;
        let weights = offered.into_iter().map(|flavor| flavor.weight);
        weights
            .max()
            .ok_or_else(|| "no flavor is on offer".to_owned())
    }

    fn provision(
        &self,
        name: &MachineName,
        payload: &Payload,
        known: Option<&Resource>,
        doubt: &mut Doubt,
        patience: &dyn Patience,
    ) -> Result<Resource, Halt> {
        match known {
            Some(known) => Ok(known.clone()),
            None => self.find_or_create(name, payload, doubt, patience),
        }
    }

    fn launch(
        &self,
        name: &MachineName,
        resource: &Resource,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<Resource, Halt> {
        let remembered = Remembered::read(resource).map_err(|why| words::unusable(name, &why))?;
        if remembered.launched {
            return Ok(resource.clone());
        }
        let url = self.await_repository(name, payload.tenant(), &remembered, patience)?;
        self.push(name, &url, payload, patience)?;
        let launched = Remembered {
            launched: true,
            deploy_url: Some(url),
            ..remembered
        };
        Ok(launched.write())
    }

    fn has_ended(
        &self,
        _: &MachineName,
        tenant: Option<&str>,
        resource: &Resource,
    ) -> Result<bool, String> {
        let remembered = Remembered::read(resource)?;
        self.tenants
            .with_account(remembered.payer(tenant), |account| {
                let owner = self.owner_of(&remembered, account);
                Ok(self.api.instances(&owner, &remembered.id)? == 0
                    && self.api.deployment_is_over(&owner, &remembered.id)?)
            })
            .map_err(|error| format!("{}: {error}", self.settings.api_url))
    }

    fn machines(&self, runner: &RunnerName, tenants: &BTreeSet<String>) -> Inventory {
        let mut inventory = Inventory::default();
        for tenant in self.tenants.known(tenants) {
            match self.machines_of(runner, tenant.as_deref()) {
                Ok(found) => inventory.machines.extend(found),
                // A group that had an account once, or a user: there is nobody who could be asked.
                Err(ApiError::Nobody(failure)) => {
                    log::info!("not looking for machines: {}", failure.admin);
                }
                Err(error) => inventory
                    .not_searched
                    .push(format!("{}: {error}", self.settings.api_url)),
            }
        }
        inventory
    }

    fn decommission(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        known: Option<&Resource>,
        doubt: Doubt,
    ) -> Result<(), String> {
        let known = known.map(Remembered::read).transpose()?;
        let tenant = known.as_ref().map_or(tenant, |app| app.payer(tenant));
        let deleted = self.tenants.with_account(tenant, |account| {
            if let Some(app) = &known {
                self.delete(&self.owner_of(app, account), &app.id)?;
            }
            if doubt.is_some() {
                let found = self.api.find(account, |other| name.is(other))?;
                let mut ids = found.iter().map(|application| &application.id);
                ids.try_for_each(|id| self.delete(account, id))?;
            }
            Ok(())
        });
        match deleted {
            // Without an account nothing can be created, unless it had one a moment ago.
            Err(ApiError::Nobody(failure)) if known.is_none() => {
                log::warn!("machine {name} can't be looked for: {}", failure.admin);
                Ok(())
            }
            deleted => deleted.map_err(|error| {
                let owner = known.as_ref().and_then(|app| app.organization.as_deref());
                words::not_deleted(&self.settings.api_url, owner, &error)
            }),
        }
    }
}

impl Remembered {
    /// An application of which nothing is known but that it is there.
    fn found(id: &str, account: &Account, tenant: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            organization: Some(account.organization.clone()),
            gitlab_namespace: tenant.map(str::to_owned),
            weight: Some(0.0),
            launched: true,
            deploy_url: None,
        }
    }

    /// # Errors
    /// A text when it is no application with an id that could stand in an address: then it is
    /// something else that must not be forgotten.
    fn read(resource: &Resource) -> Result<Self, String> {
        let written = resource.raw().get();
        let remembered: Option<Self> = serde_json::from_str(written).ok();
        remembered.filter(|app| is_plain(&app.id)).ok_or_else(|| {
            format!(
                "the state file has {written} where an application of Clever Cloud should be; has \
                 this runner had another `executor` before? Let that one finish its jobs first"
            )
        })
    }

    /// The top-level group whose account it is, given that of its job.
    fn payer<'a>(&'a self, tenant: Option<&'a str>) -> Option<&'a str> {
        self.gitlab_namespace.as_deref().or(tenant)
    }

    fn write(mut self) -> Resource {
        // The Python runner takes no file that lacks one of these.
        self.weight.get_or_insert_default();
        self.deploy_url.get_or_insert_default();
        // A struct of texts and numbers always has a JSON form.
        Resource::new(to_raw_value(&self).unwrap_or_default())
    }
}
