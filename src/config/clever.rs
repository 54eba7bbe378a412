//! The `cc_*` keys of a runner: where and how its machines are made at Clever Cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use super::keys::{self, Key};
use super::secrets::Secrets;
use super::ssh_key;
use super::values::{self, AuthKind, flavor_prefix};
use super::written::Section;
use crate::clever::{Credential, MachineType, Pair};
use crate::secret::Secret;

#[derive(Debug)]
pub struct CleverSettings {
    /// The base of the API, without a trailing slash, and of its bridge.
    pub api_url: String,
    pub bridge_url: String,
    pub zone: String,
    /// An ISO 4217 code.
    pub currency: String,
    /// For a month.
    pub budget: Option<f64>,
    pub default_flavor: String,
    /// The biggest flavor that a job may ask for; none: whatever is on offer.
    pub max_flavor: Option<String>,
    /// What a job with such a tag gets that names none.
    pub flavor_by_tag: BTreeMap<String, String>,
    /// How long a new application's git repository may take, and how often it is asked for.
    pub repository_timeout: Duration,
    pub repository_step: Duration,
    pub machine_type: MachineType,
    pub flavor_prefix: String,
    pub git_logins: GitLogins,
    /// The application's environment: names, and values of which some are secrets.
    pub environment: Vec<(String, Secret)>,
    pub tenancy: Tenancy,
}

/// With what pushes are made, where the API's credential does not say it all.
#[derive(Clone, Debug)]
pub struct GitLogins {
    /// The user name beside a token.
    pub user: Secret,
    /// What stands in for an API token, which is not known to push.
    pub for_api_token: Option<StandIn>,
}

/// One of the two.
#[derive(Clone, Debug)]
pub enum StandIn {
    /// Of a user, through a program.
    OAuth { consumer: Pair, user: Pair },
    /// A file with a private key.
    SshKey(PathBuf),
}

/// Who pays.
#[derive(Clone, Debug)]
pub enum Tenancy {
    /// One organization for all jobs.
    Single {
        organization: String,
        credential: Credential,
    },
    /// Each job's top-level group has an organization of its own, in its custom attributes.
    ByGroup {
        /// A token of the coordinator that may read the attributes of all groups.
        attributes_token: Secret,
        attributes: Attributes,
        /// What a group's token is, unless the group says otherwise.
        kind: AuthKind,
        /// Of all groups' OAuth tokens.
        consumer: Pair,
    },
}

/// The names of a group's custom attributes.
#[derive(Clone, Debug)]
pub struct Attributes {
    pub organization: String,
    pub token: String,
    pub secret: String,
    pub kind: String,
    pub budget: String,
}

/// It stands in an address.
fn currency(section: &Section<'_>) -> String {
    let written = section.text(&keys::CC_CURRENCY);
    if written.len() != 3 || !written.chars().all(|c| c.is_ascii_alphabetic()) {
        let what = "`cc_currency` must be a code of three letters, such as EUR";
        section.problem_at(&keys::CC_CURRENCY, what);
    }
    written.to_ascii_uppercase()
}

impl CleverSettings {
    pub(super) fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let kind = section.parsed(&keys::CC_AUTH);
        let machine_type = machine_type(section);
        let settings = Self {
            api_url: section.address(&keys::CC_API_URL),
            bridge_url: section.address(&keys::CC_BRIDGE_URL),
            zone: section.text(&keys::CC_ZONE),
            currency: currency(section),
            budget: section.money(&keys::CC_MONTHLY_BUDGET),
            default_flavor: section.text(&keys::CC_DEFAULT_FLAVOR),
            max_flavor: section.written_text(&keys::CC_MAX_FLAVOR),
            flavor_by_tag: section
                .table(&keys::CC_FLAVOR_BY_TAG)
                .texts()
                .into_iter()
                .collect(),
            repository_timeout: section.patience(&keys::CC_DEPLOYMENT_REPO_TIMEOUT),
            repository_step: section.pause(&keys::CC_DEPLOYMENT_REPO_WAIT_STEP),
            flavor_prefix: section
                .written_text(&keys::CC_FLAVOR_NAME_PREFIX)
                .unwrap_or_else(|| usual_prefix(&machine_type)),
            machine_type,
            git_logins: GitLogins::read(section, secrets, kind),
            environment: environment(section),
            tenancy: Tenancy::read(section, secrets, kind),
        };
        if let Some(kind) = kind {
            check_transport(section, &settings, kind);
        }
        check_flavors(section, &settings);
        settings
    }
}

