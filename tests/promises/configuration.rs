//! A wrong configuration is told whole, with places and remedies.

use std::fs;
use std::time::Duration;

use heptapod_paas_runner::config::Config;
use heptapod_paas_runner::config::keys::{KEYS, Key, Kind, Unwritten, Whose};

use crate::scene::Scene;
use crate::service::Service;

/// The exit code and the output for a configuration.
fn refused(configuration: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    fs::write(&path, configuration).unwrap();
    let (exit, log) = Service::start(&[path.display().to_string()], &[]).wait();
    (
        exit.code(),
        log.replace(&path.display().to_string(), "FILE"),
    )
}

#[test]
fn a_file_that_is_not_there() {
    let (exit, log) = Service::start(&["/nowhere/paas.toml".to_owned()], &[]).wait();
    assert_eq!(exit.code(), Some(2));
    assert!(
        log.contains("cannot read the configuration /nowhere/paas.toml"),
        "{log}"
    );
}

#[test]
fn toml_that_does_not_parse_is_told_by_line_and_column() {
    let (exit, log) = refused("state_file = \"x\"\nconcurrent = = 3\n");
    assert_eq!(exit, Some(2));
    assert!(log.contains("FILE:2:14: not valid TOML"), "{log}");
}

#[test]
fn all_problems_are_told_at_once_with_their_lines() {
    let (exit, log) = refused(
        "concurrent = \"many\"\ncheck_interval = -1\nconnection_max_age = \"15\"\n[quota_computation]\n\
         reference_runner = \"c1\"\nreference_flavor = \"M\"\nreference_jobs_count = 0\n\n\
         [[runners]]\nname = \"ci\"\nurl = \"heptapod.example.org\"\nexecutor = \"clever-docker\"\n\
         cc_multi_tenant = \"yes\"\n",
    );
    assert_eq!(exit, Some(2));
    for expected in [
        "FILE:1: `concurrent` must be a whole number",
        "FILE:2: `check_interval` must be a number of seconds",
        "FILE:3: `connection_max_age` must be a number of seconds or a time such as \"15m0s\"",
        "FILE:7: `reference_jobs_count`",
        "FILE:5: there is no runner named \"c1\"; the runners are \"ci\"",
        "FILE:11: `url` must be an address",
        "`token` is missing in [[runners]] number 1",
        "`cc_orga_id` is missing",
        "`cc_token` is missing",
        "FILE:13: `cc_multi_tenant` must be true or false",
        "`state_file` is missing",
    ] {
        assert!(log.contains(expected), "{expected}\n--\n{log}");
    }
}

