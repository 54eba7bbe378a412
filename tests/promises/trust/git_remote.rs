//! The git remote speaks https, too, with a certificate of an authority that the system knows, or doesn't.

use sandbox::JobStatus;
use sandbox::certificates::Authority;

use super::believe;
use crate::scene::Scene;

fn scene() -> Scene {
    Scene::with(|_| {}, |clever| clever.git_over_https = true)
}

#[test]
fn a_push_goes_to_a_remote_of_an_authority_that_the_system_knows() {
    let mut scene = scene();
    let pem = scene.clever.authority().pem();
    believe(&mut scene, &pem);
    let service = scene.start();
    let job = scene.submit("pushed", "true");
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    scene.await_no_machines();
    scene.assert_no_complaints();
}

#[test]
fn a_remote_of_an_unknown_authority_gets_no_push_and_the_operator_is_told() {
    let mut scene = scene();
    believe(&mut scene, &Authority::new().pem());
    let service = scene.start();
    let job = scene.submit("not pushed", "true");
    let line = service.await_log("of an authority that is not in");
    for words in ["certificate of localhost", "SSL_CERT_FILE", "trying again"] {
        assert!(line.contains(words), "{line}");
    }
    scene.coordinator.cancel(job);
    scene.await_no_machines();
    assert_eq!(scene.machine(job).unwrap().commit, None);
}
