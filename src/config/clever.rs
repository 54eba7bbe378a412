//! The `cc_*` keys of a runner: where and how its machines are made at Clever Cloud.

use std::time::Duration;

use super::keys;
use super::secrets::Secrets;
use super::values::{self, flavor_prefix};
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
    /// The application's environment: names, and values of which some are secrets.
    pub environment: Vec<(String, Secret)>,
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
        let family = section.text(&keys::CC_FLAVOR_CONTEXT);
        let prefix = section.text(&keys::CC_FLAVOR_NAME_PREFIX);
        Self {
            api_url: section.address(&keys::CC_API_URL),
            zone: section.text(&keys::CC_ZONE),
            default_flavor: section.text(&keys::CC_DEFAULT_FLAVOR),
            max_flavor: section.written_text(&keys::CC_MAX_FLAVOR),
            repository_timeout: section.seconds(&keys::CC_DEPLOYMENT_REPO_TIMEOUT),
            repository_step: section.pause(&keys::CC_DEPLOYMENT_REPO_WAIT_STEP),
            flavor_prefix: if prefix.is_empty() {
                flavor_prefix(&family)
            } else {
                prefix
            },
            flavor_context: family,
            instance_variant: section.text(&keys::CC_INSTANCE_VARIANT_UUID),
            git_user: section.secret(&keys::CC_AUTH_USER, secrets),
            environment: environment(section),
            tenancy: Tenancy::read(section, secrets),
        }
    }
}

impl Tenancy {
    fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        if section.flag(&keys::CC_MULTI_TENANT) {
            let token = &keys::CC_GITLAB_NAMESPACE_ATTRIBUTES_TOKEN;
            return Self::ByGroup {
                attributes_token: section.secret(token, secrets),
                organization_attribute: section.text(&keys::CC_ORGA_ID_ATTRIBUTE),
                token_attribute: section.text(&keys::CC_ORGA_TOKEN_ATTRIBUTE),
            };
        }
        let organization = section.text(&keys::CC_ORGA_ID);
        if !organization.is_empty()
            && let Err(why) = values::id(&organization)
        {
            section.problem_at(&keys::CC_ORGA_ID, format!("`cc_orga_id` {why}"));
        }
        Self::Single {
            organization,
            token: section.secret(&keys::CC_TOKEN, secrets),
        }
    }
}

/// The inner runner starts containers, so it needs the Docker socket; the operator may say
/// otherwise.
fn environment(section: &Section<'_>) -> Vec<(String, Secret)> {
    let mut environment = vec![("CC_MOUNT_DOCKER_SOCKET".to_owned(), Secret::new("true"))];
    for (name, value) in section.table(&keys::CC_EXTRA_ENV).texts() {
        let value = Secret::new(value);
        match environment.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => environment.push((name, value)),
        }
    }
    environment
}
