//! Every key of the configuration, told once.
//!
//! What is read and what counts when nothing is written, what a misspelt key may have meant, what
//! never travels to a machine, and what the manual has to explain: all of it is in this table. A
//! [`Key`] can't be made elsewhere, so that none is read which is not here. What becomes of a value
//! is not known here.

use std::str::FromStr;

use super::values::{API_URL, BRIDGE_URL, CLI_CONSUMER, ExecutorKind, FLAVOR_FAMILY};

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    names: &'static [&'static str],
    /// The table in which it stands.
    pub whose: Whose,
    pub kind: Kind,
    pub unwritten: Unwritten,
    /// What it is, as the beginning of a sentence; the manual has it in these words.
    pub help: &'static str,
}

/// Whose key it is, and with that the table in which it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The service's: a global key.
    Service,
    /// `[quota_computation]`
    Quota,
    /// A runner's, and the inner runner's as well: it travels to the machine.
    Shared,
    /// A runner's.
    Runner,
    /// A runner's with the executor `clever-docker`.
    CleverDocker,
    /// A runner's with the executor `local-docker`.
    LocalDocker,
    /// `[runners.paas_job_trace_watch]`
    TraceWatch,
}

/// What is written behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that is a secret, or says where one is.
    Secret,
    Flag,
    /// How many there may be, of what must not be none.
    Count,
    /// The same, where 0 has a meaning of its own.
    Limit,
    /// Seconds between two looks or requests, fractions allowed as with all times.
    Pause,
    /// Seconds that there may be between two deeds, or none.
    Spacing,
    /// Seconds that something may take.
    Patience,
    /// Seconds until something is taken anew, or a text as gitlab-runner writes it.
    Age,
    /// Above 0 and at most 1.
    Share,
    /// Above 0.
    Money,
    Table,
    Tables,
}

/// What counts when it is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Nothing: it must be written, at least in the mode in which it is read.
    Required,
    /// This, as if it were written.
    Value(&'static str),
    /// This, in words.
    Words(&'static str),
}

/// Whatever begins so in a runner's section is ours, known or not, and no business of the machine.
const OUR_PREFIXES: [&str; 2] = ["cc_", "paas_"];

impl Key {
    /// As we write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Every spelling that is accepted. When several are written the first one of these counts.
    #[must_use]
    pub const fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// The value that counts when none is written; none, when there is no such value.
    #[must_use]
    pub fn default<T: FromStr>(&self) -> Option<T> {
        match self.unwritten {
            Unwritten::Value(text) => text.parse().ok(),
            Unwritten::Required | Unwritten::Words(_) => None,
        }
    }
}

impl Kind {
    /// What an operator must write, in words.
    #[must_use]
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a text in quotes",
            Self::Flag => "true or false",
            Self::Count => "a whole number, at least 1",
            Self::Limit => "a whole number, not negative",
            Self::Pause => "a number of seconds, at most 3600; 0 is as if it were not written",
            Self::Spacing => "a number of seconds, at most 3600; 0 is none",
            Self::Patience => "a number of seconds above 0, at most 31536000, a year",
            Self::Age => {
                "a number of seconds or a time such as \"15m0s\", at most 31536000 seconds, a year"
            }
            Self::Share => "a number above 0 and at most 1",
            Self::Money => "a number above 0 and at most 1000000000",
            Self::Table => "a table",
            Self::Tables => "an array of tables",
        }
    }
}

impl Whose {
    /// Whose keys a runner's section may have with this executor, if one is known.
    #[must_use]
    pub fn in_runner_with(executor: Option<ExecutorKind>) -> Vec<Self> {
        let own = executor.map(|executor| match executor {
            ExecutorKind::CleverDocker => Self::CleverDocker,
            ExecutorKind::LocalDocker => Self::LocalDocker,
        });
        [Self::Shared, Self::Runner]
            .into_iter()
            .chain(own)
            .collect()
    }
}

/// The spellings of all keys of these.
pub fn names_of(whose: &[Whose]) -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().filter(|key| whose.contains(&key.whose));
    keys.flat_map(|key| key.names).copied()
}

