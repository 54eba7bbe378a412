//! Machines at Clever Cloud: an application per job, started by a git push.
//!
//! An application costs nothing until something is pushed to it; its machine costs from then on
//! until the job's container ends or the application is deleted. Names are not unique there, lists
//! lag, and deleted applications linger, so the rules are: after a lost answer wait and look
//! before creating again; once a creation was ever in doubt, delete by name in the end.

mod api;
mod creation;
mod flavors;
mod launch;
mod remote;

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use self::api::{Account, Api, ApiError, is_plain};
use self::flavors::{Catalogue, Flavor};
use super::{Doubt, Executor, Failure, Halt, MachineName, Resource};
use crate::config::CleverSettings;
use crate::deploy::git::Workshop;
use crate::http::Http;
use crate::job::payload::Payload;
use crate::shutdown::Stop;
use crate::weight::Weight;

pub struct CleverDocker {
    settings: CleverSettings,
    account: Account,
    api: Api,
    catalogue: Catalogue,
    workshop: Workshop,
    inner: InnerRunner,
}

/// What runs on a machine.
pub struct InnerRunner {
    pub image: String,
    /// The text of its `runner.toml`.
    pub configuration: String,
}

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
    /// Pushes are prepared in `workshop`.
    #[must_use]
    pub fn new(
        settings: CleverSettings,
        http: Http,
        workshop: Workshop,
        inner: InnerRunner,
    ) -> Self {
        let account = Account {
            organization: settings.organization.clone(),
            token: settings.token.clone(),
        };
        let catalogue = Catalogue::new(
            http.clone(),
            &settings.api_url,
            &settings.flavor_context,
            &settings.flavor_prefix,
        );
        Self {
            api: Api::new(http, &settings.api_url),
            account,
            catalogue,
            workshop,
            inner,
            settings,
        }
    }

    /// The flavor that a job asks for, or the default one.
    fn flavor_of(&self, payload: &Payload) -> Result<Flavor, Failure> {
        let offered = self.offered().map_err(|why| Failure {
            user: "This runner can't learn which machine sizes are on offer right now. Please \
                   retry the job later."
                .to_owned(),
            admin: format!("cannot learn which flavors are on offer: {why}"),
        })?;
        let wanted = payload.flavor().unwrap_or(&self.settings.default_flavor);
        offered
            .iter()
            .find(|flavor| flavor.name == wanted)
            .cloned()
            .ok_or_else(|| {
                let names: Vec<_> = offered.iter().map(|flavor| flavor.name.as_str()).collect();
                no_such_flavor(wanted, payload.flavor().is_some(), &names.join(", "))
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

    /// Where things happen, for messages to the operator.
    fn place(&self) -> String {
        format!(
            "in {} at {}",
            self.account.organization, self.settings.api_url
        )
    }

    fn delete(&self, id: &str) -> Result<(), String> {
        let what = || format!("application {id} {}", self.place());
        self.api.delete(&self.account, id).map_err(|error| {
            let hint = if error.is_refused_credentials() {
                "; does cc_token have the Manager role? A Developer may create but not delete"
            } else {
                ""
            };
            format!("deleting {}: {error}{hint}", what())
        })?;
        match self.api.get(&self.account, id) {
            Ok(application) if application.is_going() => Ok(()),
            Ok(_) => Err(format!("{} is still there after its deletion", what())),
            Err(error) if error.is_not_there() => Ok(()),
            Err(error) => Err(format!("making sure that {} is gone: {error}", what())),
        }
    }
}

fn no_such_flavor(wanted: &str, asked_for: bool, names: &str) -> Failure {
    let shown: String = wanted
        .chars()
        .filter(|c| !c.is_control())
        .take(40)
        .collect();
    if asked_for {
        Failure {
            user: format!(
                "CI_CLEVER_CLOUD_FLAVOR is `{shown}`; this runner offers {names}. Please change \
                 the variable in the job's definition."
            ),
            admin: format!("the job asks for flavor {shown:?}; on offer are {names}"),
        }
    } else {
        Failure {
            user: "This runner's default machine size is not on offer. Please tell its \
                   administrator, or choose one with the variable CI_CLEVER_CLOUD_FLAVOR: "
                .to_owned()
                + names,
            admin: format!("cc_default_flavor is {shown:?}, but on offer are {names}"),
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
        let flavor = self.flavor_of(payload).map_err(Halt::Failed)?;
        let application = self.find_or_create(name, &flavor, doubt, stop)?;
        let remembered = Remembered {
            id: application.id,
            gitlab_namespace: None,
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
            self.unusable(name, "the state file does not say which application it is")
        })?;
        let url = self.await_repository(name, &remembered.id, stop)?;
        self.push(name, &url, payload, stop)?;
        let launched = Remembered {
            launched: true,
            deploy_url: Some(url),
            ..remembered
        };
        Ok(launched.write())
    }

    fn decommission(
        &self,
        name: &MachineName,
        known: Option<&Resource>,
        doubt: Doubt,
    ) -> Result<(), String> {
        let mut ids: Vec<_> = known
            .and_then(Remembered::read)
            .map(|app| app.id)
            .into_iter()
            .collect();
        if doubt == Doubt::MayExist {
            let found = self.api.find(&self.account, name.as_str());
            let found =
                found.map_err(|error| format!("looking for {name} {}: {error}", self.place()))?;
            ids.extend(found.into_iter().map(|application| application.id));
            ids.dedup();
        }
        ids.iter().try_for_each(|id| self.delete(id))
    }
}

impl Remembered {
    /// Nothing, when there is no id that could stand in an address.
    fn read(resource: &Resource) -> Option<Self> {
        let remembered: Self = serde_json::from_str(resource.raw().get()).ok()?;
        is_plain(&remembered.id).then_some(remembered)
    }

    fn write(&self) -> Resource {
        // A struct of texts and numbers always has a JSON form.
        Resource::new(to_raw_value(self).unwrap_or_default())
    }
}

/// What both readers are told when Clever Cloud would not do something.
fn failure(what: &str, error: &ApiError) -> Failure {
    let (user, hint) = if error.is_refused_credentials() {
        (
            "Clever Cloud refused this runner's credentials. Please tell its administrator.",
            "; check cc_token and cc_orga_id",
        )
    } else if error.may_pass() {
        (
            "Clever Cloud could not provide a machine for this job in time. Please retry it later.",
            "",
        )
    } else {
        (
            "Clever Cloud refused to provide a machine for this job. Please tell the runner's \
             administrator.",
            "",
        )
    };
    Failure {
        user: user.to_owned(),
        admin: format!("{what}: {error}{hint}"),
    }
}
