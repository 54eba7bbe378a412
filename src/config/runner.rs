//! One `[[runners]]` section: a runner of one coordinator, and the executor behind it.

use std::path::PathBuf;
use std::time::Duration;

use super::cache;
use super::clever::CleverSettings;
use super::forward::InnerConfiguration;
use super::keys;
use super::local_docker::LocalDockerSettings;
use super::secrets::Secrets;
use super::unknown;
use super::values::{ExecutorKind, LOCAL_DOCKER_FLAVOR};
use super::written::Section;
use crate::names::{RunnerName, short_token};
use crate::secret::Secret;
use crate::trust::{Authorities, Identity, Trust, Unusable};

#[derive(Debug)]
pub struct RunnerSettings {
    pub name: String,
    pub unique_name: RunnerName,
    /// The coordinator's address without a trailing slash; it may have a path.
    pub url: String,
    pub token: Secret,
    /// Jobs at once, at most.
    pub limit: Option<usize>,
    /// This runner's part of the quota, at most.
    pub quota_max_fraction: f64,
    /// What one group's jobs may use of the quota, at most.
    pub max_fraction_per_group: f64,
    pub trace_watch: TraceWatch,
    /// What the inner runner can do, or can't, beside the usual.
    pub features: Vec<(String, bool)>,
    /// The base image of the pushed Dockerfile.
    pub main_image: String,
    pub executor: ExecutorSettings,
    /// Whom to believe as the coordinator, and as whom it sees us.
    pub trust: Trust,
    /// What the inner runner on the machine gets as its `runner.toml`.
    pub inner_configuration: InnerConfiguration,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per runner")]
pub enum ExecutorSettings {
    CleverDocker(CleverSettings),
    LocalDocker(LocalDockerSettings),
}

impl ExecutorSettings {
    /// Of jobs that name none.
    #[must_use]
    pub fn default_flavor(&self) -> &str {
        match self {
            Self::CleverDocker(clever) => &clever.default_flavor,
            Self::LocalDocker(_) => LOCAL_DOCKER_FLAVOR,
        }
    }

    /// What its machines may cost in a month.
    #[must_use]
    pub const fn budget(&self) -> Option<f64> {
        match self {
            Self::CleverDocker(clever) => clever.budget,
            Self::LocalDocker(_) => None,
        }
    }

