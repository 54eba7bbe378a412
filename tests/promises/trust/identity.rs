//! As whom the program shows itself: client certificates, to the coordinator only.

use rcgen::CertificateParams;
use sandbox::certificates::{Authority, Shown};

use super::gateway::{Gateway, Guard, file};
use super::{believe, section};
use crate::scene::{PATIENCE, RUNNER_TOKEN, Scene, eventually};

const NO_CHANGE: fn(&mut CertificateParams) = |_| {};

/// The lines that name it, with both of its files in the folder.
fn named(scene: &Scene, name: &str, shown: &Shown) -> String {
    let certificate = file(scene, &format!("{name}.crt"), &shown.pem);
    let key = file(scene, &format!("{name}.key"), shown.key.serialize_pem());
    format!(
        "tls-cert-file = \"{}\"\ntls-key-file = \"{}\"\n",
        certificate.display(),
        key.display()
    )
}

/// Three runners at one coordinator that lets in only whom it knows: one that it knows, one without a
/// certificate, and one with another's, whose Clever Cloud asks for that and is shown nothing.
#[test]
fn a_client_certificate_is_shown_to_the_coordinator_that_wants_it_and_to_nobody_else() {
    let mut scene = Scene::new();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let shown = ours.issue(NO_CHANGE);
    let gateway = || Gateway::guarded(&scene.coordinator.url(), &shown, Guard::Insists(&ours));
    let (known, bare, strange) = (gateway(), gateway(), gateway());
    let api = scene.clever.api_url();
    let clever = Gateway::guarded(&api, &shown, Guard::Asks(&theirs));
    believe(&mut scene, &ours.pem());
    let own = named(&scene, "own", &ours.issue(NO_CHANGE));
    let other = named(&scene, "other", &theirs.issue(NO_CHANGE));
    scene.runner = own;
    let strange_section = section(&scene, "strange", &strange.url, &other);
    scene.more = section(&scene, "bare", &bare.url, "")
        + &strange_section.replace(&api, &format!("{}/v2", clever.url));
    let coordinator = format!("\"{}\"", scene.coordinator.url());
    let service = scene.start_changed(&[(&coordinator, &format!("\"{}\"", known.url))]);
    for name in ["bare", "strange"] {
        // A reset may overtake the reason, at one try or another.
        let asking = format!("runner={name}: asking for a job: ");
        let words = [
            &asking,
            "wants to see a client certificate",
            "tls-cert-file",
        ];
        let is_told = |line: &str| words.iter().all(|part| line.contains(part));
        let told = eventually(|| service.whole_log().lines().any(is_told));
        assert!(told, "{}", service.whole_log());
    }
    assert_eq!((bare.requests(), strange.requests()), (0, 0));
    let job = scene.submit("known", "true");
    let files = || scene.machine(job).map(|machine| machine.files);
    let pushed = || files().is_some_and(|files| files.contains_key("runner.toml"));
    assert!(scene.journal.wait_until(PATIENCE, pushed));
    let files = files().unwrap();
    for (name, content) in &files {
        let text = String::from_utf8_lossy(content);
        for secret in ["tls-cert", "tls-key", "PRIVATE KEY", "own.key"] {
            assert!(!text.contains(secret), "{secret} in {name}: {text}");
        }
    }
    assert!(known.requests_with_certificate() > 0 && clever.requests() > 0);
    assert_eq!(known.requests_with_certificate(), known.requests());
    assert_eq!(clever.requests_with_certificate(), 0);
    scene.coordinator.cancel(job);
    scene.await_no_machines();
    assert!(!service.whole_log().contains(RUNNER_TOKEN));
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_an_error_at_start_with_its_line() {
    let mut scene = Scene::new();
    let shown = Authority::new().issue(NO_CHANGE);
    let lines = named(&scene, "own", &shown);
    let (certificate, key) = lines.split_once('\n').unwrap();
    let other = Shown::own_authority(NO_CHANGE).key.serialize_pem();
    let other = file(&scene, "other.key", other).display().to_string();
    let own = scene.folder.path().join("own.key").display().to_string();
    for (lines, line, why) in [
        (
            certificate.to_owned(),
            1,
            "`tls-cert-file` needs `tls-key-file` beside it",
        ),
        (
            key.to_owned(),
            1,
            "`tls-key-file` needs `tls-cert-file` beside it",
        ),
        (lines.replace("own.crt", "gone.crt"), 1, "cannot read"),
        (lines.replace("own.key", "gone.key"), 2, "cannot read"),
        (
            lines.replace("own.crt", "own.key"),
            1,
            "there is no certificate in",
        ),
        (
            lines.replace("own.key", "own.crt"),
            2,
            "there is no private key in",
        ),
        (
            lines.replace(&own, &other),
            2,
            "is not that of the certificate in",
        ),
    ] {
        scene.runner = lines;
        let text = scene.configuration();
        let first = text
            .lines()
            .position(|line| line.starts_with("tls-"))
            .unwrap();
        let mut service = scene.start();
        let (exit, log) = service.wait();
        assert_eq!(exit.code(), Some(2), "{log}");
        let place = format!("paas-runner.toml:{}: `tls-", first + line);
        assert!(log.contains(&place) && log.contains(why), "{why}: {log}");
    }
}
