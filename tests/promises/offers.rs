//! What Clever Cloud has on offer changes; the jobs that are here are served all the same.

use sandbox::clever::usual_flavors;
use sandbox::{Fault, JobId, JobStatus, Rule};
use serde_json::json;

use crate::service::Service;
use crate::town::Town;

fn sell_out(town: &Town, size: &str) {
    let name = format!("heptapod-runner-{size}");
    let mut flavors = usual_flavors();
    for flavor in flavors.iter_mut().filter(|flavor| flavor["name"] == name) {
        flavor["available"] = json!(false);
    }
    town.clever.set_flavors(flavors);
}

fn take_off_the_list(town: &Town, size: &str) {
    let name = format!("heptapod-runner-{size}");
    let mut flavors = usual_flavors();
    flavors.retain(|flavor| flavor["name"] != name);
    town.clever.set_flavors(flavors);
}

/// A job that runs until it is let go, and a service that was killed meanwhile.
fn interrupted(town: &Town) -> JobId {
    let service = town.start();
    let job = town.submit_lasting("interrupted");
    service.await_log("running, seen");
    service.kill();
    job
}

fn assert_ends_well(town: &Town, service: &Service, job: JobId) {
    let ended = town.await_end(job);
    let log = service.whole_log();
    assert_eq!(ended.status, JobStatus::Success, "{}{log}", ended.log());
}

#[test]
fn a_reference_flavor_that_is_sold_out_keeps_its_weight() {
    let town = Town::new();
    let job = interrupted(&town);
    sell_out(&town, "3XL");
    let service = town.start();
    service.await_log("the quota is");
    let next = town.submit("next", "true");
    assert_ends_well(&town, &service, next);
    town.let_end();
    assert_ends_well(&town, &service, job);
    town.await_no_machines();
}

#[test]
fn a_maximum_flavor_that_is_sold_out_is_still_the_maximum() {
    let mut town = Town::new();
    town.runner = "cc_max_flavor = \"XL\"".to_owned();
    let running = interrupted(&town);
    let refused = Rule::on("POST", "*/applications").always();
    town.clever
        .faults()
        .inject(refused.with(Fault::status(429)));
    let service = town.start();
    let pending = town.submit("pending", "true");
    service.await_log(&format!(
        "creating application {}",
        town.machine_name(pending)
    ));
    service.kill();
    town.clever.faults().clear();
    sell_out(&town, "XL");
    let service = town.start();
    assert_ends_well(&town, &service, pending);
    let next = town.submit("next", "true");
    assert_ends_well(&town, &service, next);
    town.let_end();
    assert_ends_well(&town, &service, running);
    town.await_no_machines();
}

#[test]
fn without_the_reference_flavor_the_jobs_that_are_here_come_to_their_end() {
    let town = Town::new();
    let job = interrupted(&town);
    take_off_the_list(&town, "3XL");
    let service = town.start();
    let line = service.await_log("taking no new ones");
    assert!(line.contains("ERROR") && line.contains("3XL"), "{line}");
    let next = town.submit("next", "true");
    town.let_end();
    assert_ends_well(&town, &service, job);
    town.await_no_machines();
    assert_eq!(town.coordinator.job(next).status, JobStatus::Pending);
}

#[test]
fn jobs_are_taken_again_when_the_reference_flavor_is_back() {
    let town = Town::new();
    let job = interrupted(&town);
    take_off_the_list(&town, "3XL");
    let service = town.start();
    service.await_log("taking no new ones");
    town.clever.set_flavors(usual_flavors());
    let next = town.submit("next", "true");
    assert_ends_well(&town, &service, next);
    town.let_end();
    assert_ends_well(&town, &service, job);
    town.await_no_machines();
}

#[test]
fn without_jobs_a_reference_flavor_that_nobody_offers_ends_the_start() {
    let town = Town::new();
    take_off_the_list(&town, "3XL");
    let (exit, log) = town.start().wait();
    assert_eq!(exit.code(), Some(2), "{log}");
    assert!(log.contains("reference_flavor"), "{log}");
}