/// gitlab-runner writes it as a text.
#[test]
fn the_age_of_connections_is_written_in_two_ways() {
    let mut scene = Scene::new();
    for (written, seconds) in [
        ("", 900.0),
        ("connection_max_age = \"15m0s\"", 900.0),
        ("connection_max_age = \"1h2m3s\"", 3723.0),
        ("connection_max_age = \"1.5s\"", 1.5),
        ("connection_max_age = \"0s\"", 0.0),
        ("connection_max_age = 0.25", 0.25),
        ("connection_max_age = 0", 0.0),
    ] {
        written.clone_into(&mut scene.global);
        scene.write_configuration();
        let config = Config::load(&scene.config_path()).unwrap();
        let age = config.connection_max_age;
        assert_eq!(age, Duration::from_secs_f64(seconds), "{written}");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
}

#[test]
fn a_configuration_without_runners_is_a_bad_one() {
    let (exit, log) = refused("state_file = \"s\"\n");
    assert_eq!(exit, Some(2));
    assert!(log.contains("there is no [[runners]] section"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn a_missing_quota_is_as_many_machines_as_there_may_be_jobs() {
    let quota = "[quota_computation]\nreference_runner = \"ci\"\nreference_flavor = \"3XL\"\n\
                 reference_jobs_count = 8\n";
    let mut scene = Scene::new();
    for (runner, told, weight) in [
        (
            "",
            "the quota is 3 machines of the flavor M",
            "the quota is 40.36, the weight of 3 times the flavor M",
        ),
        (
            "cc_default_flavor = \"XS\"",
            "the quota is 3 machines of the flavor XS",
            "the quota is 7.14, the weight of 3 times the flavor XS",
        ),
    ] {
        scene.global = "concurrent = 3".to_owned();
        scene.runner = runner.to_owned();
        let service = scene.start_changed(&[(quota, "")]);
        service.await_log(told);
        service.await_log(weight);
    }
}

/// As editors on Windows write it.
#[test]
fn a_file_with_carriage_returns_and_a_mark_is_the_same_and_so_are_its_texts() {
    let mut scene = Scene::new();
    scene.runner = "pre_build_script = \"\"\"\necho a\necho b\n\"\"\"\n".to_owned();
    let plain = scene.configuration();
    let marked = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    let (plain, marked) = (load(&plain), load(&marked));
    assert_eq!(format!("{plain:?}"), format!("{marked:?}"));
    let inner = |config: &Config| config.runners[0].inner_configuration.render();
    assert_eq!(inner(&plain), inner(&marked));
    let inner = inner(&marked);
    assert!(inner.contains("echo a"), "{inner}");
    assert!(!inner.contains("\\r") && !inner.contains('\r'), "{inner}");
}

#[test]
fn an_error_has_the_line_that_an_editor_shows_whatever_ends_the_lines() {
    let wrong = "concurrent = \"many\"";
    for text in [
        format!("\n\n{wrong}\n"),
        format!("\u{feff}\r\n\r\n{wrong}\r\n"),
    ] {
        let (_, log) = refused(&text);
        assert!(log.contains("FILE:3: `concurrent`"), "{log}");
    }
}

#[test]
fn an_unknown_executor_is_named() {
    let town = Scene::new();
    let (exit, log) = refused(&town.configuration().replace("clever-docker", "shell"));
    assert_eq!(exit, Some(2));
    assert!(
        log.contains("unknown executor \"shell\"") && log.contains("clever-docker"),
        "{log}"
    );
}

#[test]
fn suspicious_keys_are_reported_with_a_suggestion_and_nothing_else_is() {
    let mut town = Scene::new();
    town.global = "concurent = 3\nsentry_dsn = \"x\"".to_owned();
    town.runner = "cc_max_flavour = \"M\"\nrequest_concurrency = 1\noutput_limit = 4096".to_owned();
    let service = town.start();
    service.await_log("unknown key `concurent` in the configuration; did you mean `concurrent`?");
    service.await_log("unknown key `cc_max_flavour`");
    service.await_log("the quota is");
    let log = service.whole_log();
    for fine in [
        "sentry_dsn",
        "request_concurrency",
        "output_limit",
        "docker",
    ] {
        assert!(!log.contains(&format!("unknown key `{fine}`")), "{log}");
    }
}

#[test]
fn what_the_program_prints_works_as_it_is() {
    let print = |option: &str| {
        let output = std::process::Command::new(crate::service::program())
            .arg(option)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let sample: toml::Table = toml::from_str(&print("--print-config")).unwrap();
    assert!(sample.contains_key("quota_computation"));
    assert!(print("--print-unit").contains("KillMode=mixed"));
    assert!(print("--help").contains("--logging-level"));
    assert!(print("--version").starts_with("heptapod-paas-runner "));
}

/// Such configurations are in the manuals of the program's predecessor and of GitLab.
#[test]
fn what_users_have_in_their_files_works_as_it_is() {
    const WELL_KNOWN: &str = r#"
state_file = "/srv/heptapod-runner/paas-runner-state.json"
[quota_computation]
  reference_runner = "clever-cloud"
  reference_flavor = "3XL"
  reference_jobs_count = 8
[[runners]]
  name = "clever-cloud"
  url = "https://heptapod.example.com"
  token = "D3adNQYu8OCjkYDbwDaG"
  executor = "clever-docker"
  ACCOUNT
  [runners.cc_extra_env]
    CC_ENABLE_HEPTAPOD_RUNNER = "true"
  [runners.custom_build_dir]
  [runners.cache]
    [runners.cache.s3]
    [runners.cache.gcs]
  [runners.docker]
    helper_image = "registry.heptapod.net/heptapod/heptapod-runner/helper:x86_64-latest"
    tls_verify = false
    image = "debian:bullseye"
    privileged = false
    volumes = ["/cache"]
    shm_size = 0
"#;
    const ONE: &str = "cc_orga_id = \"orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76\"\n  \
                       cc_token = \"bb52e490-d47e-47a4-b190-73e23eb17111\"";
    const MANY: &str = "cc_multi_tenant = true\n  \
                        cc_gitlab_namespace_attributes_token = \"D7aY5I5SygxA5oyZ11vB\"";
    for account in [ONE, MANY] {
        let config = load(&WELL_KNOWN.replace("ACCOUNT", account));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
    let config = load(&format!(
        r#"
state_file = "/srv/state.json"
concurrent = 20
check_interval = 1
metrics_server = ":9252"
sentry_dsn = "https://sentry.example"
[[runners]]
  name = "docker-auto-scale"
  request_concurrency = 4
  url = "https://gitlab.com/"
  token = "SHARED_RUNNER_TOKEN"
  pre_clone_script = "eval \"$CI_PRE_CLONE_SCRIPT\""
  executor = "clever-docker"
  {ONE}
  environment = ["DOCKER_DRIVER=overlay2", "DOCKER_TLS_CERTDIR="]
  limit = 10
  [runners.docker]
    image = "ruby:3.1"
    privileged = true
  [runners.machine]
    IdleCount = 50
    [[runners.machine.autoscaling]]
      Periods = ["* * * * * sat,sun *"]
      Timezone = "UTC"
      IdleCount = 70
  [runners.cache]
    Type = "gcs"
    Shared = true
    [runners.cache.gcs]
      CredentialsFile = "/path/to/file"
"#
    ));
    let told: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    for without_effect in [
        "names no host",
        "sentry_dsn",
        "request_concurrency",
        "`machine`",
        "[quota_computation]",
    ] {
        let lines = told.iter().filter(|told| told.contains(without_effect));
        assert_eq!(lines.count(), 1, "{without_effect}: {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(config.quota.reference_jobs_count, 20);
    assert_eq!(config.runners[0].limit, Some(10));
}

fn load(text: &str) -> Config {
    try_load(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn try_load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    fs::write(&path, text).unwrap();
    Config::load(&path).map_err(|error| error.to_string())
}

/// A line for every key of these that has a default, which is what it says.
fn defaults_of(whose: &[Whose]) -> String {
    let line = |key: &&Key| match (key.unwritten, key.kind) {
        (Unwritten::Value(text), Kind::Text | Kind::Secret | Kind::Age) => {
            Some(format!("{} = {text:?}\n", key.name()))
        }
        (Unwritten::Value(value), _) => Some(format!("{} = {value}\n", key.name())),
        _ => None,
    };
    let keys = KEYS.iter().filter(|key| whose.contains(&key.whose));
    keys.filter_map(line).collect()
}

#[test]
fn a_default_that_is_written_down_changes_nothing() {
    let configuration = |defaults: &dyn Fn(&[Whose]) -> String| {
        format!(
            "state_file = \"s\"\n{}[quota_computation]\nreference_runner = \"r\"\n\
             reference_flavor = \"M\"\nreference_jobs_count = 1\n{}[[runners]]\nname = \"r\"\n\
             url = \"https://x\"\ntoken = \"t\"\nexecutor = \"clever-docker\"\n\
             cc_orga_id = \"o\"\ncc_token = \"t\"\n{}[runners.paas_job_trace_watch]\n{}",
            defaults(&[Whose::Service]),
            defaults(&[Whose::Quota]),
            defaults(&[Whose::Shared, Whose::Runner, Whose::CleverDocker]),
            defaults(&[Whose::TraceWatch]),
        )
    };
    let plain = load(&configuration(&|_| String::new()));
    assert_eq!(plain.limit_interval.as_secs(), 30);
    let written = configuration(&defaults_of);
    assert!(written.lines().count() > 30, "{written}");
    let mut written = load(&written);
    // The one key that sets two times.
    assert_eq!(written.limit_interval, written.progress_interval);
    written.limit_interval = plain.limit_interval;
    assert_eq!(format!("{plain:#?}"), format!("{written:#?}"));
}

/// No duration of a configuration is longer, and no pause shorter.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;

#[test]
fn every_number_has_a_meaning_or_an_error_with_its_line() {
    let is_number = |key: &&&Key| {
        use Kind::{Age, Count, Limit, Patience, Pause, Share, Spacing};
        matches!(
            key.kind,
            Count | Limit | Pause | Spacing | Patience | Age | Share
        )
    };
    let numbers: Vec<_> = KEYS.iter().filter(is_number).collect();
    assert!(numbers.len() > 15, "{}", numbers.len());
    for key in numbers {
        for value in [
            "0",
            "0.0",
            "-0.0",
            "-1",
            "-0.5",
            "1",
            "0.5",
            "1e-9",
            "5e-324",
            "3600",
            "3601",
            "31536000",
            "31536001",
            "1e18",
            "1e308",
            "9223372036854775807",
            "-9223372036854775808",
            "0xffff",
            "nan",
            "-nan",
            "inf",
            "-inf",
            "true",
            "\"\"",
            "\"5\"",
            "\"-5s\"",
            "\"99999999999999999999y\"",
            "[]",
            "{}",
        ] {
            let (text, line) = with(key, value);
            match try_load(&text) {
                Ok(config) => assert_bounded(&config, key.name(), value),
                Err(why) => {
                    let place = format!("paas-runner.toml:{line}: ");
                    let is_told = why.lines().any(|told| {
                        told.contains(&place) && told.contains(&format!("`{}`", key.name()))
                    });
                    assert!(is_told, "{} = {value}: {why}", key.name());
                    assert_eq!(why.lines().count(), 1, "one fault, told once: {why}");
                }
            }
        }
    }
}

/// A configuration with this key, and its line.
fn with(key: &Key, value: &str) -> (String, usize) {
    let mut lines = Vec::new();
    let mut line = 0;
    let mut put = |whose: &[Whose], usual: &str| {
        let is_here = whose.contains(&key.whose);
        lines.extend(
            usual
                .lines()
                .filter(|usual| !is_here || !usual.starts_with(&format!("{} ", key.name())))
                .map(str::to_owned),
        );
        if is_here {
            lines.push(format!("{} = {value}", key.name()));
            line = lines.len();
        }
    };
    put(&[Whose::Service], "state_file = \"/s\"");
    put(
        &[Whose::Quota],
        "[quota_computation]\nreference_runner = \"r\"\nreference_flavor = \"M\"\n\
         reference_jobs_count = 1",
    );
    put(
        &[Whose::Shared, Whose::Runner, Whose::CleverDocker],
        "[[runners]]\nname = \"r\"\nurl = \"https://x\"\ntoken = \"t\"\n\
         executor = \"clever-docker\"\ncc_orga_id = \"o\"\ncc_token = \"t\"",
    );
    put(&[Whose::TraceWatch], "[runners.paas_job_trace_watch]");
    (lines.join("\n"), line)
}

fn assert_bounded(config: &Config, key: &str, value: &str) {
    // As it prints itself, so that no time is forgotten here: `1.5s`, `3600s`, `50ms`.
    let printed = format!("{config:#?}");
    let times = printed
        .split([' ', ',', '(', ')', '\n'])
        .filter_map(|word| {
            let milliseconds = word.strip_suffix("ms").and_then(|n| n.parse::<f64>().ok());
            let seconds = word.strip_suffix('s').and_then(|n| n.parse::<f64>().ok());
            milliseconds.map(|n| n / 1e3).or(seconds)
        });
    let times: Vec<f64> = times.collect();
    assert!(times.len() > 7, "{times:?} in {printed}");
    for time in &times {
        assert!(*time <= LONGEST, "{key} = {value}: {time} s");
    }
    let pauses = [
        config.check_interval,
        config.progress_interval,
        config.limit_interval,
        config.runners[0].trace_watch.step,
    ];
    for pause in pauses {
        let seconds = pause.as_secs_f64();
        assert!(
            (0.05..=3600.0).contains(&seconds),
            "{key} = {value}: {pause:?}"
        );
    }
    assert!(config.concurrent > 0 && config.max_launching > 0);
    assert!(config.quota.reference_jobs_count > 0);
}

#[test]
fn a_configuration_prints_no_secret_for_debugging() {
    let text = |tenancy: &str| {
        format!(
            "state_file = \"s\"\n[quota_computation]\nreference_runner = \"r\"\n\
             reference_flavor = \"M\"\nreference_jobs_count = 1\n[[runners]]\nname = \"r\"\n\
             url = \"https://x\"\ntoken = \"D3adNQYu-hidden-1\"\nexecutor = \"clever-docker\"\n\
             paas_forward_runner_token = true\ncc_auth_user = \"hidden-2\"\n{tenancy}\n\
             [runners.paas_job_trace_watch]\ntoken = \"hidden-3\"\n\
             [runners.cc_extra_env]\nAPI_KEY = \"hidden-4\"\n\
             [runners.cache.s3]\nSecretKey = \"hidden-5\"\n"
        )
    };
    for tenancy in [
        "cc_orga_id = \"o\"\ncc_token = \"hidden-6\"",
        "cc_multi_tenant = true\ncc_gitlab_namespace_attributes_token = \"hidden-7\"",
    ] {
        let config = load(&text(tenancy));
        let inner = config.runners[0].inner_configuration.render();
        assert!(
            inner.contains("hidden-1") && inner.contains("hidden-5"),
            "{inner}"
        );
        let printed = format!("{config:#?}");
        assert!(!printed.contains("hidden"), "{printed}");
        assert!(printed.contains("API_KEY"), "{printed}");
    }
}