/// Whether a key in a runner's section looks like one of ours.
#[must_use]
pub fn has_our_prefix(name: &str) -> bool {
    OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a key in the section of a runner with this executor may travel to its machines.
#[must_use]
pub fn travels(name: &str, executor: ExecutorKind) -> bool {
    let mut whose = Whose::in_runner_with(Some(executor));
    whose.retain(|whose| *whose != Whose::Shared);
    !has_our_prefix(name) && names_of(&whose).all(|ours| ours != name)
}

macro_rules! keys {
    ($($id:ident: $whose:ident $kind:ident $unwritten:ident $(($value:expr))? [$($name:literal),+] $help:literal;)+) => {
        $(pub static $id: Key = Key {
            names: &[$($name),+],
            whose: Whose::$whose,
            kind: Kind::$kind,
            unwritten: Unwritten::$unwritten $(($value))?,
            help: $help,
        };)+
        /// All of them, in the order of the manual.
        pub static KEYS: &[&Key] = &[$(&$id),+];
    };
}

keys! {
    STATE_FILE: Service Text Required ["state_file"]
        "the path of the file in which running jobs are remembered, such as /var/lib/heptapod-runner/state.json";
    CONCURRENT: Service Count Value("50") ["concurrent", "concurrency"]
        "jobs at once, over all runners";
    CHECK_INTERVAL: Service Pause Value("3") ["check_interval"]
        "the pause between two requests for a job of the same runner";
    // A billing step of Clever Cloud is 10 s: a job's end is noticed within one, whatever the time of
    // day, and nothing is paid for that nobody uses.
    JOB_PROGRESS_POLL_INTERVAL: Service Pause Value("8") ["job_progress_poll_interval", "job_progress_interval"]
        "the pause between two looks whether a running job has ended";
    PAAS_MAX_CONCURRENT_PROVISIONING: Service Count Value("10") ["paas_max_concurrent_provisioning"]
        "launches under way at once: jobs that have room, and have not been seen running yet";
    PAAS_MIN_SECONDS_BETWEEN_LAUNCHES: Service Spacing Value("0") ["paas_min_seconds_between_launches"]
        "the least time between the starts of two launches";
    PAAS_HOLD_JOBS: Service Flag Value("true") ["paas_hold_jobs"]
        "whether a job may be taken that has to wait for room, one for each runner; else a runner asks only while the heaviest job would find room";
    PAAS_HOLD_AT_MOST: Service Share Value("0.5") ["paas_hold_at_most"]
        "how much of its timeout a job may wait so, until it is given back as failed, by which another runner may get it";
    PAAS_REPOLL_SAME_RUNNER_IMMEDIATELY: Service Flag Value("true") ["paas_repoll_same_runner_immediately"]
        "whether a runner that was granted a job asks for another one without a pause";
    PAAS_FINISHED_JOBS_KEEP_RESOURCES: Service Flag Value("false") ["paas_finished_jobs_keep_resources"]
        "whether the machines of jobs that are over are left alone, for somebody who wants to look at them";
    PAAS_DECOMMISSION_LAUNCH_FAILURES: Service Flag Value("true")
        ["paas_decommission_launch_failures", "pass_decommision_launched_failures"]
        "whether the machine goes when a job failed to launch, was canceled before it started or outlived its time";
    PAAS_MAX_MACHINE_AGE: Service Patience Value("86400") ["paas_max_machine_age"]
        "when the machine of a job that has no timeout of its own is taken away";
    PAAS_MAX_JOB_DURATION: Service Patience Words("none") ["paas_max_job_duration"]
        "how long any job may run, whatever its own timeout allows";
    PAAS_MONTHLY_BUDGET: Service Money Words("none") ["paas_monthly_budget"]
        "how much the machines of all runners may cost in a month, in their currency";
    PAAS_LOG_STATISTICS: Service Flag Value("false") ["paas_log_statistics"]
        "whether a line of statistics is logged every check_interval";
    LISTEN_ADDRESS: Service Text Words("none") ["listen_address", "metrics_server"]
        "an address of this computer and a port where metrics and a page are served";
    PAAS_LISTEN_TOKEN: Service Secret Words("none") ["paas_listen_token"]
        "a token that whoever asks there must know";
    CONNECTION_MAX_AGE: Service Age Value("15m0s") ["connection_max_age"]
        "after what time connections, names and certificate files are taken anew; 0 is never";
    LOG_LEVEL: Service Text Value("info") ["log_level"]
        "what is logged: debug, info, warning or error";
    LOG_FORMAT: Service Text Value("text") ["log_format"]
        "how a line of the log is written: text or json";
    QUOTA_COMPUTATION: Service Table Words("as many machines as concurrent says, of the default flavor of the first runner")
        ["quota_computation"]
        "how much may run at once, over all runners";
    RUNNERS: Service Tables Required ["runners"]
        "a section for each runner";

    REFERENCE_RUNNER: Quota Text Required ["reference_runner"]
        "the name of one of the runners";
    REFERENCE_FLAVOR: Quota Text Required ["reference_flavor"]
        "a flavor that this runner's Clever Cloud offers, such as M";
    REFERENCE_JOBS_COUNT: Quota Count Required ["reference_jobs_count"]
        "how many machines of this flavor the quota is worth";
    ALLOWED_FRACTION_PER_RUNNER: Quota Share Value("1") ["allowed_fraction_per_runner", "per_runner_quota_fraction"]
        "the share of the quota that a single runner may use";

    NAME: Shared Text Required ["name"]
        "what the runner is called in the log and in reference_runner";
    URL: Shared Text Required ["url"]
        "the address of the coordinator, http or https, maybe with a path";
    TOKEN: Shared Secret Required ["token"]
        "the runner's authentication token, which the coordinator shows when the runner is created";
    EXECUTOR: Shared Text Required ["executor"]
        "where its jobs run: clever-docker or local-docker";
    SECRETS_FILE: Runner Text Words("none") ["secrets_file"]
        "a flat TOML file of secrets, to which secret:KEY refers";
    LIMIT: Shared Limit Value("0") ["limit"]
        "jobs of this runner at once, those that wait for room included; 0 is as many as there is room for";
    REQUEST_CONCURRENCY: Shared Limit Value("1") ["request_concurrency"]
        "requests for a job of this runner under way at once, at most; there is never more than one, and a grant is followed by the next one";
    QUOTA_MAX_FRACTION: Runner Share Value("1") ["quota_max_fraction"]
        "the share of the quota that this runner may use";
    TLS_CA_FILE: Shared Text Words("none") ["tls-ca-file"]
        "a file in PEM form with certificate authorities of the coordinator that the system does not know";
    TLS_CERT_FILE: Runner Text Words("none") ["tls-cert-file"]
        "a file in PEM form with the certificate that the coordinator wants to see of its clients";
    TLS_KEY_FILE: Runner Text Words("none") ["tls-key-file"]
        "a file in PEM form with the key of that certificate, without a passphrase";
    // Heptapod's fork of gitlab-runner alone has the command `exec-fetched-job`.
    HEPTAPOD_RUNNER_MAIN_IMAGE: Runner Text Value("registry.heptapod.net:443/heptapod/heptapod-runner/runner:0.7.0")
        ["heptapod_runner_main_image"]
        "the image of the inner runner";
    PAAS_FORWARD_RUNNER_TOKEN: Runner Flag Value("false") ["paas_forward_runner_token"]
        "whether machines get the runner's whole token, with which one could take jobs";
    CC_RUNNER_FEATURES: Runner Table Words("empty") ["cc_runner_features"]
        "a table of features that the inner runner's version has (true) or lacks (false), beside the usual ones";
    PAAS_JOB_TRACE_WATCH: Runner Table Words("none") ["paas_job_trace_watch", "job_trace_watch"]
        "a table that says how a job that was handed over is watched until it runs";

    TIMEOUT_SECONDS: TraceWatch Patience Value("300") ["timeout_seconds", "timout_seconds"]
        "how long the job's log may stay empty until the launch has failed";
    // A billing step of Clever Cloud is 10 s: a cancellation is heard of within one.
    POLL_STEP: TraceWatch Pause Value("5") ["poll_step"]
        "the pause between two looks";
    WATCH_TOKEN: TraceWatch Secret Words("none") ["token"]
        "a token of an administrator with the scope read_api";

    CC_ORGA_ID: CleverDocker Text Required ["cc_orga_id"]
        "the organization that pays for the machines, orga_... in the Clever Cloud console";
    CC_AUTH: CleverDocker Text Value("token") ["cc_auth"]
        "what cc_token is: token, oauth, api-token or service-token";
    CC_TOKEN: CleverDocker Secret Required ["cc_token"]
        "a token that may create and delete applications of that organization";
    CC_SECRET: CleverDocker Secret Required ["cc_secret"]
        "the other half of cc_token, where cc_auth is oauth";
    CC_CONSUMER_KEY: CleverDocker Secret Value(CLI_CONSUMER.0) ["cc_consumer_key"]
        "the program for which an oauth token was made; the program clever, unless it is said otherwise";
    CC_CONSUMER_SECRET: CleverDocker Secret Value(CLI_CONSUMER.1) ["cc_consumer_secret"]
        "the other half of cc_consumer_key";
    CC_BRIDGE_URL: CleverDocker Text Value(BRIDGE_URL) ["cc_bridge_url"]
        "the address of the API for api-tokens, which are good nowhere else";
    CC_GIT_USER: CleverDocker Secret Required ["cc_git_user"]
        "the user name of the git push, where cc_auth is api-token and there is no cc_ssh_key: an oauth token";
    CC_GIT_PASSWORD: CleverDocker Secret Required ["cc_git_password"]
        "the password of the git push, where cc_auth is api-token and there is no cc_ssh_key: its secret";
    CC_SSH_KEY: CleverDocker Text Words("none") ["cc_ssh_key"]
        "a file with a private key for the git push by ssh, where cc_auth is api-token";
    CC_AUTH_USER: CleverDocker Secret Value("Jenkins") ["cc_auth_user"]
        "the user name of the git push, where cc_auth is token";
    CC_DEFAULT_FLAVOR: CleverDocker Text Value("M") ["cc_default_flavor"]
        "the flavor of jobs that name none";
    CC_MAX_FLAVOR: CleverDocker Text Words("none") ["cc_max_flavor"]
        "the biggest flavor that a job may ask for";
    CC_FLAVOR_BY_TAG: CleverDocker Table Words("empty") ["cc_flavor_by_tag"]
        "a table of tags and the flavors that jobs with such a tag get, unless they name one; of several the heaviest";
    CC_MAX_FRACTION_PER_GROUP: CleverDocker Share Value("1") ["cc_max_fraction_per_group"]
        "the share of the quota that the jobs of one top-level group may use at once";
    CC_ZONE: CleverDocker Text Value("par") ["cc_zone"]
        "where the machines are";
    CC_CURRENCY: CleverDocker Text Value("EUR") ["cc_currency"]
        "the currency in which machines are told to cost something, such as EUR or USD";
    CC_MONTHLY_BUDGET: CleverDocker Money Words("none") ["cc_monthly_budget"]
        "how much the machines of this runner may cost in a month, in that currency";
    CC_EXTRA_ENV: CleverDocker Table Words("empty") ["cc_extra_env"]
        "a table of environment variables of every application, each a text in quotes";
    CC_DEPLOYMENT_REPO_TIMEOUT: CleverDocker Patience Value("20") ["cc_deployment_repo_timeout"]
        "how long the git repository of a new application may take";
    CC_DEPLOYMENT_REPO_WAIT_STEP: CleverDocker Pause Value("2") ["cc_deployment_repo_wait_step"]
        "the longest pause between two looks whether it is there";
    CC_API_URL: CleverDocker Text Value(API_URL) ["cc_api_url"]
        "the address of Clever Cloud's API";
    CC_FLAVOR_CONTEXT: CleverDocker Text Value(FLAVOR_FAMILY) ["cc_flavor_context"]
        "the family of flavors that Clever Cloud is asked for";
    CC_FLAVOR_NAME_PREFIX: CleverDocker Text Words("the context and a hyphen; empty, where cc_instance is docker") ["cc_flavor_name_prefix"]
        "how Clever Cloud's names of flavors begin; an empty text is taken as it is";
    CC_INSTANCE: CleverDocker Text Value("heptapod-runner") ["cc_instance"]
        "the type of machine: heptapod-runner, which is made for runners and not open to every organization, or docker, which is";
    CC_INSTANCE_VARIANT_UUID: CleverDocker Text Words("70d676a0-a775-4dc9-a43d-3121036e8515, or the one that is listed, where cc_instance is docker")
        ["cc_instance_variant_uuid"]
        "the variant of this type";
    CC_MULTI_TENANT: CleverDocker Flag Value("false") ["cc_multi_tenant"]
        "whether each top-level group of the coordinator pays for its own machines";
    CC_GITLAB_NAMESPACE_ATTRIBUTES_TOKEN: CleverDocker Secret Required ["cc_gitlab_namespace_attributes_token"]
        "a token of an administrator of the coordinator, who may read the custom attributes of groups";
    CC_ORGA_ID_ATTRIBUTE: CleverDocker Text Value("cc_orga_id") ["cc_orga_id_attribute"]
        "the name of the custom attribute that has the organization";
    CC_ORGA_TOKEN_ATTRIBUTE: CleverDocker Text Value("cc_orga_token") ["cc_orga_token_attribute"]
        "the name of the custom attribute that has its token";
    CC_ORGA_SECRET_ATTRIBUTE: CleverDocker Text Value("cc_orga_secret") ["cc_orga_secret_attribute"]
        "the name of the custom attribute that has the other half of the token, where it is of the kind oauth";
    CC_ORGA_AUTH_ATTRIBUTE: CleverDocker Text Value("cc_orga_auth") ["cc_orga_auth_attribute"]
        "the name of the custom attribute that says what the group's token is, where that is not what cc_auth says";
    CC_MONTHLY_BUDGET_ATTRIBUTE: CleverDocker Text Value("cc_monthly_budget") ["cc_monthly_budget_attribute"]
        "the name of the custom attribute that says how much the group's machines may cost in a month";

    HOST: LocalDocker Text Words("the environment variable DOCKER_HOST, else unix:///var/run/docker.sock") ["host"]
        "the engine's address";
}