fn machine_type(section: &Section<'_>) -> MachineType {
    let variant = section.written_text(&keys::CC_INSTANCE_VARIANT_UUID);
    let variant = variant.filter(|variant| !variant.is_empty());
    match section.text(&keys::CC_INSTANCE).as_str() {
        "docker" => return MachineType::Docker { variant },
        "heptapod-runner" => {}
        other => section.problem_at(
            &keys::CC_INSTANCE,
            format!("`cc_instance` is {other:?}; there are heptapod-runner and docker"),
        ),
    }
    MachineType::HeptapodRunner {
        context: section.text(&keys::CC_FLAVOR_CONTEXT),
        variant: variant.unwrap_or_else(|| values::HEPTAPOD_VARIANT.to_owned()),
    }
}

/// Flavors of a family have its name before their own; those of applications are bare.
fn usual_prefix(machine_type: &MachineType) -> String {
    match machine_type {
        MachineType::HeptapodRunner { context, .. } => flavor_prefix(context),
        MachineType::Docker { .. } => String::new(),
    }
}

/// A credential that travels as it is must not be read on the way.
fn check_transport(section: &Section<'_>, settings: &CleverSettings, kind: AuthKind) {
    let (key, url): (&Key, _) = match kind {
        AuthKind::Token | AuthKind::ServiceToken => return,
        AuthKind::OAuth => (&keys::CC_API_URL, &settings.api_url),
        AuthKind::ApiToken => (&keys::CC_BRIDGE_URL, &settings.bridge_url),
    };
    let Ok(uri) = url.parse::<Uri>() else {
        return;
    };
    let is_loopback = uri.host().is_some_and(values::is_loopback);
    if uri.scheme_str() == Some("http") && !is_loopback {
        let (name, kind) = (key.name(), kind.name());
        let why = format!("`{name}` must be https where `cc_auth` is \"{kind}\"");
        section.problem_at(key, why);
    }
}

/// What is certain without a list of flavors; the list itself is asked later.
fn check_flavors(section: &Section<'_>, settings: &CleverSettings) {
    let is_usual = matches!(&settings.machine_type, MachineType::HeptapodRunner { context, .. }
        if context == values::FLAVOR_FAMILY && settings.flavor_prefix == flavor_prefix(context));
    let rank = |flavor: &str| {
        values::USUAL_FLAVORS
            .iter()
            .position(|usual| *usual == flavor)
    };
    let (default, max) = (&settings.default_flavor, settings.max_flavor.as_ref());
    if !is_usual {
        return;
    }
    let written = [
        (&keys::CC_DEFAULT_FLAVOR, Some(default)),
        (&keys::CC_MAX_FLAVOR, max),
    ];
    let by_tag = settings.flavor_by_tag.values();
    let by_tag = by_tag.map(|flavor| (&keys::CC_FLAVOR_BY_TAG, Some(flavor)));
    for (key, flavor) in written.into_iter().chain(by_tag) {
        if let Some(flavor) = flavor.filter(|flavor| rank(flavor).is_none()) {
            let name = key.name();
            let usual = values::USUAL_FLAVORS.join(", ");
            let what = format!("`{name}` is {flavor:?}; Clever Cloud's usual flavors are {usual}");
            section.doubt_at(
                name,
                what,
                "a check that is not --offline tells what is on offer",
            );
        }
    }
    let Some(max) = max else {
        return;
    };
    if rank(default).is_some() && rank(max).is_some() && rank(default) > rank(max) {
        let what = format!(
            "`cc_default_flavor` is {default:?}, above `cc_max_flavor`, {max:?}: no job that names \
             no flavor would get a machine"
        );
        // Who has not chosen it may have jobs that all name one.
        if section.has(&keys::CC_DEFAULT_FLAVOR) {
            section.problem_at(&keys::CC_DEFAULT_FLAVOR, what);
        } else {
            section.doubt_at(keys::CC_MAX_FLAVOR.name(), what, "set `cc_default_flavor`");
        }
    }
}

impl GitLogins {
    fn read(section: &Section<'_>, secrets: &Secrets, kind: Option<AuthKind>) -> Self {
        Self {
            user: section.secret(&keys::CC_AUTH_USER, secrets),
            for_api_token: kind.and_then(|kind| StandIn::read(section, secrets, kind)),
        }
    }
}

