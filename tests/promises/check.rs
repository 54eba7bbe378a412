//! `--check` tells each mistake before it matters, with what to do about it, and changes nothing.

mod breaks;
mod mistakes;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sandbox::clever::Role;
use sandbox::{Access, Key};
use serde_json::Value;

use self::breaks::BREAKS;
use self::mistakes::MISTAKES;
use crate::scene::{CLEVER_TOKEN, ORGANIZATION, RUNNER_TOKEN, Scene};
use crate::tenants::two_tenants;

/// A scene in a folder that is its owner's.
fn private(scene: Scene) -> Scene {
    fs::set_permissions(scene.folder.path(), Permissions::from_mode(0o700)).unwrap();
    scene
}

/// The exit code, and what was printed.
fn check(path: &Path, options: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner"))
        .arg("--check")
        .args(options)
        .arg(path)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

/// All facts: subject, line, verdict, text and remedy.
fn facts(path: &Path, options: &[&str]) -> (i32, Vec<Value>) {
    let options = [options, &["--json"]].concat();
    let (code, text) = check(path, &options, &[]);
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["exit_code"], code, "{text}");
    (code, all["facts"].as_array().unwrap().clone())
}

/// With other words in the scene's configuration: the exit code, and what is not well.
fn troubles(scene: &Scene, changes: &[(&str, &str)], options: &[&str]) -> (i32, Vec<Value>) {
    fs::write(scene.config_path(), scene.configuration_but(changes)).unwrap();
    let (code, mut facts) = facts(&scene.config_path(), options);
    facts.retain(|fact| fact["verdict"] != "ok");
    (code, facts)
}

fn words(fact: &Value) -> String {
    let [text, remedy] = ["text", "remedy"].map(|key| fact[key].as_str().unwrap_or_default());
    format!("{text}; {remedy}")
}

#[test]
fn each_mistake_in_the_file_is_told_with_its_line_and_remedy_and_nothing_that_follows_from_it() {
    let scene = private(Scene::new());
    for (before, after, code, verdict, told) in MISTAKES {
        let (exit, troubles) = troubles(&scene, &[(before, after)], &["--offline"]);
        assert_eq!(exit, *code, "{after}: {troubles:?}");
        let [only] = troubles.as_slice() else {
            panic!("{after}: {troubles:#?}");
        };
        assert_eq!(only["verdict"], *verdict, "{after}: {only}");
        assert!(words(only).contains(told), "{after}: {only}");
        let line = usize::try_from(only["line"].as_u64().unwrap()).unwrap();
        let configuration = scene.configuration_but(&[(before, after)]);
        let written = configuration.lines().nth(line - 1).unwrap();
        // The line that is named is one that is not in the file without the mistake.
        let usual = scene.configuration();
        let is_usual = usual.lines().any(|usual| usual == written);
        assert!(!is_usual, "{after}: line {line}, {written}");
    }
    assert!(scene.journal.count_requests("GET", |_| true) == 0);
}

