//! Any customer of Clever Cloud can start it: with each kind of credential, and with the public type of
//! machine. Each is shown in its own place only, and the sandbox refuses it everywhere else.

use std::thread;

use sandbox::{JobSpec, JobStatus, Key, Role};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, Scene};
use crate::tenants::{self, two_tenants};

const PAIR: (&str, &str) = ("oauthT0ken0user", "oauth S3cret/user");

fn pair() -> Key {
    Key::OAuth {
        token: PAIR.0.to_owned(),
        secret: PAIR.1.to_owned(),
    }
}

/// A scene in which the usual token is worth nothing, and this key is worth everything.
fn scene_with(keys: &[Key]) -> Scene {
    let scene = Scene::new();
    scene.clever.revoke_token(CLEVER_TOKEN);
    for key in keys {
        scene
            .clever
            .add_key(ORGANIZATION, key.clone(), Role::Manager);
    }
    scene
}

fn kinds() -> [(&'static str, Vec<Key>, String); 3] {
    [
        (
            "oauth",
            vec![pair()],
            format!(
                "cc_auth = \"oauth\"\ncc_token = \"{}\"\ncc_secret = \"{}\"",
                PAIR.0, PAIR.1
            ),
        ),
        (
            "api-token",
            vec![Key::ApiToken("apiT0ken".to_owned()), pair()],
            format!(
                "cc_auth = \"api-token\"\ncc_token = \"apiT0ken\"\ncc_bridge_url = \"BRIDGE\"\n\
                 cc_git_user = \"{}\"\ncc_git_password = \"{}\"",
                PAIR.0, PAIR.1
            ),
        ),
        (
            "service-token",
            vec![Key::ServiceToken("serviceT0ken".to_owned())],
            "cc_auth = \"service-token\"\ncc_token = \"serviceT0ken\"".to_owned(),
        ),
    ]
}

#[test]
fn a_job_runs_with_each_kind_of_credential_and_no_kind_is_shown_where_it_is_not_good() {
    thread::scope(|scope| {
        for (kind, keys, lines) in kinds() {
            scope.spawn(move || {
                let scene = scene_with(&keys);
                let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
                let lines = lines.replace("BRIDGE", &scene.clever.bridge_url());
                let service = scene.start_changed(&[(&usual, &lines)]);
                let job = scene.submit("any customer's", "true");
                let ended = scene.await_end(job);
                let log = service.whole_log();
                assert_eq!(ended.status, JobStatus::Success, "{kind}: {log}");
                scene.await_no_machines();
                scene.assert_no_complaints();
                for secret in keys.iter().flat_map(Key::secrets) {
                    assert!(!log.contains(secret), "{kind}: {log}");
                }
            });
        }
    });
}

#[test]
fn a_refused_credential_is_told_with_the_kinds_that_there_are_and_costs_no_job() {
    let scene = scene_with(&[pair()]);
    // A half of a pair, as if it were a token.
    let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let service = scene.start_changed(&[(&usual, &format!("cc_token = \"{}\"", PAIR.0))]);
    let job = scene.submit("waits", "true");
    let line = service.await_log("no job is taken: organization: ");
    for part in [
        "ERROR",
        "runner=ci",
        ORGANIZATION,
        "cc_auth is \"token\"",
        "\"oauth\" for the token and the secret",
        "\"api-token\" for",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Pending);
    assert_eq!(scene.count_job_requests(), 0);
}

#[test]
fn keys_that_belong_to_another_kind_of_credential_are_refused_with_the_right_one() {
    let scene = Scene::new();
    let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
    for (lines, words) in [
        (
            "cc_token = \"t\"\ncc_secret = \"s\"",
            "set cc_auth = \"oauth\"",
        ),
        (
            "cc_auth = \"oauth\"\ncc_token = \"t\"",
            "`cc_secret` is missing",
        ),
        (
            "cc_auth = \"api-token\"\ncc_token = \"t\"",
            "`cc_git_user` is missing",
        ),
        (
            "cc_auth = \"bearer\"\ncc_token = \"t\"",
            "token, oauth, api-token, service-token",
        ),
    ] {
        let (exit, log) = scene.start_changed(&[(&usual, lines)]).wait();
        assert_eq!(exit.code(), Some(2), "{lines}: {log}");
        assert!(log.contains(words), "{lines}: {log}");
    }
    let mut service = scene.start_changed(&[
        (
            &usual,
            "cc_auth = \"oauth\"\ncc_token = \"t\"\ncc_secret = \"s\"",
        ),
        (&scene.clever.api_url(), "http://api.clever.test/v2"),
    ]);
    let (exit, log) = service.wait();
    assert_eq!(exit.code(), Some(2), "{log}");
    assert!(log.contains("must be https"), "{log}");
}

#[test]
fn a_group_may_have_a_credential_of_another_kind_than_its_section() {
    let scene = two_tenants();
    scene.clever.revoke_token("token-acme");
    scene.clever.add_key("orga_acme", pair(), Role::Manager);
    scene.coordinator.set_group(
        "acme",
        [
            ("cc_orga_id", "orga_acme"),
            ("cc_orga_token", PAIR.0),
            ("cc_orga_secret", PAIR.1),
            ("cc_orga_auth", "oauth"),
        ],
    );
    let service = tenants::start(&scene);
    for group in ["acme", "other"] {
        let spec = JobSpec::new(group, ["true"]).flavor("XS");
        let job = scene.coordinator.submit(spec.project(format!("{group}/x")));
        let ended = scene.await_end(job);
        assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    }
    scene.await_no_machines();
    scene.assert_no_complaints();
}

/// The public type, with its own flavors and prices, whatever the organization is entitled to.
#[test]
fn jobs_run_on_ordinary_docker_machines() {
    let mut scene = Scene::new();
    scene
        .clever
        .set_quirks(|quirks| quirks.without_heptapod_variant = true);
    scene.runner = "cc_instance = \"docker\"\ncc_max_flavor = \"L\"".to_owned();
    let service =
        scene.start_changed(&[("reference_flavor = \"3XL\"", "reference_flavor = \"M\"")]);
    let (small, tiny) = (
        scene.submit("small", "true"),
        scene.submit_for("tiny", "true", "nano"),
    );
    let ended = scene.await_end(small);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    let made = scene.clever.ever_created();
    assert_eq!((made[0].flavor.as_str(), made.len()), ("XS", 1));
    // Services that do next to nothing live there, and no job.
    let refused = scene.await_end(tiny);
    let words = "this runner offers XS, S, M, L. ";
    assert!(refused.log().contains(words), "{}", refused.log());
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn an_organization_without_the_runners_machine_type_reads_of_the_other_one() {
    let scene = Scene::new();
    scene
        .clever
        .set_quirks(|quirks| quirks.without_heptapod_variant = true);
    let service = scene.start();
    let job = scene.submit("not entitled", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Failed);
    service.await_log("with cc_instance = \"docker\" machines are of the type that is");
}