    #[must_use]
    pub const fn kind(&self) -> ExecutorKind {
        match self {
            Self::CleverDocker(_) => ExecutorKind::CleverDocker,
            Self::LocalDocker(_) => ExecutorKind::LocalDocker,
        }
    }
}

/// How a launched job is watched until its log grows.
#[derive(Debug)]
pub struct TraceWatch {
    /// An administrator's token, where one is configured. Without it the job's own token does.
    pub token: Option<Secret>,
    pub timeout: Duration,
    pub step: Duration,
}

/// All runners of the file, and their names, those of sections that can't be read included.
pub(super) fn read_all(
    global: &Section<'_>,
    verbatim: &toml::Table,
) -> (Vec<RunnerSettings>, Vec<String>) {
    let sections = global.tables(&keys::RUNNERS);
    if sections.is_empty() && !global.is_wrong(&keys::RUNNERS) {
        global.problem("there is no [[runners]] section: add one per runner of a coordinator");
    }
    let originals = verbatim
        .get(keys::RUNNERS.name())
        .and_then(toml::Value::as_array);
    let originals = originals.map(Vec::as_slice).unwrap_or_default();
    let mut runners: Vec<RunnerSettings> = Vec::new();
    let mut names = Vec::new();
    for (section, original) in sections.iter().zip(originals) {
        let Some(original) = original.as_table() else {
            continue;
        };
        let taken: Vec<_> = runners
            .iter()
            .map(|runner| runner.unique_name.clone())
            .collect();
        let name = section.text(&keys::NAME);
        if !name.is_empty() && names.contains(&name) {
            let text = format!("another runner is named {name:?} already");
            section.problem_at(&keys::NAME, text);
        }
        names.push(name.clone());
        let executor = executor_of(section);
        let assumed = executor.or_else(|| assumed(section));
        if assumed.is_some() {
            unknown::in_runner(section, assumed);
        }
        let runner = read(section, name, original, assumed, &taken);
        let Some(runner) = runner.filter(|_| executor.is_some()) else {
            continue;
        };
        if !runner.token.reveal().is_empty()
            && runners
                .iter()
                .any(|r| r.url == runner.url && r.token == runner.token)
        {
            section.problem_at(
                &keys::TOKEN,
                "another runner has the same `url` and `token` already",
            );
        }
        if let Some(other) = runners.first()
            && other.executor.kind() != runner.executor.kind()
        {
            let what = format!(
                "`executor` is {}, but that of {:?} is {}: their jobs' weights don't compare, and \
                 share one quota",
                runner.executor.kind(),
                other.name,
                other.executor.kind()
            );
            let remedy = "give each executor a service of its own";
            section.doubt_at(keys::EXECUTOR.name(), what, remedy);
        }
        runners.push(runner);
    }
    // A section without a name may be any.
    if names.iter().any(String::is_empty) {
        names.clear();
    }
    (runners, names)
}

/// Whose keys these seem to be, where no executor is known: so that they are judged all the same.
fn assumed(section: &Section<'_>) -> Option<ExecutorKind> {
    let mut keys = section.written_keys();
    keys.any(|key| key.starts_with("cc_"))
        .then_some(ExecutorKind::CleverDocker)
}

/// None without an executor; what can be judged without one is judged first.
fn read(
    section: &Section<'_>,
    name: String,
    original: &toml::Table,
    executor: Option<ExecutorKind>,
    taken: &[RunnerName],
) -> Option<RunnerSettings> {
    let url = section.address(&keys::URL);
    if url.ends_with("/api/v4") {
        section.problem_at(
            &keys::URL,
            "`url` must be the address of the instance itself, without /api/v4, which is added",
        );
    }
    let secrets = secrets_of(section);
    let token = section.secret(&keys::TOKEN, &secrets);
    let executor = match executor {
        Some(ExecutorKind::CleverDocker) => Some(ExecutorSettings::CleverDocker(
            CleverSettings::read(section, &secrets),
        )),
        Some(ExecutorKind::LocalDocker) => Some(ExecutorSettings::LocalDocker(
            LocalDockerSettings::read(section),
        )),
        None => None,
    };
    let trust = Trust {
        authorities: authorities(section),
        identity: identity(section),
    };
    let limit = limit(section);
    let forwards_token = section.flag(&keys::PAAS_FORWARD_RUNNER_TOKEN);
    let quota_max_fraction = section.share(&keys::QUOTA_MAX_FRACTION);
    let max_fraction_per_group = section.share(&keys::CC_MAX_FRACTION_PER_GROUP);
    let trace_watch = TraceWatch::read(section, &secrets);
    let main_image = section.text(&keys::HEPTAPOD_RUNNER_MAIN_IMAGE);
    cache::check(section);
    let executor = executor?;
    let shown_token = if forwards_token {
        token.clone()
    } else {
        short_token(&token)
    };
    let mut inner = InnerConfiguration::of(original, executor.kind(), &shown_token);
    if trust.authorities.is_some() {
        inner.trust_authorities();
    }
    Some(RunnerSettings {
        unique_name: RunnerName::of(&token, &url, taken),
        limit,
        quota_max_fraction,
        max_fraction_per_group,
        trace_watch,
        features: section.table(&keys::CC_RUNNER_FEATURES).flags(),
        main_image,
        inner_configuration: inner,
        trust,
        name,
        url,
        token,
        executor,
    })
}

/// gitlab-runner's own keys for how much a runner asks.
fn limit(section: &Section<'_>) -> Option<usize> {
    if section.limit(&keys::REQUEST_CONCURRENCY) > 1 {
        let name = keys::REQUEST_CONCURRENCY.name();
        let what = format!("`{name}` above 1 has no effect: a runner has one request under way");
        let remedy = "none is needed: a grant is followed by the next request at once";
        section.doubt_at(name, what, remedy);
    }
    let limit = usize::try_from(section.limit(&keys::LIMIT)).unwrap_or(usize::MAX);
    (limit > 0).then_some(limit)
}

fn executor_of(section: &Section<'_>) -> Option<ExecutorKind> {
    let name = section.text(&keys::EXECUTOR);
    let kind = name.parse();
    if let Err(why) = &kind
        && !name.is_empty()
    {
        section.problem_at(&keys::EXECUTOR, why);
    }
    kind.ok()
}

/// gitlab-runner's own key: it is for us as well as for the machine.
fn authorities(section: &Section<'_>) -> Option<Authorities> {
    let path = section.text(&keys::TLS_CA_FILE);
    if path.is_empty() {
        return None;
    }
    let warn = |why: &str| {
        let what = format!("`tls-ca-file` of {}: {why}", section.title());
        let remedy = "name a file with the certificates of authorities";
        section.doubt_at(keys::TLS_CA_FILE.name(), what, remedy);
    };
    match Authorities::read(path.into()) {
        Ok((authorities, complaint)) => {
            if let Some(why) = complaint {
                warn(&why);
            }
            Some(authorities)
        }
        Err(why) => {
            warn(&format!("{why}; going on without it"));
            None
        }
    }
}

/// gitlab-runner's own keys, which are for us alone: the files are not on the machine.
fn identity(section: &Section<'_>) -> Option<Identity> {
    let (certificate, key) = (&keys::TLS_CERT_FILE, &keys::TLS_KEY_FILE);
    let identity = Identity {
        certificate: section.text(certificate).into(),
        key: section.text(key).into(),
    };
    let lacks = |path: &PathBuf| path.as_os_str().is_empty();
    let (there, missing) = match (lacks(&identity.certificate), lacks(&identity.key)) {
        (true, true) => return None,
        (true, false) => (key, certificate),
        (false, true) => (certificate, key),
        (false, false) => {
            let (key, why) = match identity.read() {
                Ok(_) => return Some(identity),
                Err(Unusable::Certificate(why)) => (certificate, why),
                Err(Unusable::Key(why)) => (key, why),
            };
            section.problem_at(key, format!("`{}`: {why}", key.name()));
            return None;
        }
    };
    let (there_name, missing) = (there.name(), missing.name());
    section.problem_at(there, format!("`{there_name}` needs `{missing}` beside it"));
    None
}

fn secrets_of(section: &Section<'_>) -> Secrets {
    let path = section.text(&keys::SECRETS_FILE);
    if path.is_empty() || !section.fetches_secrets() {
        return Secrets::None;
    }
    section.has_secrets_in(&keys::SECRETS_FILE, path.clone().into());
    Secrets::load(path.as_ref()).unwrap_or_else(|why| {
        section.problem_at(&keys::SECRETS_FILE, format!("`secrets_file`: {why}"));
        Secrets::Unreadable
    })
}

impl TraceWatch {
    fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let table = section.table(&keys::PAAS_JOB_TRACE_WATCH);
        Self {
            timeout: table.patience(&keys::TIMEOUT_SECONDS),
            step: table.pause(&keys::POLL_STEP),
            token: table.optional_secret(&keys::WATCH_TOKEN, secrets),
        }
    }
}