impl StandIn {
    fn read(section: &Section<'_>, secrets: &Secrets, kind: AuthKind) -> Option<Self> {
        let key = ssh_key::read(section);
        if kind != AuthKind::ApiToken {
            if key.is_some() {
                let why = format!(
                    "`cc_ssh_key` is for a push where `cc_auth` is \"{}\", but it is \"{}\"",
                    AuthKind::ApiToken.name(),
                    kind.name()
                );
                section.problem_at(&keys::CC_SSH_KEY, why);
            }
            return None;
        }
        Some(key.map_or_else(
            || Self::OAuth {
                consumer: consumer(section, secrets),
                user: Pair {
                    key: section.secret(&keys::CC_GIT_USER, secrets),
                    secret: section.secret(&keys::CC_GIT_PASSWORD, secrets),
                },
            },
            Self::SshKey,
        ))
    }
}

/// The program that OAuth tokens are made for.
fn consumer(section: &Section<'_>, secrets: &Secrets) -> Pair {
    Pair {
        key: section.secret(&keys::CC_CONSUMER_KEY, secrets),
        secret: section.secret(&keys::CC_CONSUMER_SECRET, secrets),
    }
}

impl Tenancy {
    /// Without a `kind` it was refused, and nothing is said that would follow from it.
    fn read(section: &Section<'_>, secrets: &Secrets, kind: Option<AuthKind>) -> Self {
        let consumer = consumer(section, secrets);
        if section.flag(&keys::CC_MULTI_TENANT) {
            let token = &keys::CC_GITLAB_NAMESPACE_ATTRIBUTES_TOKEN;
            return Self::ByGroup {
                attributes_token: section.secret(token, secrets),
                attributes: Attributes {
                    organization: section.text(&keys::CC_ORGA_ID_ATTRIBUTE),
                    token: section.text(&keys::CC_ORGA_TOKEN_ATTRIBUTE),
                    secret: section.text(&keys::CC_ORGA_SECRET_ATTRIBUTE),
                    kind: section.text(&keys::CC_ORGA_AUTH_ATTRIBUTE),
                    budget: section.text(&keys::CC_MONTHLY_BUDGET_ATTRIBUTE),
                },
                kind: kind.unwrap_or(AuthKind::Token),
                consumer,
            };
        }
        let organization = section.text(&keys::CC_ORGA_ID);
        if !organization.is_empty()
            && let Err(why) = values::id(&organization)
        {
            section.problem_at(&keys::CC_ORGA_ID, format!("`cc_orga_id` {why}"));
        }
        if let Some(kind) = kind.filter(|kind| *kind != AuthKind::OAuth)
            && section.has(&keys::CC_SECRET)
        {
            let why = format!(
                "`cc_secret` is the other half of an OAuth token, but `cc_auth` is \"{}\"; for {}, \
                 set cc_auth = \"oauth\"",
                kind.name(),
                AuthKind::OAuth.described()
            );
            section.problem_at(&keys::CC_SECRET, why);
        }
        let token = section.secret(&keys::CC_TOKEN, secrets);
        let secret =
            (kind == Some(AuthKind::OAuth)).then(|| section.secret(&keys::CC_SECRET, secrets));
        Self::Single {
            organization,
            credential: credential(kind.unwrap_or(AuthKind::Token), token, secret, consumer),
        }
    }
}

/// A credential of this kind. Only a pair has two halves.
#[must_use]
pub fn credential(
    kind: AuthKind,
    token: Secret,
    secret: Option<Secret>,
    consumer: Pair,
) -> Credential {
    match kind {
        AuthKind::Token => Credential::Token(token),
        AuthKind::ApiToken => Credential::ApiToken(token),
        AuthKind::ServiceToken => Credential::ServiceToken(token),
        AuthKind::OAuth => Credential::OAuth {
            consumer,
            user: Pair {
                key: token,
                secret: secret.unwrap_or_else(|| Secret::new("")),
            },
        },
    }
}

/// What this credential is, as it is written.
#[must_use]
pub const fn kind_of(credential: &Credential) -> AuthKind {
    match credential {
        Credential::Token(_) => AuthKind::Token,
        Credential::OAuth { .. } => AuthKind::OAuth,
        Credential::ApiToken(_) => AuthKind::ApiToken,
        Credential::ServiceToken(_) => AuthKind::ServiceToken,
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
