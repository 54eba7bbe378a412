//! Whatever is in a file stays in it, and what comes behind it is read as it was meant.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::{
    Addition, Configuration, MODE, Replacement, SERVICE_USER, parse, runners_in, service_user, text,
};
use crate::config::Config;
use crate::config::values::AuthKind;
use crate::register::flavors::Instance;
use crate::register::section::{Cache, Clever, Executor, Globals, NewRunner, WrittenCredential};
use crate::secret::Secret;

fn found(content: &str) -> Configuration {
    Configuration {
        path: "paas-runner.toml".into(),
        text: content.to_owned(),
        document: parse(content).unwrap(),
        metadata: None,
    }
}

fn new_runner(name: &str, executor: Executor) -> NewRunner {
    NewRunner {
        name: name.to_owned(),
        url: "https://heptapod.example.org/".to_owned(),
        executor,
    }
}

fn clever(organization: &str) -> Executor {
    Executor::CleverDocker(Clever {
        api_url: None,
        bridge_url: None,
        organization: Some(organization.to_owned()),
        credential: Some(WrittenCredential {
            kind: AuthKind::OAuth,
            token: Some(Secret::new("cc\\to\"ken")),
            secret: Some(Secret::new("its secret")),
            git: None,
        }),
        instance: Some(Instance::Docker),
        default_flavor: "M".to_owned(),
        cache: Some(Cache {
            server: "cellar.example.org".to_owned(),
            bucket: "ci".to_owned(),
            access_key: Secret::new("a"),
            secret_key: Secret::new("b"),
        }),
    })
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn a_new_configuration_loads_with_every_executor() {
    for executor in [clever("orga_1"), Executor::LocalDocker] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("paas-runner.toml");
        let globals = Globals {
            state_file: "/var/lib/\"heptapod\"/state.json".to_owned(),
            concurrent: 12,
        };
        let configuration = Configuration::read(&path).unwrap();
        assert!(configuration.is_new() && configuration.takes_globals());
        let addition = Addition {
            globals: Some(&globals),
            jobs: Some(3),
            runner: &new_runner("été \"ci\"", executor),
            token: &Secret::new("glrt-1"),
        };
        let text = configuration.with(&addition).unwrap();
        Replacement::begin(&path).unwrap().finish(&text).unwrap();
        let config = Config::load(&path).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(
            config.state_file.to_str(),
            Some("/var/lib/\"heptapod\"/state.json")
        );
        assert_eq!(config.concurrent, 12);
        assert_eq!(config.quota.reference_runner, "été \"ci\"");
        assert_eq!(config.quota.reference_jobs_count, 3);
        assert_eq!(config.runners[0].token, Secret::new("glrt-1"));
        assert_eq!(files_in(folder.path()), ["paas-runner.toml"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }
}

#[test]
fn a_replacement_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    drop(Replacement::begin(&path).unwrap());
    assert_eq!(files_in(folder.path()), Vec::<String>::new());
}

#[test]
fn what_nothing_can_be_appended_to_is_refused() {
    let runner = new_runner("ci", Executor::LocalDocker);
    let addition = Addition {
        globals: None,
        jobs: None,
        runner: &runner,
        token: &Secret::new("t"),
    };
    for content in [
        "runners = []\n",
        "runners = 3\n",
        "[runners]\nname = \"x\"\n",
    ] {
        let why = found(content).with(&addition).unwrap_err();
        assert!(why.contains("paas-runner.toml"), "{why}");
        assert!(found(content).takes_a_runner().is_err());
    }
}

#[test]
fn a_key_can_be_appended_where_no_table_has_begun() {
    for (content, takes) in [
        ("", true),
        ("# only a comment", true),
        ("log_level = \"info\"", true),
        ("concurrent = 3", false),
        ("quota_computation = { reference_jobs_count = 1 }\n", true),
        ("[quota_computation]\n", false),
        ("concurrency = 3", false),
        ("concurrent = 3\n[[runners]]\n", false),
        ("state_file = \"x\"\n", false),
        ("state_file = \"x\"\n[[runners]]\n", false),
    ] {
        assert_eq!(found(content).takes_globals(), takes, "{content:?}");
    }
}

#[test]
fn a_runner_is_found_by_its_name_and_by_its_token() {
    let configuration =
        found("[[runners]]\nname = \"a\"\nurl = \"https://x\"\ntoken = \"t\"\n[[runners]]\n");
    assert!(configuration.has_runner_named("a") && !configuration.has_runner_named("b"));
    assert_eq!(configuration.runner_with("https://x/", "t"), Some("a"));
    assert_eq!(configuration.runner_with("https://y", "t"), None);
}

#[test]
fn the_services_user_is_the_one_of_its_unit() {
    let unit = include_str!("../../install/heptapod-paas-runner.service");
    assert!(unit.contains(&format!("\nUser={SERVICE_USER}\n")));
    let passwd = "root:x:0:0:root:/root:/bin/sh\n\nheptapod-runner:x:998:997::/:/bin/false\n";
    assert_eq!(service_user(passwd), Some((998, 997)));
    assert_eq!(service_user("root:x:0:0::/:/bin/sh\n"), None);
}

fn any_runners() -> impl Strategy<Value = Vec<(String, String)>> {
    // Everything that TOML can hold in a text.
    proptest::collection::vec((any::<String>(), "[ \t]*(#[a-zé ]*)?"), 0..4)
}

proptest! {
    #[test]
    fn appending_keeps_every_byte_and_reads_back_what_was_meant(
        before in any_runners(),
        line_end in prop::sample::select(vec!["\n", "\r\n"]),
        last_line_ends in any::<bool>(),
        name in any::<String>(),
        secret in any::<String>(),
        jobs in proptest::option::of(1_u64..1000),
    ) {
        let mut content = String::new();
        for (name, comment) in &before {
            let name = toml::Value::String(name.clone());
            let lines = ["[[runners]]".to_owned(), format!("name = {name}"), comment.clone()];
            content += &(lines.join(line_end) + line_end);
        }
        content += "# the end";
        if last_line_ends {
            content += line_end;
        }
        let configuration = found(&content);
        let runner = new_runner(&name, clever("orga_1"));
        let token = Secret::new(secret.as_str());
        let addition = Addition { globals: None, jobs, runner: &runner, token: &token };
        let longer = configuration.with(&addition).unwrap();
        prop_assert!(longer.starts_with(&content));
        let document = parse(&longer).unwrap();
        let runners: Vec<_> = runners_in(&document).collect();
        prop_assert_eq!(runners.len(), before.len() + 1);
        let last = runners[before.len()];
        prop_assert_eq!(text(last, "name"), name);
        prop_assert_eq!(text(last, "token"), secret);
        prop_assert_eq!(text(last, "cc_token"), "cc\\to\"ken");
        prop_assert_eq!(document.contains_key("quota_computation"), jobs.is_some());
    }
}
