//! A service runs for a year: what it learnt of others at its start is not true for ever.

use sandbox::Fault;
use sandbox::certificates::{Authority, Shown};

use super::gateway::{Gateway, file};
use super::{believe, section, tls_ca_file};
use crate::scene::{PATIENCE, Scene, eventually};

/// The coordinator gets another certificate; its file follows later, and is broken for a while.
#[test]
fn a_file_that_is_written_anew_counts_without_a_restart_and_a_broken_one_does_not() {
    let mut scene = Scene::new();
    let (ours, later) = (Authority::new(), Shown::own_authority(|_| {}));
    let (first, second) = (
        Gateway::before(&scene.coordinator.url(), &ours.issue(|_| {})),
        Gateway::before(&scene.coordinator.url(), &later),
    );
    let both = file(&scene, "both.pem", ours.pem());
    scene.global = "connection_max_age = \"100ms\"".to_owned();
    scene.more = section(&scene, "first", &first.url, &tls_ca_file(&both))
        + &section(&scene, "second", &second.url, &tls_ca_file(&both));
    let service = scene.start();
    first.await_requests(1);
    service
        .await_log("runner=second: asking for a job: the certificate of localhost is that of an");
    file(&scene, "both.pem", "written by half");
    service.await_log("going on with the certificates that were read before");
    // What was read before goes on to count, with new connections.
    let so_far = first.visits();
    first.await_visits(so_far + 3);
    assert_eq!(second.requests(), 0);
    file(&scene, "both.pem", &later.pem);
    second.await_requests(1);
    service.await_log(
        "runner=first: asking for a job: the certificate of localhost is of an authority",
    );
}

/// Two runners share what makes their connections. While one waits for the answer to its request, which
/// will be a job, that is renewed several times for the other.
#[test]
fn connections_are_made_anew_and_what_is_under_way_ends_on_the_old_ones() {
    let mut scene = Scene::new();
    let ours = Authority::new();
    believe(&mut scene, &ours.pem());
    let shown = ours.issue(|_| {});
    let gateway = || Gateway::before(&scene.coordinator.url(), &shown);
    let (held, other, kept) = (gateway(), gateway(), gateway());
    scene.global = "connection_max_age = 0.1".to_owned();
    scene.more = section(&scene, "other", &other.url, "");
    let job = scene.submit_cheap("patient");
    let gate = scene.hold_job_request(Fault::HoldAfter);
    let url = format!("\"{}\"", scene.coordinator.url());
    let service = scene.start_changed(&[(&url, &format!("\"{}\"", held.url))]);
    assert!(gate.wait_reached(PATIENCE));
    let visits = || held.visits() + other.visits();
    let so_far = visits();
    assert!(eventually(|| visits() >= so_far + 5), "{}", visits());
    gate.open();
    scene.await_end(job);
    eprintln!("{}", service.whole_log());
    drop(service);

    // With the usual age all requests share a connection or two.
    scene.global = String::new();
    scene.more = String::new();
    let _service = scene.start_changed(&[(&url, &format!("\"{}\"", kept.url))]);
    kept.await_requests(20);
    assert!(kept.visits() <= 2, "{}", kept.visits());
}
