//! What tests see of this world from above: applications as they are, and the bill.

use std::collections::BTreeMap;

use super::flavors::name_of;
use super::model::{AppState, Application};
use super::world::World;

/// Clever Cloud bills begun steps of so many seconds.
const BILLING_STEP: u64 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppView {
    pub id: String,
    pub name: String,
    pub organization: String,
    pub flavor: String,
    pub env: BTreeMap<String, String>,
    /// As the API spells it.
    pub state: &'static str,
    pub repo_state: &'static str,
    /// Not found any more.
    pub is_gone: bool,
    /// What was pushed.
    pub commit: Option<String>,
    pub deployments: Vec<DeploymentView>,
    /// Every VM it ever had.
    pub instances: Vec<InstanceView>,
    /// The three files, once a machine has checked them out.
    pub files: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    pub uuid: String,
    pub state: &'static str,
    pub commit: String,
    pub is_visible: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceView {
    pub id: String,
    /// `DELETED` when the VM is gone.
    pub state: &'static str,
    pub is_running: bool,
}

/// What one VM costs.
#[derive(Clone, Debug, PartialEq)]
pub struct BillLine {
    pub application: String,
    pub flavor: String,
    pub vm_seconds: f64,
    /// In whole steps of ten.
    pub billed_seconds: u64,
    /// Before VAT.
    pub euros: f64,
    /// Whether it goes on costing.
    pub is_running: bool,
}

impl AppView {
    /// Whether somebody pays for it now.
    #[must_use]
    pub fn has_machine(&self) -> bool {
        self.instances.iter().any(|instance| instance.is_running)
    }

    /// Whether it is of no more use: deleted, though it may linger.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.state == AppState::ToDelete.as_str()
    }
}

impl World {
    /// Everything that was ever created, oldest first.
    pub(super) fn views(&self) -> Vec<AppView> {
        self.state().applications.iter().map(view).collect()
    }

    pub(super) fn bill(&self) -> Vec<BillLine> {
        self.state().applications.iter().flat_map(bill).collect()
    }
}

fn view(application: &Application) -> AppView {
    let deployments = application.deployments.iter();
    let instances = application.instances.iter();
    AppView {
        id: application.id.clone(),
        name: application.spec.name.clone(),
        organization: application.organization.clone(),
        flavor: name_of(&application.spec.max_flavor).to_owned(),
        env: application.spec.env.clone(),
        state: application.state.as_str(),
        repo_state: application.repository.as_str(),
        is_gone: application.state == AppState::Gone,
        commit: application.commit.clone(),
        deployments: deployments
            .map(|deployment| DeploymentView {
                uuid: deployment.uuid.clone(),
                state: deployment.state.as_str(),
                commit: deployment.commit.clone(),
                is_visible: deployment.visible,
            })
            .collect(),
        instances: instances
            .map(|instance| InstanceView {
                id: instance.id.clone(),
                state: instance.state.as_str(),
                is_running: instance.ended.is_none(),
            })
            .collect(),
        files: application.files.clone(),
    }
}

fn bill(application: &Application) -> impl Iterator<Item = BillLine> {
    application.instances.iter().map(|instance| {
        let lifetime = instance.lifetime();
        let begun = u64::from(lifetime.subsec_nanos() > 0);
        let steps = (lifetime.as_secs() + begun).div_ceil(BILLING_STEP).max(1);
        let price = instance.flavor["price"].as_f64().unwrap_or_default();
        BillLine {
            application: application.spec.name.clone(),
            flavor: name_of(&instance.flavor).to_owned(),
            vm_seconds: lifetime.as_secs_f64(),
            billed_seconds: steps * BILLING_STEP,
            euros: price * (lifetime.as_secs_f64() / 3600.0),
            is_running: instance.ended.is_none(),
        }
    })
}