#[test]
fn what_is_well_is_said_in_a_table_that_fits_a_terminal() {
    let scene = private(Scene::new());
    scene.write_configuration();
    let utf8 = [("LC_ALL", "C.UTF-8")];
    let (code, table) = check(&scene.config_path(), &[], &utf8);
    assert_eq!(code, 0, "{table}");
    for line in [
        "✓ configuration",
        "✓ state_file",
        "runner ci",
        "✓ coordinator",
        "✓ git",
        "✓ organization",
        "✓ flavors",
        "✓ machines",
        "? role",
        "✓ quota",
        "nothing was found that won't work; 0 doubtful, 1 unknown",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    let words = |line: &str| line.split_whitespace().count();
    let is_narrow = |line: &str| line.chars().count() <= 80 || words(line) <= 3;
    assert!(table.lines().all(is_narrow), "{table}");
    let (_, ascii) = check(&scene.config_path(), &["--offline"], &[("LC_ALL", "C")]);
    assert!(
        ascii.is_ascii() && ascii.contains("+ state_file"),
        "{ascii}"
    );
    for secret in [CLEVER_TOKEN, RUNNER_TOKEN] {
        assert!(!table.contains(secret), "{table}");
    }
    scene.assert_no_complaints();
    let left = fs::read_dir(scene.folder.path()).unwrap();
    assert_eq!(left.count(), 1, "only the configuration");
    assert_eq!(scene.count_job_requests(), 0);
}

#[test]
fn files_that_everybody_can_read_and_places_that_nobody_can_write_are_told() {
    let scene = private(Scene::new());
    let secret = scene.folder.path().join("token");
    fs::write(&secret, CLEVER_TOKEN).unwrap();
    let reference = format!("file:{}", secret.display());
    let changes = [(CLEVER_TOKEN, reference.as_str())];
    let (code, hidden) = troubles(&scene, &changes, &["--offline"]);
    assert_eq!(
        (code, hidden.len()),
        (0, 0),
        "in a private folder: {hidden:?}"
    );
    fs::set_permissions(scene.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let (code, mut seen) = troubles(&scene, &changes, &["--offline"]);
    assert_eq!(code, 0, "{seen:?}");
    seen.sort_by_key(|fact| fact["line"].as_u64());
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(words(&seen[0]).contains("chmod 600"), "{seen:?}");
    assert!(words(&seen[1]).contains("/token has secrets"), "{seen:?}");
    fs::set_permissions(scene.folder.path(), Permissions::from_mode(0o700)).unwrap();
    let state = scene.state_path();
    let state = state.display().to_string();
    for (place, code, told) in [
        ("/nowhere/state.json", 1, "make the folder /nowhere"),
        ("/proc/state.json", 1, "can't be written"),
        ("/tmp", 1, "name a file in it"),
    ] {
        let (exit, bad) = troubles(&scene, &[(&state, place)], &["--offline"]);
        assert_eq!((exit, bad.len()), (code, 1), "{place}: {bad:?}");
        assert!(words(&bad[0]).contains(told), "{place}: {bad:?}");
    }
    let (_, relative) = troubles(&scene, &[(&state, "state.json")], &["--offline"]);
    assert!(words(&relative[0]).contains("relative"), "{relative:?}");
}

#[test]
fn the_sample_is_told_what_must_be_put_into_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    let sample = Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner"))
        .arg("--print-config")
        .output()
        .unwrap();
    fs::write(&path, sample.stdout).unwrap();
    let (code, facts) = facts(&path, &["--offline"]);
    let subjects: Vec<_> = facts.iter().map(|fact| &fact["subject"]).collect();
    assert_eq!(code, 2, "{facts:?}");
    assert_eq!(subjects, ["url", "token", "cc_orga_id", "cc_token"]);
}

#[test]
fn runners_that_do_not_belong_together_are_told() {
    let mut scene = private(Scene::new());
    scene.more = format!(
        "[[runners]]\nname = \"local\"\nurl = \"{}/other\"\ntoken = \"t\"\nexecutor = \"local-docker\"\n",
        scene.coordinator.url()
    );
    let (code, mixed) = troubles(&scene, &[], &["--offline"]);
    assert_eq!((code, mixed.len()), (0, 1), "{mixed:?}");
    assert!(
        words(&mixed[0]).contains("a service of its own"),
        "{mixed:?}"
    );
    scene.more.clear();
    let organization = format!("cc_orga_id = \"{ORGANIZATION}\"");
    let token = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let (_, shared) = troubles(
        &scene,
        &[
            (&organization, "cc_multi_tenant = true"),
            (&token, "cc_gitlab_namespace_attributes_token = \"t\""),
            (
                "[runners.docker]",
                "[runners.cache]\nType = \"s3\"\n[runners.cache.s3]\nBucketName = \"b\"\n[runners.docker]",
            ),
        ],
        &["--offline"],
    );
    assert_eq!(shared.len(), 1, "{shared:?}");
    assert!(words(&shared[0]).contains("in one bucket"), "{shared:?}");
}

#[test]
fn each_service_that_would_not_do_its_part_is_told_with_what_to_do() {
    std::thread::scope(|scope| {
        for (breaks, changes, subject, told) in BREAKS {
            scope.spawn(move || {
                let mut scene = private(Scene::new());
                breaks(&mut scene);
                fs::write(scene.config_path(), scene.configuration_but(changes)).unwrap();
                let environment: Vec<_> = scene
                    .environment
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let (code, text) = check(&scene.config_path(), &["--json"], &environment);
                let all: Value = serde_json::from_str(&text).unwrap();
                let facts = all["facts"].as_array().unwrap();
                let is_told = |fact: &&Value| {
                    fact["subject"] == *subject
                        && fact["verdict"] != "ok"
                        && words(fact).contains(told)
                };
                let fact = facts.iter().find(is_told);
                let fact = fact.unwrap_or_else(|| panic!("{subject}, {told}: {facts:#?}"));
                let is_bad = facts.iter().any(|fact| fact["verdict"] == "bad");
                assert_eq!(code, i32::from(is_bad), "{fact}");
            });
        }
    });
}

#[test]
fn a_user_who_could_start_machines_but_not_delete_them_is_told_so() {
    let scene = private(Scene::new());
    let bridge = scene.clever.bridge_url();
    let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
    for (role, name, verdict) in [
        (Role::Developer, "DEVELOPER", "bad"),
        (Role::Manager, "MANAGER", "ok"),
        (Role::Admin, "ADMIN", "ok"),
    ] {
        let (token, secret) = (format!("{name}-t0ken"), format!("{name}-s3cret"));
        let pair = Key::OAuth {
            token: token.clone(),
            secret: secret.clone(),
        };
        let pair_lines = format!("cc_auth = \"oauth\"\ncc_secret = \"{secret}\"");
        let token_lines = format!(
            "cc_auth = \"api-token\"\ncc_bridge_url = \"{bridge}\"\ncc_git_user = \"{token}\"\n\
             cc_git_password = \"{secret}\""
        );
        for (key, lines) in [
            (pair, pair_lines),
            (Key::ApiToken(token.clone()), token_lines),
        ] {
            scene.clever.add_key(ORGANIZATION, key, role);
            let lines = format!("{lines}\ncc_token = \"{token}\"");
            let changed = scene.configuration_but(&[(&usual, &lines)]);
            fs::write(scene.config_path(), changed).unwrap();
            let (code, facts) = facts(&scene.config_path(), &[]);
            let fact = facts.iter().find(|fact| fact["subject"] == "role").unwrap();
            assert_eq!(fact["verdict"], verdict, "{lines}: {fact}");
            assert!(
                words(fact).contains(&format!("{name} in {ORGANIZATION}")),
                "{fact}"
            );
            let is_told = words(fact).contains("may create but not delete");
            assert_eq!(is_told, verdict == "bad", "{fact}");
            assert_eq!(code, i32::from(verdict == "bad"), "{facts:#?}");
        }
    }
    scene.assert_no_complaints();
}

#[test]
fn every_group_that_ever_had_a_job_is_looked_at_and_the_version_is_told_to_users() {
    let scene = private(two_tenants());
    scene.clever.revoke_token("token-acme");
    scene.coordinator.add_user("glpat-watch", Access::Guest);
    let state = serde_json::json!({
        "launched": [], "pending": [],
        "heptapod_paas_runner": {"system_id": "s_1", "tenants": ["acme", "other"], "jobs": []},
    });
    fs::write(scene.state_path(), state.to_string()).unwrap();
    let token = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let organization = format!("cc_orga_id = \"{ORGANIZATION}\"");
    let changed = scene.configuration_but(&[
        (&organization, "cc_multi_tenant = true"),
        (
            &token,
            "cc_gitlab_namespace_attributes_token = \"glpat-administrator\"",
        ),
        (
            "timeout_seconds = 30",
            "timeout_seconds = 30\ntoken = \"glpat-watch\"",
        ),
    ]);
    fs::write(scene.config_path(), changed).unwrap();
    let (code, facts) = facts(&scene.config_path(), &[]);
    assert_eq!(code, 1, "{facts:#?}");
    let told = |verdict: &str, text: &str| {
        let mut all = facts.iter();
        let found = all.any(|fact| fact["verdict"] == verdict && words(fact).contains(text));
        assert!(found, "{text}: {facts:#?}");
    };
    told("bad", "orga_acme of group acme refuses");
    told("ok", "orga_other of group other is there");
    told("ok", "their custom attributes can be read");
    told("ok", "version 17.5.1");
}
