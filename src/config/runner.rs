//! One `[[runners]]` section: a runner of one coordinator, and the executor behind it.

use std::fs;
use std::time::Duration;

use ureq::http::Uri;

use super::clever::CleverSettings;
use super::forward;
use super::local_docker::LocalDockerSettings;
use super::secrets::Secrets;
use super::unknown;
use super::written::{SHORTEST_PAUSE, Section};
use crate::names::{RunnerName, short_token};
use crate::secret::Secret;
use crate::trust::has_certificates;

/// The base image of the pushed Dockerfile: Heptapod's fork of gitlab-runner, which alone has the
/// `exec-fetched-job` command.
const MAIN_IMAGE: &str = "registry.heptapod.net:443/heptapod/heptapod-runner/runner:0.7.0";

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
    pub main_image: String,
    pub executor: ExecutorSettings,
    /// The text of `tls-ca-file`: authorities of the coordinator that the system doesn't know.
    pub authorities: Option<String>,
    /// What the inner runner on the machine gets as its `runner.toml`.
    pub inner_configuration: String,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per runner")]
pub enum ExecutorSettings {
    CleverDocker(CleverSettings),
    LocalDocker(LocalDockerSettings),
}

impl ExecutorSettings {
    /// Keys without a prefix that belong to the executor and not to the inner runner.
    const fn own_keys(&self) -> &'static [&'static str] {
        match self {
            Self::CleverDocker(_) => &[],
            Self::LocalDocker(_) => &["host"],
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
    let sections = global.sections("runners");
    if sections.is_empty() {
        global.problem("there is no [[runners]] section: add one per runner of a coordinator");
    }
    let originals = verbatim.get("runners").and_then(toml::Value::as_array);
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
        warnings.extend(unknown::in_shared_section(section));
        let Some(runner) = runner else {
            continue;
        };
        if runners.iter().any(|other| other.name == runner.name) {
            let text = format!("another runner is named {:?} already", runner.name);
            section.problem_at("name", text);
        }
        if runners
            .iter()
            .any(|r| r.url == runner.url && r.token == runner.token)
        {
            section.problem_at(
                "token",
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
    let name = section.required_string("name", "what this runner is called in logs");
    let url = address(
        section,
        "url",
        &section.required_string("url", "the coordinator's address"),
    );
    let secrets = secrets_of(section);
    let token = section.required_secret("token", "the runner's authentication token", &secrets);
    let executor = section.required_string("executor", "such as \"clever-docker\"");
    let executor = match executor.as_str() {
        "clever-docker" => ExecutorSettings::CleverDocker(CleverSettings::read(section, &secrets)),
        "local-docker" => ExecutorSettings::LocalDocker(LocalDockerSettings::read(section)),
        "" => return None,
        other => {
            let text = format!(
                "unknown executor {other:?}; on offer are \"clever-docker\" and \"local-docker\""
            );
            section.problem_at("executor", text);
            return None;
        }
    };
    let shown_token = if section.flag(&["paas_forward_runner_token"], false) {
        token.clone()
    } else {
        short_token(&token)
    };
    let authorities = authorities(section, warnings);
    let main_image = section.string(&["heptapod_runner_main_image"]);
    Some(RunnerSettings {
        unique_name: RunnerName::of(&token, &url, taken),
        quota_max_fraction: section.share(&["quota_max_fraction"]).unwrap_or(1.0),
        trace_watch: TraceWatch::read(section, &secrets),
        main_image: main_image.unwrap_or_else(|| MAIN_IMAGE.to_owned()),
        inner_configuration: forward::inner_configuration(
            original,
            executor.own_keys(),
            &shown_token,
            authorities.is_some(),
        ),
        authorities,
        name,
        url,
        token,
        executor,
    })
}

/// gitlab-runner's own key: it is for us as well as for the machine.
fn authorities(section: &Section<'_>, warnings: &mut Vec<String>) -> Option<String> {
    let path = section
        .string(&["tls-ca-file"])
        .filter(|path| !path.is_empty())?;
    let pem = fs::read_to_string(&path)
        .ok()
        .filter(|pem| has_certificates(pem));
    if pem.is_none() {
        warnings.push(format!(
            "`tls-ca-file` of {}: there is no certificate in {path}; going on without it",
            section.title()
        ));
    }
    pem
}

fn secrets_of(section: &Section<'_>) -> Secrets {
    let Some(path) = section.string(&["secrets_file"]) else {
        return Secrets::none();
    };
    Secrets::load(path.as_ref()).unwrap_or_else(|why| {
        section.problem_at("secrets_file", format!("`secrets_file`: {why}"));
        Secrets::none()
    })
}

/// A user and a password would be shown wherever the address is.
fn has_login(uri: &Uri) -> bool {
    uri.authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
}

/// An http or https address without its trailing slashes.
pub(super) fn address(section: &Section<'_>, key: &str, text: &str) -> String {
    let address = text.trim_end_matches('/');
    let uri = address.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
    let usable = uri
        .as_ref()
        .is_some_and(|uri| uri.host().is_some() && uri.query().is_none() && !has_login(uri));
    let http = matches!(scheme, Some("http" | "https"));
    if !(text.is_empty() || usable && http) {
        let text = format!(
            "`{key}` must be an address such as \"https://heptapod.example.org\", without a login"
        );
        section.problem_at(key, text);
    }
    address.to_owned()
}

impl TraceWatch {
    fn read(section: &Section<'_>, secrets: &Secrets) -> Self {
        let table = section.section(&["paas_job_trace_watch", "job_trace_watch"]);
        let seconds = |keys: &[&'static str], default| {
            table
                .as_ref()
                .and_then(|table| table.seconds(keys))
                .unwrap_or(Duration::from_secs(default))
        };
        Self {
            timeout: seconds(&["timeout_seconds", "timout_seconds"], 300),
            // A billing step of Clever Cloud is 10 s: a cancellation is heard of within one.
            step: seconds(&["poll_step"], 5).max(SHORTEST_PAUSE),
            token: table.and_then(|table| table.secret(&["token"], secrets)),
        }
    }
}
