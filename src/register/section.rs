//! What is written into the configuration, as text.
//!
//! The first half of it goes to a file that lacks it; a `[[runners]]` section always goes. What must
//! be there and was not told is a comment, so that whoever completes the file sees what is missing.

use std::path::PathBuf;

use toml::Value;

use super::flavors::Instance;
use crate::config::Secrets;
use crate::config::keys::{self, Key};
use crate::config::ssh_key;
use crate::config::values::{AuthKind, ExecutorKind, LOCAL_DOCKER_FLAVOR};
use crate::secret::Secret;

/// The image of jobs that name none.
const DEFAULT_IMAGE: &str = "debian:stable-slim";

/// Keys that stand before the first table.
#[derive(Debug)]
pub struct Globals {
    pub state_file: String,
    pub concurrent: u64,
}

/// The new runner, but for its token.
#[derive(Debug)]
pub struct NewRunner {
    pub name: String,
    pub url: String,
    pub executor: Executor,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub enum Executor {
    CleverDocker(Clever),
    LocalDocker,
}

/// What was told of Clever Cloud.
#[derive(Debug)]
pub struct Clever {
    /// Where they are not the usual ones.
    pub api_url: Option<String>,
    pub bridge_url: Option<String>,
    pub organization: Option<String>,
    pub credential: Option<WrittenCredential>,
    /// Where it is not the configuration's own default.
    pub instance: Option<Instance>,
    pub default_flavor: String,
    pub cache: Option<Cache>,
}

/// As it is written: secrets may be references.
#[derive(Debug)]
pub struct WrittenCredential {
    pub kind: AuthKind,
    pub token: Option<Secret>,
    /// With [`AuthKind::OAuth`].
    pub secret: Option<Secret>,
    /// With [`AuthKind::ApiToken`].
    pub git: Option<GitLogin>,
}

/// With what is pushed in an API token's stead.
#[derive(Debug)]
pub enum GitLogin {
    /// A file's path.
    SshKey(String),
    Pair {
        user: Option<Secret>,
        password: Option<Secret>,
    },
}

/// Where the machines keep caches of jobs. The inner runner reads this, so that no secret may be a
/// reference.
#[derive(Debug)]
pub struct Cache {
    /// A host, maybe with a port.
    pub server: String,
    pub bucket: String,
    pub access_key: Secret,
    pub secret_key: Secret,
}

impl Executor {
    const fn kind(&self) -> ExecutorKind {
        match self {
            Self::CleverDocker(_) => ExecutorKind::CleverDocker,
            Self::LocalDocker => ExecutorKind::LocalDocker,
        }
    }

    /// Files that its secrets are in.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::CleverDocker(Clever {
                credential: Some(credential),
                ..
            }) => credential.files(),
            _ => Vec::new(),
        }
    }

    /// What the quota is measured in.
    pub fn reference_flavor(&self) -> &str {
        match self {
            Self::CleverDocker(clever) => &clever.default_flavor,
            Self::LocalDocker => LOCAL_DOCKER_FLAVOR,
        }
    }
}

pub fn globals(globals: &Globals) -> String {
    let state_file = line(&keys::STATE_FILE, &globals.state_file);
    format!("{state_file}concurrent = {}\n", globals.concurrent)
}

/// So many jobs of the new runner's usual size.
pub fn quota(runner: &NewRunner, jobs: u64) -> String {
    let name = line(&keys::REFERENCE_RUNNER, &runner.name);
    let flavor = line(&keys::REFERENCE_FLAVOR, runner.executor.reference_flavor());
    format!("[quota_computation]\n{name}{flavor}reference_jobs_count = {jobs}\n")
}

pub fn runner(runner: &NewRunner, token: &Secret) -> String {
    let head = [
        "[[runners]]\n".to_owned(),
        line(&keys::NAME, &runner.name),
        line(&keys::URL, &runner.url),
        line(&keys::TOKEN, token.reveal()),
        line(&keys::EXECUTOR, runner.executor.kind().name()),
    ];
    let rest = match &runner.executor {
        Executor::CleverDocker(clever) => clever.lines(),
        Executor::LocalDocker => String::new(),
    };
    head.concat() + &rest
}

