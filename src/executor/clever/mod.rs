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

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use self::api::{Account, Api, ApiError, is_plain};
use self::flavors::{Catalogue, Flavor};
use self::tenants::Tenants;
use super::{Doubt, Executor, Failure, FoundMachine, Halt, MachineName, Resource};
use crate::config::{CleverSettings, RunnerName};
use crate::coordinator::Coordinator;
use crate::deploy::InnerRunner;
use crate::deploy::git::Workshop;
use crate::http::Http;
use crate::payload::Payload;
use crate::shutdown::Stop;
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

/// Every application says in this variable which installation made it.
const MARK: &str = "HEPTAPOD_PAAS_RUNNER_INSTALLATION";

/// What the state file remembers of an application. The Python runner reads the same, and ignores
/// what it doesn't know.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    id: String,
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
        let mut environment = settings.environment.clone();
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
    fn flavor_of(&self, payload: &Payload) -> Result<Flavor, Failure> {
        let offered = self.offered().map_err(|why| words::flavors_unknown(&why))?;
        let wanted = payload.flavor().unwrap_or(&self.settings.default_flavor);
        let found = offered.iter().find(|flavor| flavor.name == wanted).cloned();
        found.ok_or_else(|| {
            let names: Vec<_> = offered.iter().map(|flavor| flavor.name.as_str()).collect();
            words::no_such_flavor(wanted, payload.flavor().is_some(), &names.join(", "))
        })
    }

    /// The flavors that a job may ask for: none above the configured maximum.
    fn offered(&self) -> Result<Vec<Flavor>, String> {
        let mut flavors = self.catalogue.flavors()?;
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
                let mark = self.api.variable(account, &application, MARK);
                Some(mark.map(|mark| FoundMachine {
                    job,
                    tenant: tenant.map(str::to_owned),
                    is_ours: mark.as_deref() == Some(self.mark.as_str()),
                    resource: Remembered::found(&application.id, tenant).write(),
                    name: application.name,
                }))
            });
            machines.collect()
        })
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
    fn weigh(&self, payload: &Payload) -> Result<Weight, Failure> {
        self.flavor_of(payload).map(|flavor| flavor.weight)
    }

    fn weigh_flavor(&self, flavor: &str) -> Result<Result<Weight, String>, String> {
        let flavors = self.catalogue.flavors()?;
        let found = flavors.iter().find(|known| known.name == flavor);
        Ok(found.map(|flavor| flavor.weight).ok_or_else(|| {
            let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
            format!("{} offers {}", self.settings.api_url, names.join(", "))
        }))
    }

    fn heaviest(&self) -> Result<Weight, String> {
        let weights = self.offered()?.into_iter().map(|flavor| flavor.weight);
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
        stop: &Stop,
    ) -> Result<Resource, Halt> {
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let flavor = self.flavor_of(payload)?;
        let tenant = payload.tenant();
        let application = match self.find_or_create(name, tenant, &flavor, doubt, stop) {
            Err(Halt::Failed(failure)) => {
                // Refused may mean that the flavor went; then what is on offer was fetched anew.
                self.flavor_of(payload)?;
                return Err(failure.into());
            }
            result => result?,
        };
        let remembered = Remembered {
            id: application.id,
            gitlab_namespace: tenant
                .filter(|_| self.tenants.are_many())
                .map(str::to_owned),
            weight: Some(flavor.weight.as_f64()),
            launched: false,
            deploy_url: application.push_url,
        };
        Ok(remembered.write())
    }

    fn launch(
        &self,
        name: &MachineName,
        resource: &Resource,
        payload: &Payload,
        stop: &Stop,
    ) -> Result<Resource, Halt> {
        let remembered = Remembered::read(resource).ok_or_else(|| {
            words::unusable(name, "the state file does not say which application it is")
        })?;
        if remembered.launched {
            return Ok(resource.clone());
        }
        let url = self.await_repository(name, payload.tenant(), &remembered.id, stop)?;
        self.push(name, &url, payload, stop)?;
        let launched = Remembered {
            launched: true,
            deploy_url: Some(url),
            ..remembered
        };
        Ok(launched.write())
    }

    fn machines(
        &self,
        runner: &RunnerName,
        tenants: &BTreeSet<String>,
    ) -> Result<Vec<FoundMachine>, String> {
        let mut machines = Vec::new();
        for tenant in self.tenants.known(tenants) {
            let found = self.machines_of(runner, tenant.as_deref());
            machines.extend(found.map_err(|error| format!("{}: {error}", self.settings.api_url))?);
        }
        Ok(machines)
    }

    fn decommission(
        &self,
        name: &MachineName,
        tenant: Option<&str>,
        known: Option<&Resource>,
        doubt: Doubt,
    ) -> Result<(), String> {
        let remembered = known.and_then(Remembered::read);
        let tenant = remembered
            .as_ref()
            .and_then(|app| app.gitlab_namespace.as_deref())
            .or(tenant);
        self.tenants
            .with_account(tenant, |account| {
                let mut ids: Vec<_> = remembered.iter().map(|app| app.id.clone()).collect();
                if doubt.is_some() {
                    let found = self.api.find(account, |other| name.is(other))?;
                    ids.extend(found.into_iter().map(|application| application.id));
                    ids.dedup();
                }
                ids.iter().try_for_each(|id| self.delete(account, id))
            })
            .map_err(|error| words::not_deleted(&self.settings.api_url, &error))
    }
}

impl Remembered {
    /// An application of which nothing is known but that it is there.
    fn found(id: &str, tenant: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            gitlab_namespace: tenant.map(str::to_owned),
            weight: Some(0.0),
            launched: true,
            deploy_url: None,
        }
    }

    /// Nothing, when there is no id that could stand in an address.
    fn read(resource: &Resource) -> Option<Self> {
        let remembered: Self = serde_json::from_str(resource.raw().get()).ok()?;
        is_plain(&remembered.id).then_some(remembered)
    }

    fn write(mut self) -> Resource {
        // The Python runner takes no file that lacks one of these.
        self.weight.get_or_insert_default();
        self.deploy_url.get_or_insert_default();
        // A struct of texts and numbers always has a JSON form.
        Resource::new(to_raw_value(&self).unwrap_or_default())
    }
}
