//! Two groups that share one runner, each with an organization that pays for its machines, and the
//! jobs of both. One of them keeps its project in Mercurial.
//!
//! It only describes; what came of it is told in [`crate::bills`].

use rig::{Show, World};
use sandbox::coordinator::JobSpec;
use sandbox::{Access, Role};

use crate::pipeline::Plan;

/// An administrator's: with it the runner reads which organization a group names.
pub const ATTRIBUTES_TOKEN: &str = "glpat-DEMOdemoDEMOdemo1111";

pub struct Tenant {
    /// A top-level group.
    pub group: &'static str,
    pub organization: &'static str,
    pub token: &'static str,
}

pub static TENANTS: [Tenant; 2] = [
    Tenant {
        group: "acme",
        organization: "orga_acme",
        token: "2f0d5b1c-7a53-4b0e-9a53-0d1f6f0f3a01",
    },
    Tenant {
        group: "garden",
        organization: "orga_garden",
        token: "c9a3e8f4-15d2-4c6f-8a3b-6b7e2d4c5f02",
    },
];

/// Opens their accounts: the lines of the runner section that say where they are found.
pub fn move_in(tenants: &[Tenant], world: &World, show: &Show) -> String {
    let coordinator = &world.coordinator;
    coordinator.add_user(ATTRIBUTES_TOKEN, Access::Administrator);
    for tenant in tenants {
        let (group, organization, token) = (tenant.group, tenant.organization, tenant.token);
        (world.clever).add_organization(organization, token, Role::Manager);
        let attributes = [("cc_orga_id", organization), ("cc_orga_token", token)];
        coordinator.set_group(group, attributes);
        show.say(&format!(
            "a group {group}, which says that {organization} pays"
        ));
    }
    let key = "cc_gitlab_namespace_attributes_token";
    format!("cc_multi_tenant = true\n  {key} = \"{ATTRIBUTES_TOKEN}\"")
}

/// Whose project this is: the first part of its path.
pub fn owner<'a>(tenants: &'a [Tenant], project: &str) -> Option<&'a Tenant> {
    let group = project.split('/').next()?;
    tenants.iter().find(|tenant| tenant.group == group)
}

/// The jobs of all tenants, mixed, so that they have machines at the same time.
pub fn plans() -> Vec<Plan> {
    let mut plans = vec![
        rocket("rocket lint", "XS", "echo \"42 files, all fine\""),
        garden("garden lint", "XS", "echo \"13 files, all fine\""),
        rocket("rocket build", "XL", "echo \"building the engine\""),
        garden(
            "garden build",
            "M",
            "echo \"building changeset $CI_COMMIT_HG_SHORT_SHA\"",
        ),
        rocket("rocket tests", "S", "echo \"12 passed\""),
        garden("garden tests", "XS", "echo \"7 passed\""),
    ];
    plans[4].after = vec![0, 2];
    plans[5].after = vec![1, 3];
    plans
}

fn rocket(name: &str, flavor: &str, line: &str) -> Plan {
    Plan::new(job(name, flavor, line).project("acme/space/rocket"))
}

fn garden(name: &str, flavor: &str, line: &str) -> Plan {
    let spec = job(name, flavor, line).project("garden/tulips");
    Plan::new(spec.heptapod())
}

fn job(name: &str, flavor: &str, line: &str) -> JobSpec {
    JobSpec::new(name, ["sleep 0.4", line]).flavor(flavor)
}
