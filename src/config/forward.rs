//! What a machine may know of a runner's configuration.
//!
//! The inner runner gets the section as the operator wrote it, unknown keys, nested tables, dates
//! and order included, because those are its own settings. It does not get what could provision
//! machines, read other tenants' data or steer us.

use std::fmt;

use toml::{Table, Value};

use super::keys::{self, EXECUTOR, TLS_CA_FILE, TOKEN};
use super::values::ExecutorKind;
use crate::secret::Secret;

/// Where the coordinator's own certificate authorities are on a machine.
const AUTHORITIES: &str = "/etc/heptapod-runner/ca.crt";

/// The machine's `runner.toml`. It may hold secrets, those of a cache for instance, so that it does
/// not print.
#[derive(Clone, Default)]
pub struct InnerConfiguration {
    /// Its only `[[runners]]` section.
    runner: Table,
}

impl InnerConfiguration {
    /// Of a runner's section, as it is written, with as much of its token as a machine may know.
    pub(super) fn of(section: &Table, executor: ExecutorKind, token: &Secret) -> Self {
        let travels = |(key, _): &(&String, _)| keys::travels(key, executor);
        let travelling = section.iter().filter(travels);
        let mut inner = Self {
            runner: travelling.map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        inner.set(EXECUTOR.name(), "docker");
        inner.set(TOKEN.name(), token.reveal());
        inner
    }

    /// The coordinator has authorities of its own, which travel along as a file.
    pub(super) fn trust_authorities(&mut self) {
        self.set(TLS_CA_FILE.name(), AUTHORITIES);
    }

    fn set(&mut self, key: &str, value: &str) {
        let value = Value::String(value.to_owned());
        self.runner.insert(key.to_owned(), value);
    }

    /// The file's text, which may hold secrets.
    #[must_use]
    pub fn render(&self) -> String {
        let runners = Value::Array(vec![Value::Table(self.runner.clone())]);
        Table::from_iter([("runners".to_owned(), runners)]).to_string()
    }
}

impl fmt::Debug for InnerConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InnerConfiguration([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::InnerConfiguration;
    use crate::config::values::ExecutorKind;
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
            cc_of_a_later_version = "secret"
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
        let token = Secret::new("glrt-short");
        let inner = InnerConfiguration::of(&section, ExecutorKind::LocalDocker, &token);
        assert!(!format!("{inner:?}").contains("short"));
        let inner = inner.render();
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
