//! Only Clever Cloud's own word counts: what a proxy, a gateway or a sign-in page in front of its API
//! says is trouble, asked again and never final.

use std::thread;

use sandbox::{Fault, JobStatus, Rule};
use serde_json::json;

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, PATIENCE, Scene};

/// What stands in between says.
fn strangers() -> [(&'static str, Fault); 6] {
    let sign_in = Fault::Status {
        code: 302,
        headers: vec![(
            "Location".to_owned(),
            "https://sign-in.corp.test/?next=secret".to_owned(),
        )],
        body: Vec::new(),
    };
    [
        ("a proxy that wants a login", Fault::html(401)),
        ("a company's firewall", Fault::html(403)),
        ("a balancer that knows no such path", Fault::html(404)),
        (
            "a gateway without a route",
            Fault::json(
                404,
                &json!({"message": "no Route matched with those values"}),
            ),
        ),
        (
            "a gateway that wants a key",
            Fault::json(401, &json!({"message": "Unauthorized"})),
        ),
        ("a sign-in", sign_in),
    ]
}

/// A creation, and a look at the new application's repository.
#[test]
fn a_job_is_not_failed_by_what_stands_in_front_of_clever_cloud() {
    thread::scope(|scope| {
        for (who, fault) in strangers() {
            scope.spawn(move || {
                let scene = Scene::new();
                for (method, path) in [("POST", "*/applications"), ("GET", "*/applications/app_*")]
                {
                    let rule = Rule::on(method, path).with(fault.clone());
                    scene.clever.faults().inject(rule);
                }
                let service = scene.start();
                let job = scene.submit("suspected", "true");
                let ended = scene.await_end(job);
                let log = service.whole_log();
                assert_eq!(ended.status, JobStatus::Success, "{who}: {log}");
                assert!(log.contains("creating application"), "{who}: {log}");
                assert!(!log.contains("next=secret"), "{who}: {log}");
                scene.await_no_machines();
                scene.assert_started_once(job);
            });
        }
    });
}

/// A deletion, and the look whether it is done.
#[test]
fn a_machine_is_not_gone_because_a_stranger_says_so() {
    thread::scope(|scope| {
        for (who, fault) in strangers() {
            scope.spawn(move || {
                let scene = Scene::new();
                let service = scene.start();
                let job = scene.submit_lasting("hidden");
                service.await_log("running, seen");
                for method in ["DELETE", "GET"] {
                    let rule = Rule::on(method, "*/applications*").always();
                    scene.clever.faults().inject(rule.with(fault.clone()));
                }
                scene.let_end();
                assert_eq!(scene.await_end(job).status, JobStatus::Success, "{who}");
                service.await_log("try 2");
                assert!(!scene.machine(job).unwrap().is_deleted(), "{who}");
                scene.clever.faults().clear();
                scene.await_no_machines();
                scene.await_nothing_tracked(who);
            });
        }
    });
}

/// In the console, say: by somebody who wondered about it.
#[test]
fn a_job_whose_application_was_deleted_by_hand_fails_in_words() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit("deleted by hand", "sleep 1000");
    service.await_log("running, seen");
    // Whoever does not list machines may still tell of their application.
    let instances = Rule::on("GET", "*/instances").always();
    scene
        .clever
        .faults()
        .inject(instances.with(Fault::html(403)));
    let machine = scene.machine(job).unwrap();
    let url = format!(
        "{}/organisations/{ORGANIZATION}/applications/{}",
        scene.clever.api_url(),
        machine.id
    );
    let deleted = ureq::delete(&url)
        .header("Authorization", &format!("token {CLEVER_TOKEN}"))
        .header("Content-Type", "application/json")
        .call();
    assert!(deleted.is_ok(), "{deleted:?}");
    let ended = scene.await_end_within(2 * PATIENCE, job);
    assert_eq!(ended.status, JobStatus::Failed);
    let log = ended.log();
    assert!(log.contains("was deleted while the job ran"), "{log}");
    service.await_log("was not deleted by this program");
    scene.await_nothing_tracked("told");
}
