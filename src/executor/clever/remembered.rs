//! What the state file remembers of an application. The Python runner reads the same, and ignores
//! what it doesn't know.

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use crate::clever::{Account, is_application_id};
use crate::executor::{Machine, Resource};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Remembered {
    pub id: String,
    /// The one that owns it; the group's new ones may belong to another by now.
    #[serde(default)]
    pub organization: Option<String>,
    /// For the Python runner, which has no other place for the machine's tenant.
    #[serde(default)]
    gitlab_namespace: Option<String>,
    #[serde(default)]
    weight: Option<f64>,
    #[serde(default)]
    pub launched: bool,
    #[serde(default)]
    deploy_url: Option<String>,
}

impl Remembered {
    /// A new one, to which nothing was pushed.
    pub fn created(
        id: String,
        organization: String,
        tenant: Option<&str>,
        weight: f64,
        push_url: Option<String>,
    ) -> Self {
        Self {
            id,
            organization: Some(organization),
            gitlab_namespace: tenant.map(str::to_owned),
            weight: Some(weight),
            launched: false,
            deploy_url: push_url,
        }
    }

    /// One of which nothing is known but that it is there.
    pub fn found(id: &str, account: &Account, tenant: Option<&str>) -> Self {
        Self {
            launched: true,
            ..Self::created(
                id.to_owned(),
                account.organization.clone(),
                tenant,
                0.0,
                None,
            )
        }
    }

    /// The same after the push.
    pub fn launched(self, url: String) -> Self {
        Self {
            launched: true,
            deploy_url: Some(url),
            ..self
        }
    }

    /// None, as long as the machine is not provisioned.
    ///
    /// # Errors
    /// A text when the machine has no application with an id that could stand in an address: then it
    /// is something else that must not be forgotten.
    pub fn of(machine: &Machine) -> Result<Option<Self>, String> {
        machine.resource.as_ref().map(Self::read).transpose()
    }

    /// # Errors
    /// As [`Remembered::of`].
    pub fn read(resource: &Resource) -> Result<Self, String> {
        let remembered: Option<Self> = serde_json::from_str(resource.raw().get()).ok();
        // What else is there may be a secret: it is not quoted.
        remembered.filter(|app| is_application_id(&app.id)).ok_or_else(|| {
            "the state file has something else where an application of Clever Cloud should be; has \
             this runner had another `executor` before? Let that one finish its jobs first"
                .to_owned()
        })
    }

    pub fn write(mut self) -> Resource {
        // The Python runner takes no file that lacks one of these.
        self.weight.get_or_insert_default();
        self.deploy_url.get_or_insert_default();
        // A struct of texts and numbers always has a JSON form.
        Resource::new(to_raw_value(&self).unwrap_or_default())
    }
}
