//! What Clever Cloud has on offer changes; the jobs that are here are served all the same.

use sandbox::clever::usual_flavors;
use sandbox::{Fault, JobId, JobStatus, Rule};
use serde_json::json;

use crate::scene::Scene;
use crate::service::Service;

fn sell_out(scene: &Scene, size: &str) {
    let name = format!("heptapod-runner-{size}");
    let mut flavors = usual_flavors();
    for flavor in flavors.iter_mut().filter(|flavor| flavor["name"] == name) {
        flavor["available"] = json!(false);
    }
    scene.clever.set_flavors(flavors);
}

fn take_off_the_list(scene: &Scene, size: &str) {
    let name = format!("heptapod-runner-{size}");
    let mut flavors = usual_flavors();
    flavors.retain(|flavor| flavor["name"] != name);
    scene.clever.set_flavors(flavors);
}

/// A job that runs until it is let go, and a service that was killed meanwhile.
fn interrupted(scene: &Scene) -> JobId {
    let service = scene.start();
    let job = scene.submit_lasting("interrupted");
    service.await_log("running, seen");
    service.kill();
    job
}

fn assert_ends_well(scene: &Scene, service: &Service, job: JobId) {
    let ended = scene.await_end(job);
    let log = service.whole_log();
    assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
}

#[test]
fn a_reference_flavor_that_is_sold_out_keeps_its_weight() {
    let scene = Scene::new();
    let job = interrupted(&scene);
    sell_out(&scene, "3XL");
    let service = scene.start();
    service.await_log("the quota is");
    let next = scene.submit("next", "true");
    assert_ends_well(&scene, &service, next);
    scene.let_end();
    assert_ends_well(&scene, &service, job);
    scene.await_no_machines();
}

#[test]
fn a_maximum_flavor_that_is_sold_out_is_still_the_maximum() {
    let mut scene = Scene::new();
    scene.runner = "cc_max_flavor = \"XL\"".to_owned();
    let running = interrupted(&scene);
    let refused = Rule::on("POST", "*/applications").always();
    scene
        .clever
        .faults()
        .inject(refused.with(Fault::status(429)));
    let service = scene.start();
    let pending = scene.submit("pending", "true");
    service.await_log(&format!(
        "creating application {}",
        scene.machine_name(pending)
    ));
    service.kill();
    scene.clever.faults().clear();
    sell_out(&scene, "XL");
    let service = scene.start();
    assert_ends_well(&scene, &service, pending);
    let next = scene.submit("next", "true");
    assert_ends_well(&scene, &service, next);
    scene.let_end();
    assert_ends_well(&scene, &service, running);
    scene.await_no_machines();
}

#[test]
fn without_the_reference_flavor_the_jobs_that_are_here_come_to_their_end() {
    let scene = Scene::new();
    let job = interrupted(&scene);
    take_off_the_list(&scene, "3XL");
    let service = scene.start();
    let line = service.await_log("taking no new ones");
    assert!(line.contains("ERROR") && line.contains("3XL"), "{line}");
    let next = scene.submit("next", "true");
    scene.let_end();
    assert_ends_well(&scene, &service, job);
    scene.await_no_machines();
    assert_eq!(scene.coordinator.job(next).status, JobStatus::Pending);
}

#[test]
fn an_idle_service_waits_for_a_reference_flavor_that_nobody_offers() {
    let scene = Scene::new();
    take_off_the_list(&scene, "3XL");
    let service = scene.start();
    let line = service.await_log("taking no new ones");
    assert!(line.contains("ERROR") && line.contains("2XL"), "{line}");
    scene.await_that("it looks again", || {
        let is_look = |path: &str| path.contains("/products/flavors");
        scene.journal.count_requests("GET", is_look) >= 3
    });
    scene.clever.set_flavors(usual_flavors());
    service.await_log("jobs are taken");
    let next = scene.submit("next", "true");
    assert_ends_well(&scene, &service, next);
    scene.await_no_machines();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert_eq!(
        log.matches("reference_flavor").count(),
        1,
        "told once: {log}"
    );
}

#[test]
fn jobs_are_taken_again_when_the_reference_flavor_is_back() {
    let scene = Scene::new();
    let job = interrupted(&scene);
    take_off_the_list(&scene, "3XL");
    let service = scene.start();
    service.await_log("taking no new ones");
    scene.clever.set_flavors(usual_flavors());
    let next = scene.submit("next", "true");
    assert_ends_well(&scene, &service, next);
    scene.let_end();
    assert_ends_well(&scene, &service, job);
    scene.await_no_machines();
}
