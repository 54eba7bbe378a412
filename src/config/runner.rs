//! One `[[runners]]` section: a runner of one coordinator, and the executor behind it.

use std::path::PathBuf;
use std::time::Duration;

use super::clever::CleverSettings;
use super::forward::InnerConfiguration;
use super::keys;
use super::local_docker::LocalDockerSettings;
use super::secrets::Secrets;
use super::unknown;
use super::values::ExecutorKind;
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
    /// This runner's part of the quota, at most.
    pub quota_max_fraction: f64,
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

pub(super) fn read_all(
    global: &Section<'_>,
    verbatim: &toml::Table,
    warnings: &mut Vec<String>,
) -> Vec<RunnerSettings> {
    let sections = global.tables(&keys::RUNNERS);
    if sections.is_empty() {
        global.problem("there is no [[runners]] section: add one per runner of a coordinator");
    }
    let originals = verbatim
        .get(keys::RUNNERS.name())
        .and_then(toml::Value::as_array);
    let originals = originals.map(Vec::as_slice).unwrap_or_default();
    let mut runners: Vec<RunnerSettings> = Vec::new();
    for (section, original) in sections.iter().zip(originals) {
        let Some(original) = original.as_table() else {
            continue;
        };
        let taken: Vec<_> = runners
            .iter()
            .map(|runner| runner.unique_name.clone())
            .collect();
        let runner = read(section, original, &taken, warnings);
        let executor = runner.as_ref().map(|runner| runner.executor.kind());
        warnings.extend(unknown::in_runner(section, executor));
        let Some(runner) = runner else {
            continue;
        };
        if runners.iter().any(|other| other.name == runner.name) {
            let text = format!("another runner is named {:?} already", runner.name);
            section.problem_at(&keys::NAME, text);
        }
        if runners
            .iter()
            .any(|r| r.url == runner.url && r.token == runner.token)
        {
            section.problem_at(
                &keys::TOKEN,
                "another runner has the same `url` and `token` already",
            );
        }
        runners.push(runner);
    }
    runners
}

fn read(
    section: &Section<'_>,
    original: &toml::Table,
    taken: &[RunnerName],
    warnings: &mut Vec<String>,
) -> Option<RunnerSettings> {
    let name = section.text(&keys::NAME);
    let url = section.address(&keys::URL);
    let secrets = secrets_of(section);
    let token = section.secret(&keys::TOKEN, &secrets);
    let executor = match executor_of(section)? {
        ExecutorKind::CleverDocker => {
            ExecutorSettings::CleverDocker(CleverSettings::read(section, &secrets))
        }
        ExecutorKind::LocalDocker => {
            ExecutorSettings::LocalDocker(LocalDockerSettings::read(section))
        }
    };
    let shown_token = if section.flag(&keys::PAAS_FORWARD_RUNNER_TOKEN) {
        token.clone()
    } else {
        short_token(&token)
    };
    let mut inner = InnerConfiguration::of(original, executor.kind(), &shown_token);
    let trust = Trust {
        authorities: authorities(section, warnings),
        identity: identity(section),
    };
    if trust.authorities.is_some() {
        inner.trust_authorities();
    }
    Some(RunnerSettings {
        unique_name: RunnerName::of(&token, &url, taken),
        quota_max_fraction: section.share(&keys::QUOTA_MAX_FRACTION),
        trace_watch: TraceWatch::read(section, &secrets),
        features: section.table(&keys::CC_RUNNER_FEATURES).flags(),
        main_image: section.text(&keys::HEPTAPOD_RUNNER_MAIN_IMAGE),
        inner_configuration: inner,
        trust,
        name,
        url,
        token,
        executor,
    })
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
fn authorities(section: &Section<'_>, warnings: &mut Vec<String>) -> Option<Authorities> {
    let path = section.text(&keys::TLS_CA_FILE);
    if path.is_empty() {
        return None;
    }
    let mut warn = |why: &str| {
        warnings.push(format!("`tls-ca-file` of {}: {why}", section.title()));
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
    if path.is_empty() {
        return Secrets::none();
    }
    Secrets::load(path.as_ref()).unwrap_or_else(|why| {
        section.problem_at(&keys::SECRETS_FILE, format!("`secrets_file`: {why}"));
        Secrets::none()
    })
}

impl TraceWatch {
    fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let table = section.table(&keys::PAAS_JOB_TRACE_WATCH);
        Self {
            timeout: table.seconds(&keys::TIMEOUT_SECONDS),
            step: table.pause(&keys::POLL_STEP),
            token: table.optional_secret(&keys::WATCH_TOKEN, secrets),
        }
    }
}
