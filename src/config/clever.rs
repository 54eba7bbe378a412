//! The `cc_*` keys of a runner: where and how its machines are made at Clever Cloud.

use std::time::Duration;

use super::runner::address;
use super::secrets::Secrets;
use super::written::Section;
use crate::secret::Secret;

#[derive(Debug)]
pub struct CleverSettings {
    /// The base of the API, without a trailing slash.
    pub api_url: String,
    pub zone: String,
    pub default_flavor: String,
    /// The biggest flavor that a job may ask for; none: whatever is on offer.
    pub max_flavor: Option<String>,
    /// How long a new application's git repository may take, and how often it is asked for.
    pub repository_timeout: Duration,
    pub repository_step: Duration,
    pub flavor_context: String,
    pub flavor_prefix: String,
    pub instance_variant: String,
    /// The user name of the git push; with some kinds of credentials it is a secret.
    pub git_user: Secret,
    /// The application's environment.
    pub environment: Vec<(String, String)>,
    pub tenancy: Tenancy,
}

/// Who pays.
#[derive(Clone, Debug)]
pub enum Tenancy {
    /// One organization for all jobs.
    Single { organization: String, token: Secret },
    /// Each job's top-level group has an organization of its own, in its custom attributes.
    ByGroup {
        /// A token of the coordinator that may read the attributes of all groups.
        attributes_token: Secret,
        organization_attribute: String,
        token_attribute: String,
    },
}

impl CleverSettings {
    pub(super) fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let text = |key: &'static str, default: &str| {
            let written = section.string(&[key]).filter(|text| !text.is_empty());
            written.unwrap_or_else(|| default.to_owned())
        };
        let context = text("cc_flavor_context", "heptapod-runner");
        Self {
            api_url: address(
                section,
                "cc_api_url",
                &text("cc_api_url", "https://api.clever-cloud.com/v2"),
            ),
            zone: text("cc_zone", "par"),
            default_flavor: text("cc_default_flavor", "M"),
            max_flavor: section.string(&["cc_max_flavor"]),
            repository_timeout: section
                .seconds(&["cc_deployment_repo_timeout"])
                .unwrap_or(Duration::from_secs(20)),
            repository_step: section
                .pause(&["cc_deployment_repo_wait_step"])
                .unwrap_or(Duration::from_secs(2)),
            flavor_prefix: text("cc_flavor_name_prefix", &format!("{context}-")),
            flavor_context: context,
            instance_variant: text(
                "cc_instance_variant_uuid",
                "70d676a0-a775-4dc9-a43d-3121036e8515",
            ),
            git_user: section
                .secret(&["cc_auth_user"], secrets)
                .unwrap_or_else(|| Secret::new("Jenkins")),
            environment: environment(section),
            tenancy: Tenancy::read(section, secrets),
        }
    }
}

impl Tenancy {
    fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let text = |key: &'static str| section.string(&[key]);
        let attribute = |key: &'static str, default: &str| {
            let written = text(key).filter(|name| !name.is_empty());
            written.unwrap_or_else(|| default.to_owned())
        };
        // Asked for in both modes, so that each is a known key in the other.
        let organization_attribute = attribute("cc_orga_id_attribute", "cc_orga_id");
        let token_attribute = attribute("cc_orga_token_attribute", "cc_orga_token");
        if section.flag(&["cc_multi_tenant"], false) {
            let _ = (text("cc_orga_id"), text("cc_token"));
            let attributes_token = section.required_secret(
                "cc_gitlab_namespace_attributes_token",
                "with `cc_multi_tenant`, an administrator's token that may read group attributes",
                secrets,
            );
            return Self::ByGroup {
                attributes_token,
                organization_attribute,
                token_attribute,
            };
        }
        let _ = text("cc_gitlab_namespace_attributes_token");
        let organization = section.required_string(
            "cc_orga_id",
            "the organization that pays for the machines, \"orga_…\" in the Clever Cloud console",
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !organization.chars().all(plain) {
            section.problem_at(
                "cc_orga_id",
                "`cc_orga_id` must be an id such as \"orga_…\"",
            );
        }
        let token = section.required_secret(
            "cc_token",
            "the token that may create and delete that organization's applications",
            secrets,
        );
        Self::Single {
            organization,
            token,
        }
    }
}

/// The inner runner starts containers, so it needs the Docker socket; the operator may say
/// otherwise.
fn environment(section: &Section<'_>) -> Vec<(String, String)> {
    let mut environment = vec![("CC_MOUNT_DOCKER_SOCKET".to_owned(), "true".to_owned())];
    let extra = section.section(&["cc_extra_env"]);
    for (name, value) in extra.map(|extra| extra.strings()).unwrap_or_default() {
        match environment.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => environment.push((name, value)),
        }
    }
    environment
}
