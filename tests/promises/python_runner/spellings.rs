//! The configuration in every spelling that the Python runner's documentation or code ever had.

use std::fs;
use std::time::Duration;

use heptapod_paas_runner::clever::MachineType;
use heptapod_paas_runner::config::{Config, ExecutorSettings, Tenancy};

use crate::scene::Scene;

fn load(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // Its cache has no `Type`, as many do.
    let mut doubts = config.warnings.iter();
    let about_cache = doubts.all(|doubt| doubt.subject == "cache");
    assert!(about_cache, "{:?}", config.warnings);
    config
}

/// A key with its other spelling, and what the value must do.
type Spelling = (&'static str, &'static str, fn(&Config) -> bool);

const SPELLINGS: [Spelling; 6] = [
    ("concurrent =", "concurrency =", |config| {
        config.concurrent == 13
    }),
    (
        "job_progress_poll_interval",
        "job_progress_interval",
        |config| {
            let wanted = Duration::from_secs(17);
            config.progress_interval == wanted && config.limit_interval == wanted
        },
    ),
    (
        "allowed_fraction_per_runner",
        "per_runner_quota_fraction",
        |config| (config.quota.allowed_fraction_per_runner - 0.75).abs() < 1e-9,
    ),
    (
        "paas_decommission_launch_failures",
        "pass_decommision_launched_failures",
        |config| !config.decommission_launch_failures,
    ),
    (
        "[runners.paas_job_trace_watch]",
        "[runners.job_trace_watch]",
        |config| {
            let token = &config.runners[0].trace_watch.token;
            token
                .as_ref()
                .is_some_and(|token| token.reveal() == "adm1nT0ken")
        },
    ),
    ("timeout_seconds", "timout_seconds", |config| {
        config.runners[0].trace_watch.timeout == Duration::from_secs(41)
    }),
];

/// Every key of the documentation's example, and every one that has two spellings.
const USUAL: &str = r#"
concurrent = 13
check_interval = 2
job_progress_poll_interval = 17
state_file = "/srv/heptapod-runner/state.json"
paas_max_concurrent_provisioning = 4
paas_min_seconds_between_launches = 3
paas_repoll_same_runner_immediately = true
paas_finished_jobs_keep_resources = true
paas_decommission_launch_failures = false
paas_log_statistics = false

[quota_computation]
  reference_runner = "cloud"
  reference_flavor = "3XL"
  reference_jobs_count = 8
  allowed_fraction_per_runner = 0.75

[[runners]]
  name = "cloud"
  url = "https://heptapod.test"
  token = "kvzWdEMoTESTtoken000"
  executor = "clever-docker"
  quota_max_fraction = 0.5
  cc_orga_id = "orga_07cf2ef0"
  cc_token = "cleverT0ken"
  cc_api_url = "https://api.clever.example/v2"
  cc_zone = "rbx"
  cc_default_flavor = "S"
  cc_max_flavor = "XL"
  cc_deployment_repo_timeout = 25
  cc_deployment_repo_wait_step = 1.5
  cc_flavor_context = "other"
  cc_instance_variant_uuid = "11111111-2222-3333-4444-555555555555"
  cc_auth_user = "Somebody"
  heptapod_runner_main_image = "registry.example/runner:1"

  [runners.paas_job_trace_watch]
    token = "adm1nT0ken"
    timeout_seconds = 41
    poll_step = 7
  [runners.cc_extra_env]
    CC_ENABLE_HEPTAPOD_RUNNER = "true"
  [runners.custom_build_dir]
  [runners.cache]
    [runners.cache.s3]
      ServerAddress = "cellar.example.com"
      AccessKey = "access"
      SecretKey = "hidden"
      BucketName = "ci"
    [runners.cache.gcs]
  [runners.docker]
    helper_image = "registry.example/helper:x86_64-latest"
    tls_verify = false
    image = "debian:bullseye"
    privileged = false
    disable_entrypoint_overwrite = false
    oom_kill_disable = false
    disable_cache = false
    volumes = ["/cache"]
    shm_size = 0
"#;

fn check_all(text: &str) {
    let config = load(text);
    for (key, other, has_effect) in SPELLINGS {
        assert!(has_effect(&config), "{key}, {other} in {text}");
    }
    let inner = &config.runners[0].inner_configuration;
    let inner: toml::Table = toml::from_str(&inner.render()).unwrap();
    let runner = inner["runners"][0].as_table().unwrap();
    let mut keys: Vec<_> = runner.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let wanted = [
        "cache",
        "custom_build_dir",
        "docker",
        "executor",
        "name",
        "token",
        "url",
    ];
    assert_eq!(keys, wanted, "what a machine gets");
}

