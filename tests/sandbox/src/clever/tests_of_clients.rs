//! What clients that others wrote ask for, and how they show who they are.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::{Clever, Key, Role};
use crate::client::{
    DOCKERFILE, ORGANIZATION, PATIENCE, TOKEN, Workbench, applications, call, create, reaches,
    start_clever, start_clever_with, wanted,
};
use crate::journal::AppPhase;

/// As the official client signs: no method is named.
const PAIR: &str = "OAuth oauth_consumer_key=\"T5nFjKeHH4AIlEveuGhB5S3xg8T19e\", oauth_token=\"tok\", \
                    oauth_signature=\"MgVMqTr6fWlf2M0tkC2MXOnhfqBWDT%26sec\"";

/// With one key of each kind.
fn start_with_keys() -> Clever {
    let clever = start_clever();
    for key in [
        Key::OAuth {
            token: "tok".to_owned(),
            secret: "sec".to_owned(),
        },
        Key::ApiToken("api".to_owned()),
        Key::ServiceToken("service".to_owned()),
    ] {
        clever.add_key(ORGANIZATION, key, Role::Manager);
    }
    clever
}

fn get(url: &str, authorization: &str) -> (u16, Value) {
    call("GET", url, Some(authorization), None)
}

#[test]
fn each_credential_is_good_in_its_own_place() {
    let clever = start_with_keys();
    let (api, bridge) = (clever.api_url(), clever.bridge_url());
    let (token, wrong_pair) = (format!("token {TOKEN}"), PAIR.replace("sec", "sce"));
    let below = format!("/organisations/{ORGANIZATION}/applications");
    for (host, path, authorization, status) in [
        (&api, below.as_str(), token.as_str(), 200),
        (&api, &below, PAIR, 200),
        (&api, &below, "Bearer service", 200),
        (&bridge, &below, "Bearer api", 200),
        (&api, &below, "Bearer api", 401),
        (&api, &below, &wrong_pair, 401),
        (&bridge, &below, "Bearer service", 401),
        (&bridge, &below, &token, 401),
        (&api, "/self", PAIR, 200),
        (&bridge, "/self", "Bearer api", 200),
        (&api, "/self", &wrong_pair, 401),
        (&api, "/self", "Bearer service", 401),
        (&api, "/summary", &token, 401),
        (&bridge, "/products/instances", "Bearer api", 200),
        (&bridge, "/products/instances", "Bearer other", 401),
        (&api, "/products/instances", "Bearer api", 401),
    ] {
        let answered = get(&format!("{host}{path}"), authorization).0;
        assert_eq!(answered, status, "{host}{path} with {authorization}");
    }
    let id = create(&clever, "a");
    let bench = Workbench::new(&[("Dockerfile", DOCKERFILE)]);
    assert!(bench.push(&clever, &id, "tok:sce", "master").is_err());
    assert!(bench.push(&clever, &id, "api:api", "master").is_err());
    assert!(bench.push(&clever, &id, "tok:sec", "master").is_ok());
}

#[test]
fn a_person_sees_themselves_and_what_is_theirs() {
    let clever = start_with_keys();
    let id = create(&clever, "a");
    let ask = |path: &str| {
        let (status, answer) = get(&format!("{}{path}", clever.api_url()), PAIR);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    };
    assert!(ask("/self")["id"].as_str().unwrap().starts_with("user_"));
    let token = ask("/self/tokens/current");
    assert_eq!(token["token"], "tok");
    assert!(token["expirationDate"].as_u64() > token["creationDate"].as_u64());
    let summary = ask("/summary");
    let organization = &summary["organisations"][0];
    assert_eq!(organization["id"], ORGANIZATION);
    assert_eq!(organization["applications"][0]["id"], json!(id));
    let application = format!("/organisations/{ORGANIZATION}/applications/{id}");
    assert_eq!(ask(&format!("{application}/addons/env")), json!([]));
    assert_eq!(ask(&format!("{application}/dependencies/env")), json!([]));
    let hosts = ask(&format!("{application}/vhosts"));
    assert_eq!(
        hosts[0]["fqdn"],
        format!("{}.cleverapps.io", id.replace('_', "-"))
    );
    let favourite = format!("{}{application}/vhosts/favourite", clever.api_url());
    let (status, answer) = get(&favourite, PAIR);
    assert_eq!((status, &answer["id"]), (404, &json!(4021)));
}

#[test]
fn the_bridge_makes_tokens_that_are_good_there_until_they_are_deleted() {
    let clever = start_with_keys();
    let tokens = clever.bridge_url().replace("/v2", "/api-tokens");
    assert_eq!(get(&tokens, "Bearer api").0, 401);
    let wish = json!({"name": "ci", "email": "a@b", "password": "p"});
    let (status, made) = call("POST", &tokens, Some(PAIR), Some(&wish));
    assert_eq!(status, 200, "{made}");
    let bearer = format!("Bearer {}", made["apiToken"].as_str().unwrap());
    let profile = format!("{}/self", clever.bridge_url());
    assert_eq!(get(&profile, &bearer).0, 200);
    let (_, listed) = get(&tokens, PAIR);
    let is_made = |it: &&Value| it["name"] == "ci";
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "one more than there was: {listed:?}");
    let made_one = listed.iter().find(is_made).unwrap();
    assert!(made_one["apiToken"].is_null(), "it is shown once");
    let one = format!("{tokens}/{}", made["apiTokenId"].as_str().unwrap());
    let renamed = call("PUT", &one, Some(PAIR), Some(&json!({"name": "other"}))).1;
    assert_eq!(renamed["name"], "other");
    assert_eq!(call("DELETE", &one, Some(PAIR), None).0, 204);
    assert_eq!(get(&profile, &bearer).0, 401);
}

