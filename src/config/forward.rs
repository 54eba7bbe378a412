//! What a machine may know of a runner's configuration.
//!
//! The inner runner gets the section as the operator wrote it, unknown keys, nested tables, dates
//! and order included, because those are its own settings. It does not get what could provision
//! machines, read other tenants' data or steer us.

use toml::{Table, Value};

use crate::secret::Secret;

/// Whatever begins so is ours.
const OUR_PREFIXES: [&str; 2] = ["cc_", "paas_"];

/// Ours as well, though named like the inner runner's.
const OUR_KEYS: [&str; 4] = [
    "heptapod_runner_main_image",
    "job_trace_watch",
    "quota_max_fraction",
    "secrets_file",
];

/// Where the coordinator's own certificate authorities are on a machine.
const AUTHORITIES: &str = "/etc/heptapod-runner/ca.crt";

/// The text of the machine's `runner.toml`: one `[[runners]]` section for the docker executor.
/// `executors`: keys that are the executor's. `authorities`: a file of them travels along.
pub(super) fn inner_configuration(
    section: &Table,
    executors: &[&str],
    token: &Secret,
    authorities: bool,
) -> String {
    let mut runner = Table::new();
    for (key, value) in section {
        let ours = OUR_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
            || OUR_KEYS.contains(&key.as_str())
            || executors.contains(&key.as_str());
        if !ours {
            runner.insert(key.clone(), value.clone());
        }
    }
    runner.insert("executor".to_owned(), Value::String("docker".to_owned()));
    runner.insert("token".to_owned(), Value::String(token.reveal().to_owned()));
    if authorities {
        let path = Value::String(AUTHORITIES.to_owned());
        runner.insert("tls-ca-file".to_owned(), path);
    }
    let mut file = Table::new();
    file.insert(
        "runners".to_owned(),
        Value::Array(vec![Value::Table(runner)]),
    );
    file.to_string()
}

#[cfg(test)]
mod tests {
    use super::inner_configuration;
    use crate::secret::Secret;

    #[test]
    fn a_machine_gets_the_inner_runners_settings_and_none_of_ours() {
        let section: toml::Table = toml::from_str(
            r#"
            name = "ci"
            executor = "clever-docker"
            cc_token = "very-secret"
            paas_job_trace_watch = { token = "admin-secret" }
            job_trace_watch = { token = "admin-secret" }
            quota_max_fraction = 0.5
            host = "unix:///secret/engine"
            since = 2024-02-03T04:05:06Z
            [docker]
            volumes = ["/cache"]
            [docker.deeper.still]
            zebra = 1
            ant = 2
            "#,
        )
        .unwrap();
        let inner = inner_configuration(&section, &["host"], &Secret::new("glrt-short"), false);
        assert!(
            !inner.contains("secret") && !inner.contains("quota"),
            "{inner}"
        );
        let read: toml::Table = toml::from_str(&inner).unwrap();
        let runner = read["runners"][0].as_table().unwrap();
        assert_eq!(runner["executor"].as_str(), Some("docker"));
        assert_eq!(runner["docker"], section["docker"]);
        assert_eq!(runner["since"], section["since"]);
        assert!(inner.find("zebra") < inner.find("ant"), "{inner}");
    }
}