#[test]
fn every_spelling_by_itself_has_its_effect() {
    for (key, other, _) in SPELLINGS {
        let renamed = USUAL.replace(key, other);
        assert!(renamed.contains(other), "{key}");
        check_all(&renamed);
    }
}

#[test]
fn all_other_spellings_together_have_their_effects() {
    let other = SPELLINGS
        .iter()
        .fold(USUAL.to_owned(), |text, (key, other, _)| {
            text.replace(key, other)
        });
    check_all(&other);
}

#[test]
fn keys_with_one_spelling_have_their_effects() {
    let config = load(USUAL);
    assert_eq!(config.check_interval, Duration::from_secs(2));
    assert_eq!(config.max_launching, 4);
    assert_eq!(config.launch_spacing, Duration::from_secs(3));
    assert!(config.repoll_immediately && config.keep_finished && !config.log_statistics);
    assert_eq!(config.quota.reference_jobs_count, 8);
    let runner = &config.runners[0];
    assert_eq!(runner.trace_watch.step, Duration::from_secs(7));
    assert!((runner.quota_max_fraction - 0.5).abs() < 1e-9);
    assert_eq!(runner.main_image, "registry.example/runner:1");
    let ExecutorSettings::CleverDocker(clever) = &runner.executor else {
        panic!("another executor");
    };
    assert_eq!(clever.api_url, "https://api.clever.example/v2");
    assert_eq!(
        (clever.zone.as_str(), clever.default_flavor.as_str()),
        ("rbx", "S")
    );
    assert_eq!(clever.max_flavor.as_deref(), Some("XL"));
    assert_eq!(clever.repository_timeout, Duration::from_secs(25));
    assert_eq!(clever.repository_step, Duration::from_millis(1500));
    assert_eq!(clever.flavor_prefix, "other-");
    let MachineType::HeptapodRunner { variant, .. } = &clever.machine_type else {
        panic!("another type of machine");
    };
    assert_eq!(variant, "11111111-2222-3333-4444-555555555555");
    assert_eq!(clever.git_logins.user.reveal(), "Somebody");
}

#[test]
fn the_multi_tenant_keys_have_their_effects() {
    let many = USUAL
        .replace(
            "cc_orga_id = \"orga_07cf2ef0\"",
            "cc_multi_tenant = true\ncc_gitlab_namespace_attributes_token = \"attrT0ken\"",
        )
        .replace(
            "cc_token = \"cleverT0ken\"",
            "cc_orga_id_attribute = \"org\"\ncc_orga_token_attribute = \"tok\"",
        );
    let config = load(&many);
    let ExecutorSettings::CleverDocker(clever) = &config.runners[0].executor else {
        panic!("another executor");
    };
    let Tenancy::ByGroup {
        attributes_token,
        attributes,
        ..
    } = &clever.tenancy
    else {
        panic!("one tenant only");
    };
    assert_eq!(attributes_token.reveal(), "attrT0ken");
    assert_eq!(
        (attributes.organization.as_str(), attributes.token.as_str()),
        ("org", "tok")
    );
}

#[test]
fn secrets_may_stand_in_a_file_wherever_the_python_runner_looks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets.toml");
    fs::write(
        &secrets,
        "runner = \"kvzWdEMoTESTtoken000\"\nclever = \"cleverT0ken\"\nwatch = \"adm1nT0ken\"\n",
    )
    .unwrap();
    let text = USUAL
        .replace("\"kvzWdEMoTESTtoken000\"", "\"secret:runner\"")
        .replace("\"cleverT0ken\"", "\"secret:clever\"")
        .replace("\"adm1nT0ken\"", "\"secret:watch\"")
        .replace(
            "quota_max_fraction",
            &format!("secrets_file = {:?}\nquota_max_fraction", secrets.display()),
        );
    check_all(&text);
    let runner = &load(&text).runners[0];
    assert_eq!(runner.unique_name.python, "kvzWdEMo");
    assert_eq!(runner.token.reveal(), "kvzWdEMoTESTtoken000");
}

#[test]
fn a_configuration_in_the_other_spellings_starts_without_a_warning() {
    let mut scene = Scene::new();
    scene.global = "concurrency = 5\npass_decommision_launched_failures = true".to_owned();
    let service = scene.start_changed(&[
        ("job_progress_poll_interval", "job_progress_interval"),
        ("paas_job_trace_watch", "job_trace_watch"),
        ("timeout_seconds", "timout_seconds"),
    ]);
    service.await_log("the quota is");
    let job = scene.submit("usual", "true");
    scene.await_end(job);
    scene.await_no_machines();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(!log.contains("unknown key"), "{log}");
    scene.assert_no_complaints();
}