#[test]
fn logs_are_a_stream_that_follows_a_deployment_and_ends_where_it_should() {
    let clever = start_with_keys();
    let id = create(&clever, "a");
    let url = |host: &str, query: &str| {
        let host = host.replace("/v2", "");
        format!("{host}/v4/logs/organisations/{ORGANIZATION}/applications/{id}/logs?{query}")
    };
    let of_api = |query: &str| url(&clever.api_url(), query);
    assert_eq!(get(&of_api(""), "Bearer service").0, 401);
    let mut stream = ureq::get(of_api("filter=oo"))
        .header("Authorization", PAIR)
        .call()
        .unwrap();
    assert_eq!(stream.headers()["Content-Type"], "text/event-stream");
    let mut lines = BufReader::new(stream.body_mut().as_reader())
        .lines()
        .map_while(Result::ok);
    let bench = Workbench::new(&[("Dockerfile", "RUN no FROM")]);
    bench
        .push(&clever, &id, &format!("Jenkins:{TOKEN}"), "master")
        .unwrap();
    assert!(lines.any(|line| line == "event: APPLICATION_LOG"));
    let data = lines
        .find_map(|line| Some(line.strip_prefix("data: ")?.to_owned()))
        .unwrap();
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["message"], "Booting");
    assert!(reaches(&clever, "a", AppPhase::Exited));
    let whole = url(
        &clever.bridge_url(),
        "until=2999-01-01T00:00:00.000Z&limit=2",
    );
    let mut whole = ureq::get(whole)
        .header("Authorization", "Bearer api")
        .call()
        .unwrap();
    let whole = whole.body_mut().read_to_string().unwrap();
    assert!(whole.contains("Deploy failed in 0 minutes"), "{whole}");
    assert!(whole.contains("\"endedBy\":\"LIMIT_REACHED\""), "{whole}");
    let before = of_api("until=2000-01-01T00:00:00.000Z");
    let mut before = ureq::get(before)
        .header("Authorization", PAIR)
        .call()
        .unwrap();
    let before = before.body_mut().read_to_string().unwrap();
    assert_eq!(
        before,
        "event: END_OF_STREAM\ndata: {\"endedBy\":\"UNTIL_REACHED\"}\n\n"
    );
}

#[test]
fn a_regular_application_that_is_deployed_again_gets_a_second_machine_and_then_loses_the_first() {
    let clever = start_clever();
    let mut plain = wanted("a");
    plain["instanceLifetime"] = json!("REGULAR");
    plain["instanceVariant"] = json!("d5ff282b-dd1a-4c9a-a0c8-c9524b1370e9");
    plain["minFlavor"] = json!("XS");
    plain["maxFlavor"] = json!("XS");
    let (status, created) = applications(&clever, "POST", "", Some(&plain));
    assert_eq!(status, 200, "{created}");
    let flavors = created["instance"]["flavors"].as_array().unwrap();
    assert!(flavors.iter().any(|it| it["name"] == "XS"), "{flavors:?}");
    let id = created["id"].as_str().unwrap();
    assert!(reaches(&clever, "a", AppPhase::Prepared));
    let bench = Workbench::new(&[("Dockerfile", "FROM alpine\nCMD sleep 1000\n")]);
    bench
        .push(&clever, id, &format!("Jenkins:{TOKEN}"), "master")
        .unwrap();
    let states = || {
        let application = clever.application("a").unwrap();
        let instances = application.instances.iter().map(|it| it.state);
        instances.collect::<Vec<_>>()
    };
    assert!(clever.journal().wait_until(PATIENCE, || states() == ["UP"]));
    let again = applications(&clever, "POST", &format!("/{id}/instances"), None).1;
    assert!(
        clever
            .journal()
            .wait_until(PATIENCE, || states() == ["DELETED", "UP"])
    );
    assert_eq!(clever.application("a").unwrap().state, "SHOULD_BE_UP");
    let (_, listed) = applications(&clever, "GET", &format!("/{id}/deployments"), None);
    let listed: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["uuid"], &it["state"]))
        .collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0], (&again["deploymentId"], &json!("OK")));
    applications(&clever, "DELETE", &format!("/{id}"), None);
    assert!(
        clever
            .journal()
            .wait_until(PATIENCE, || states() == ["DELETED", "DELETED"])
    );
}

#[test]
fn the_git_remote_can_speak_https_with_a_certificate_of_this_worlds_own_authority() {
    let clever = start_clever_with(|settings| settings.git_over_https = true);
    let id = create(&clever, "a");
    let (_, application) = applications(&clever, "GET", &format!("/{id}"), None);
    let url = application["deployment"]["httpUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(url.starts_with("https://localhost:"), "{url}");
    let bench = Workbench::new(&[("Dockerfile", DOCKERFILE)]);
    bench
        .push(&clever, &id, &format!("Jenkins:{TOKEN}"), "master")
        .unwrap();
    assert!(clever.application("a").unwrap().commit.is_some());
}