impl Clever {
    /// Without a maximum no job is taken unless the biggest machine on offer has room in the
    /// quota, and a quota of a few small machines has no room for it.
    fn lines(&self) -> String {
        let instance = self.instance.map(Instance::name);
        let cache = self.cache.as_ref();
        let lines = [
            line_if(&keys::CC_API_URL, self.api_url.as_deref()),
            line_if(&keys::CC_BRIDGE_URL, self.bridge_url.as_deref()),
            line_or_missing(&keys::CC_ORGA_ID, self.organization.as_deref()),
            self.credential.as_ref().map_or_else(
                || missing(&keys::CC_AUTH) + &missing(&keys::CC_TOKEN),
                WrittenCredential::lines,
            ),
            line_if(&keys::CC_INSTANCE, instance),
            line(&keys::CC_DEFAULT_FLAVOR, &self.default_flavor),
            "# Raise it for jobs that ask for more (CI_CLEVER_CLOUD_FLAVOR), and the quota with \
             it: a job\n# is taken only while a machine of this size has room in the quota.\n"
                .to_owned(),
            line(&keys::CC_MAX_FLAVOR, &self.default_flavor),
            "\n[runners.cc_extra_env]\nCC_ENABLE_HEPTAPOD_RUNNER = \"true\"\n".to_owned(),
            format!("\n[runners.docker]\nimage = \"{DEFAULT_IMAGE}\"\n"),
            cache.map_or_else(String::new, Cache::lines),
        ];
        lines.concat()
    }
}

impl WrittenCredential {
    /// Those in which a part of it is.
    fn files(&self) -> Vec<PathBuf> {
        let halves = self.token.iter().chain(&self.secret);
        let git = self.git.as_ref().map_or_else(Vec::new, GitLogin::files);
        halves.filter_map(file_of).chain(git).collect()
    }

    fn lines(&self) -> String {
        let mut lines = line(&keys::CC_AUTH, self.kind.name());
        lines += &secret_or_missing(&keys::CC_TOKEN, self.token.as_ref());
        if self.kind == AuthKind::OAuth {
            lines += &secret_or_missing(&keys::CC_SECRET, self.secret.as_ref());
        }
        lines + &self.git.as_ref().map_or_else(String::new, GitLogin::lines)
    }
}

impl GitLogin {
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::SshKey(path) => vec![ssh_key::path_of(path)],
            Self::Pair { user, password } => {
                user.iter().chain(password).filter_map(file_of).collect()
            }
        }
    }

    fn lines(&self) -> String {
        match self {
            Self::SshKey(path) => line(&keys::CC_SSH_KEY, path),
            Self::Pair { user, password } => {
                let instead = if user.is_none() && password.is_none() {
                    missing(&keys::CC_SSH_KEY)
                } else {
                    String::new()
                };
                instead
                    + &secret_or_missing(&keys::CC_GIT_USER, user.as_ref())
                    + &secret_or_missing(&keys::CC_GIT_PASSWORD, password.as_ref())
            }
        }
    }
}

impl Cache {
    /// Without `Type` there would be no cache, whatever else is said; without `BucketLocation` the
    /// inner runner asks for it each time. Clever page, 6.3.
    fn lines(&self) -> String {
        let text = |text: &str| Value::String(text.to_owned());
        let (server, bucket) = (text(&self.server), text(&self.bucket));
        let access_key = text(self.access_key.reveal());
        let secret_key = text(self.secret_key.reveal());
        format!(
            "\n[runners.cache]\nType = \"s3\"\nShared = true\n\n[runners.cache.s3]\n\
             ServerAddress = {server}\nBucketName = {bucket}\nBucketLocation = \"default\"\n\
             AccessKey = {access_key}\nSecretKey = {secret_key}\nPathStyle = true\n"
        )
    }
}

fn file_of(secret: &Secret) -> Option<PathBuf> {
    Secrets::file_of(secret.reveal())
}

fn line(key: &Key, value: &str) -> String {
    format!("{} = {}\n", key.name(), Value::String(value.to_owned()))
}

fn line_if(key: &Key, value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| line(key, value))
}

fn line_or_missing(key: &Key, value: Option<&str>) -> String {
    value.map_or_else(|| missing(key), |value| line(key, value))
}

fn secret_or_missing(key: &Key, value: Option<&Secret>) -> String {
    line_or_missing(key, value.map(Secret::reveal))
}

fn missing(key: &Key) -> String {
    format!("# {} = \"\"  # {}\n", key.name(), key.help)
}
