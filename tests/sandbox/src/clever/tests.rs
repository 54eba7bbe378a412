//! This Clever Cloud is as strict as the real one.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Hook, Key, Role};
use crate::client::{
    DOCKERFILE, ORGANIZATION, PATIENCE, TOKEN, Workbench, applications, assert_only_complaint,
    call, create, reaches, start_clever, start_clever_with, wanted,
};
use crate::fault::{Fault, Gate, Rule};
use crate::journal::AppPhase;

#[test]
fn a_creation_that_the_real_one_refuses_is_refused() {
    let clever = start_clever();
    let refused = |field: &str, value: Value| {
        let mut body = wanted("a");
        body[field] = value;
        let (status, answer) = applications(&clever, "POST", "", Some(&body));
        assert_eq!(status, 400, "{field}: {answer}");
        answer["id"].clone()
    };
    for field in ["instanceVersion", "instanceVariant", "instanceType"] {
        assert_eq!(refused(field, json!("another")), 9017);
    }
    refused("zone", Value::Null);
    refused("minFlavor", json!("M"));
    refused("maxFlavor", json!("heptapod-runner-4XL"));
    refused("maxInstances", json!("1"));
    refused("env", json!([{"name": "A", "value": "b"}]));
    refused("env", json!({"A": true}));
    refused("instanceLifetime", json!("SHORT"));
    let version = clever.rotate_instance_version();
    assert_eq!(refused("zone", json!("par")), 9017);
    let instances = format!("{}/products/instances", clever.api_url());
    let (_, offered) = call("GET", &instances, None, None);
    let offered = offered.as_array().unwrap().iter();
    let docker = offered
        .clone()
        .find(|item| item["name"] == "Docker")
        .unwrap();
    assert_eq!(docker["version"], version);
    assert!(clever.ever_created().is_empty());
    assert!(clever.journal().complaints().is_empty());
}

#[test]
fn what_no_runner_should_ask_for_is_granted_with_a_complaint() {
    for (field, value, words) in [
        ("instanceLifetime", json!("REGULAR"), "restarted for ever"),
        ("maxInstances", json!(2), "exactly one machine"),
        ("maxFlavor", json!("heptapod-runner-L"), "may change"),
        ("colour", json!("red"), "unknown field `colour`"),
    ] {
        let clever = start_clever();
        let mut body = wanted("a");
        body[field] = value;
        assert_eq!(applications(&clever, "POST", "", Some(&body)).0, 200);
        assert_only_complaint(&clever, words);
    }
}

#[test]
fn a_deleted_application_lingers_and_is_gone() {
    let clever = start_clever_with(|settings| settings.latencies.deletion = PATIENCE / 100);
    let id = create(&clever, "a");
    let (status, answer) = applications(&clever, "DELETE", &format!("/{id}"), None);
    assert_eq!((status, &answer["id"]), (200, &json!(302)));
    let (status, lingering) = applications(&clever, "GET", &format!("/{id}"), None);
    assert_eq!((status, &lingering["state"]), (200, &json!("TO_DELETE")));
    assert!(reaches(&clever, "a", AppPhase::Gone));
    let (status, answer) = applications(&clever, "GET", &format!("/{id}"), None);
    assert_eq!((status, &answer["id"]), (404, &json!(4004)));
    let (status, answer) = applications(&clever, "DELETE", &format!("/{id}"), None);
    assert_eq!((status, &answer["id"]), (404, &json!(4004)));
    assert_eq!(applications(&clever, "GET", "", None).1, json!([]));
}

#[test]
fn credentials_open_what_is_theirs() {
    let clever = start_clever();
    clever.add_organization(ORGANIZATION, "developer", Role::Developer);
    clever.add_organization("orga_2", "other", Role::Admin);
    let id = create(&clever, "a");
    let app = |organization: &str| {
        let base = clever.api_url();
        format!("{base}/organisations/{organization}/applications/{id}")
    };
    let ask = |method: &str, authorization: &str| {
        let (status, answer) = call(method, &app(ORGANIZATION), Some(authorization), None);
        (status, answer["id"].as_i64())
    };
    assert_eq!(ask("GET", "token wrong"), (401, Some(2001)));
    assert_eq!(call("GET", &app(ORGANIZATION), None, None).0, 401);
    // Its own scheme, and no other.
    assert_eq!(ask("GET", "Bearer developer").0, 401);
    assert_eq!(ask("GET", "token developer").0, 200);
    assert_eq!(ask("DELETE", "token developer").0, 403);
    assert!(clever.journal().complaints().is_empty());
    assert_eq!(ask("GET", "token other").0, 403);
    let (_, answer) = call("GET", &app("orga_2"), Some("token other"), None);
    assert_eq!(answer["id"], 4002);
    assert_eq!(clever.journal().complaints().len(), 2);
}

#[test]
fn the_catalogue_wants_no_credentials() {
    let clever = start_clever();
    let url = format!(
        "{}/products/flavors?context=heptapod-runner",
        clever.api_url()
    );
    let (_, flavors) = call("GET", &url, None, None);
    let names: Vec<&Value> = (flavors.as_array().unwrap().iter())
        .map(|flavor| &flavor["name"])
        .collect();
    assert!(names.contains(&&json!("heptapod-runner-3XL")), "{names:?}");
    assert!(names.contains(&&json!("jenkins-runner-XL")), "{names:?}");
    assert!(clever.journal().complaints().is_empty());
    assert_eq!(call("GET", &url, Some("Bearer x"), None).0, 401);
    assert_eq!(call("GET", &url, Some("token x"), None).0, 200);
    assert_eq!(clever.journal().complaints().len(), 2);
}

#[test]
fn a_name_may_be_used_again_only_if_a_list_hid_it() {
    let clever = start_clever_with(|settings| settings.latencies.list_lag = PATIENCE);
    create(&clever, "a");
    assert_eq!(applications(&clever, "GET", "", None).1, json!([]));
    create(&clever, "a");
    assert!(clever.journal().complaints().is_empty());
    create(&clever, "b");
    create(&clever, "b");
    assert_only_complaint(&clever, "application b was created again");
}

#[test]
fn a_creation_that_was_held_back_is_nobodys_second_try() {
    let clever = start_clever();
    let gate = Gate::new();
    let held = Rule::on("POST", "*/applications").with(Fault::HoldBefore(gate.clone()));
    clever.faults().inject(held);
    std::thread::scope(|scope| {
        scope.spawn(|| applications(&clever, "POST", "", Some(&wanted("a"))));
        assert!(gate.wait_reached(PATIENCE));
        create(&clever, "a");
        gate.open();
    });
    assert_eq!(clever.applications().len(), 2);
    assert!(clever.journal().complaints().is_empty());
}

#[test]
fn the_environment_is_replaced_as_a_whole() {
    let clever = start_clever();
    let id = create(&clever, "a");
    let path = format!("/{id}/env");
    let pairs = json!([{"name": "CC_MOUNT_DOCKER_SOCKET", "value": "true"}]);
    assert_eq!(applications(&clever, "GET", &path, None).1, pairs);
    let (status, application) = applications(&clever, "PUT", &path, Some(&json!({"A": "b"})));
    assert_eq!(status, 200);
    assert_eq!(application["env"], json!([{"name": "A", "value": "b"}]));
    let (status, _) = applications(&clever, "PUT", &path, Some(&json!({"A": 1})));
    assert_eq!(status, 400);
    let checked = format!("{path}?check=true");
    let (_, answer) = applications(&clever, "PUT", &checked, Some(&json!({"1A": "b"})));
    assert_eq!(answer["id"], 557);
}

#[test]
fn git_takes_a_token_as_password_a_service_token_as_user_and_only_master() {
    let clever = start_clever();
    let service = Key::ServiceToken("service".to_owned());
    clever.add_key(ORGANIZATION, service, Role::Manager);
    let id = create(&clever, "a");
    let bench = Workbench::new(&[("Dockerfile", DOCKERFILE)]);
    let said = bench
        .push(&clever, &id, "Jenkins:wrong", "master")
        .unwrap_err();
    assert!(said.contains("Authentication failed"), "{said}");
    let login = format!("Jenkins:{TOKEN}");
    let said = bench.push(&clever, &id, &login, "master:main").unwrap_err();
    assert!(
        said.contains("Error: You tried to push to a custom branch."),
        "{said}"
    );
    assert!(clever.application("a").unwrap().commit.is_none());
    assert!(
        bench
            .push(&clever, &id, &format!("{TOKEN}:"), "master")
            .is_err()
    );
    bench.push(&clever, &id, "service:", "master").unwrap();
    assert!(clever.application("a").unwrap().commit.is_some());
    let (_, branches) = applications(&clever, "GET", &format!("/{id}/branches"), None);
    assert_eq!(branches, json!(["master"]));
}

#[test]
fn a_repository_takes_no_push_before_it_is_there_nor_after_the_deletion() {
    let clever = start_clever();
    clever.set_quirks(|quirks| quirks.repository_never_ready = true);
    let (_, created) = applications(&clever, "POST", "", Some(&wanted("a")));
    assert_eq!(created["deployment"]["repoState"], "CREATING");
    let id = created["id"].as_str().unwrap();
    let bench = Workbench::new(&[("Dockerfile", DOCKERFILE)]);
    let login = format!("Jenkins:{TOKEN}");
    let said = bench.push(&clever, id, &login, "master").unwrap_err();
    assert!(said.contains("not found"), "{said}");
    applications(&clever, "DELETE", &format!("/{id}"), None);
    assert!(bench.push(&clever, id, &login, "master").is_err());
    assert!(!clever.journal().complaints().is_empty());
}

#[test]
fn a_push_that_queues_nothing_can_be_repaired_by_hand() {
    let clever = start_clever();
    clever.set_quirks(|quirks| quirks.hook = Hook::QueuesNothing);
    let id = create(&clever, "a");
    let instances = format!("/{id}/instances");
    let (_, answer) = applications(&clever, "POST", &instances, None);
    assert_eq!(answer["id"], 4014);
    let bench = Workbench::new(&[("Dockerfile", DOCKERFILE)]);
    let login = format!("Jenkins:{TOKEN}");
    bench.push(&clever, &id, &login, "master").unwrap();
    assert!(clever.application("a").unwrap().deployments.is_empty());
    let (status, answer) = applications(&clever, "POST", &instances, None);
    assert_eq!(status, 200, "{answer}");
    applications(&clever, "PUT", &format!("/{id}/env"), Some(&json!({})));
    let complaints = clever.journal().complaints();
    assert!(
        complaints[0].contains("set after the push"),
        "{complaints:?}"
    );
    assert!(reaches(&clever, "a", AppPhase::Running) || reaches(&clever, "a", AppPhase::Exited));
}

#[test]
fn the_end_of_this_world_waits_for_nothing() {
    let clever = start_clever_with(|settings| {
        settings.latencies.repository = Duration::from_secs(3600);
        settings.latencies.deletion = Duration::from_secs(3600);
    });
    let (_, created) = applications(&clever, "POST", "", Some(&wanted("a")));
    let id = created["id"].as_str().unwrap();
    assert_eq!(
        applications(&clever, "DELETE", &format!("/{id}"), None).0,
        200
    );
    drop(clever);
}
