//! Whom the program believes: certificate authorities, and for how long.

pub mod gateway;
mod git_remote;
mod identity;
mod renewal;

use std::fs;
use std::path::Path;
use std::time::Duration;

use sandbox::certificates::{
    Authority, Shown, expired, for_another_host, not_yet_valid, with_a_common_name_only,
};

use self::gateway::{Gateway, file, server_without_tls};
use crate::scene::{CLEVER_TOKEN, ORGANIZATION, PATIENCE, RUNNER_TOKEN, Scene};
use crate::service::Service;

/// One more runner, at a coordinator of its own as far as the program can see.
fn section(scene: &Scene, name: &str, url: &str, lines: &str) -> String {
    format!(
        r#"[[runners]]
name = "{name}"
url = "{url}"
token = "{RUNNER_TOKEN}"
executor = "clever-docker"
cc_api_url = "{}"
cc_orga_id = "{ORGANIZATION}"
cc_token = "{CLEVER_TOKEN}"
{lines}
"#,
        scene.clever.api_url()
    )
}

/// The line that names a file of authorities.
fn tls_ca_file(path: &Path) -> String {
    format!("tls-ca-file = \"{}\"", path.display())
}

/// The system's authorities are these.
pub fn believe(scene: &mut Scene, authorities: &str) {
    let path = file(scene, "system.pem", authorities);
    set_store(scene, "SSL_CERT_FILE", &path.display().to_string());
}

/// The only variable that names authorities is this one.
fn set_store(scene: &mut Scene, variable: &str, value: &str) {
    let all = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| {
        let value = if name == variable { value } else { "" };
        (name.to_owned(), value.to_owned())
    });
    scene.environment.extend(all);
}

/// The program, which finds Clever Cloud behind the gateway.
fn start_for_clever(scene: &Scene, gateway: &Gateway) -> Service {
    let (before, after) = (scene.clever.api_url(), format!("{}/v2", gateway.url));
    scene.start_changed(&[(&format!("\"{before}\""), &format!("\"{after}\""))])
}

/// A runner for each kind of certificate that is refused: how it is called, what is shown, what is in
/// its `tls-ca-file`, and what is told.
fn refused() -> Vec<(&'static str, Shown, Option<String>, [&'static str; 2])> {
    let ours = Authority::new();
    let of_ours = |change: fn(&mut _)| (ours.issue(change), Some(ours.pem()));
    let its_own = |change: fn(&mut _)| {
        let shown = Shown::own_authority(change);
        let pem = shown.pem.clone();
        (shown, Some(pem))
    };
    let cases: [(_, (Shown, Option<String>), _); 9] = [
        (
            "expired",
            of_ours(expired),
            ["expired on 2001-12-31", "renew it"],
        ),
        (
            "early",
            of_ours(not_yet_valid),
            ["is good from 2990-01-01 on", "set the clock"],
        ),
        (
            "elsewhere",
            of_ours(for_another_host),
            ["is for elsewhere.example:", "subjectAltName=DNS:localhost"],
        ),
        (
            "nameless",
            of_ours(with_a_common_name_only),
            ["names no host", "subjectAltName=DNS:localhost"],
        ),
        (
            "unknown",
            (ours.issue(|_| {}), None),
            ["of an authority that is not in", "`tls-ca-file`"],
        ),
        (
            "unlisted",
            (Shown::own_authority(|_| {}), Some(ours.pem())),
            ["that of an authority", "`tls-ca-file`"],
        ),
        (
            "old-own",
            its_own(expired),
            ["expired on 2001-12-31", "renew it"],
        ),
        (
            "other-own",
            its_own(for_another_host),
            ["is for elsewhere.example:", "localhost"],
        ),
        (
            "bare-own",
            its_own(with_a_common_name_only),
            ["names no host", "localhost"],
        ),
    ];
    let cases = cases.into_iter();
    cases
        .map(|(name, (shown, believed), told)| (name, shown, believed, told))
        .collect()
}

/// A coordinator that isn't believed hears nothing, is told of in words that help, and is left alone for
/// longer and longer.
#[test]
fn a_certificate_that_is_refused_is_told_as_what_it_is_and_no_token_is_sent() {
    let mut scene = Scene::new();
    let mut runners = Vec::new();
    for (name, shown, believed, told) in refused() {
        let gateway = Gateway::before(&scene.coordinator.url(), &shown);
        let lines = believed.map(|pem| tls_ca_file(&file(&scene, &format!("{name}.pem"), pem)));
        scene.more += &section(&scene, name, &gateway.url, &lines.unwrap_or_default());
        runners.push((name, gateway, told));
    }
    scene.more += &section(&scene, "plain", &server_without_tls(), "");
    let service = scene.start();
    for (name, gateway, told) in runners {
        let line = service.await_log(&format!("runner={name}: asking for a job: "));
        assert!(line.contains("the certificate of localhost "), "{line}");
        assert!(told.iter().all(|told| line.contains(told)), "{line}");
        let pauses = gateway.await_pauses(4);
        // They double, and up to a quarter is left out.
        for (pause, least) in pauses.iter().zip([75, 150, 300]) {
            assert!(*pause >= Duration::from_millis(least), "{name}: {pauses:?}");
        }
        assert_eq!(gateway.requests(), 0, "{name}");
    }
    let line = service.await_log("runner=plain: asking for a job: ");
    assert!(line.contains("does not speak TLS at this port"), "{line}");
    assert!(!service.whole_log().contains(RUNNER_TOKEN));
}

/// The same with the API. No coordinator is asked before it is heard, so that nobody hears a word.
#[test]
fn an_api_that_is_not_believed_hears_nothing() {
    let ours = Authority::new();
    for (change, why) in [
        (None, "is of an authority that is not in"),
        (Some(expired as fn(&mut _)), "expired on 2001-12-31"),
        (Some(for_another_host), "is for elsewhere.example"),
    ] {
        let mut scene = Scene::new();
        let shown = ours.issue(change.unwrap_or(|_| {}));
        let gateway = Gateway::before(&scene.clever.api_url(), &shown);
        let believed = change.map_or_else(|| Authority::new().pem(), |_| ours.pem());
        believe(&mut scene, &believed);
        let service = start_for_clever(&scene, &gateway);
        for beginning in [
            "cannot compute the quota yet: ",
            "looking for machines without a job: ",
        ] {
            let line = service.await_log(beginning);
            assert!(line.contains("certificate") && line.contains(why), "{line}");
        }
        if change.is_none() {
            // Two look at the same time, for what is on offer and for machines; then for seconds nobody.
            let pauses = gateway.await_pauses(3);
            let all: Duration = pauses.iter().sum();
            assert!(all >= Duration::from_secs(2), "{pauses:?}");
        }
        assert_eq!(gateway.requests(), 0);
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(
                scene.journal.count_requests(method, |_| true),
                0,
                "{method}"
            );
        }
        assert!(!service.whole_log().contains(CLEVER_TOKEN));
    }
}

/// A runner for each kind of file that names the one who is believed; none restarts, none waits.
#[test]
fn a_coordinator_is_believed_by_what_stands_in_its_file_in_whatever_form() {
    let mut scene = Scene::new();
    let ours = Authority::new();
    let leaf = ours.issue(|_| {});
    let own = Shown::own_authority(|_| {});
    let of_ours = ours.issue(|_| {});
    let trusted = Shown::own_authority(|_| {});
    let (leaf_pem, own_pem, trusted_pem) =
        (leaf.pem.clone(), own.pem.clone(), trusted.trusted_pem());
    let windows = ours.pem().replace('\n', "\r\n");
    let marked = [b"\xef\xbb\xbfAutorit\xe9:\r\n", windows.as_bytes()].concat();
    let cases = [
        // Its authority is not in the file, but it is itself.
        ("leaf", leaf, leaf_pem.into_bytes()),
        ("own", own, own_pem.into_bytes()),
        ("marked", of_ours, marked),
        ("trusted", trusted, trusted_pem.into_bytes()),
    ];
    let mut gateways = Vec::new();
    for (name, shown, content) in cases {
        let gateway = Gateway::before(&scene.coordinator.url(), &shown);
        let lines = tls_ca_file(&file(&scene, &format!("{name}.pem"), content));
        scene.more += &section(&scene, name, &gateway.url, &lines);
        gateways.push(gateway);
    }
    let service = scene.start();
    for gateway in gateways {
        gateway.await_requests(2);
    }
    let log = service.whole_log();
    assert!(!log.contains("certificate"), "{log}");
}

#[test]
fn a_runners_own_authority_travels_to_the_machine_without_what_else_is_in_its_file() {
    let mut scene = Scene::new();
    let ours = Authority::new();
    let shown = ours.issue(|_| {});
    let gateway = Gateway::before(&scene.coordinator.url(), &shown);
    let key = shown.key.serialize_pem();
    let content = format!("\u{feff}# ours\n{key}{}", ours.pem());
    scene.runner = tls_ca_file(&file(&scene, "ours.pem", content));
    let url = scene.coordinator.url();
    let _service = scene.start_changed(&[(&format!("\"{url}\""), &format!("\"{}\"", gateway.url))]);
    let job = scene.submit("trusting", "true");
    let files = || {
        let machine = scene.machine(job);
        machine.map(|machine| machine.files).unwrap_or_default()
    };
    let pushed = || files().contains_key("ca.crt");
    assert!(scene.journal.wait_until(PATIENCE, pushed));
    let files = files();
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
    assert_eq!(text("ca.crt"), ours.pem().replace('\r', ""));
    assert!(text("Dockerfile").contains("COPY runner.toml job.json ca.crt /etc/heptapod-runner/"));
    let runner_toml = text("runner.toml");
    assert!(
        runner_toml.contains("tls-ca-file = \"/etc/heptapod-runner/ca.crt\""),
        "{runner_toml}"
    );
    scene.coordinator.cancel(job);
    scene.await_no_machines();
}

#[test]
fn a_file_without_certificates_is_told_as_what_it_is_and_the_runner_does_without() {
    let mut scene = Scene::new();
    let key = Authority::new().issue(|_| {}).key.serialize_pem();
    let key = file(&scene, "ca.key", key);
    for (path, why) in [
        (key.as_path(), ", but a private key; going on without it"),
        (
            Path::new("/nowhere/ca.pem"),
            "cannot read /nowhere/ca.pem: ",
        ),
    ] {
        scene.runner = tls_ca_file(path);
        let service = scene.start();
        let line = service.await_log("`tls-ca-file` of [[runners]] number 1: ");
        assert!(line.contains(why), "{line}");
        service.await_log("the quota is");
    }
}

/// Each is instead of the system's, and what somebody has named is not left out in silence.
#[test]
fn the_environment_names_the_authorities_of_the_system() {
    let ours = Authority::new();
    let (own, of_ours) = (Shown::own_authority(|_| {}), ours.issue(|_| {}));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("any.name"), ours.pem()).unwrap();
    fs::write(folder.path().join("README"), "no certificate").unwrap();
    let single = folder.path().join("own.pem");
    fs::write(&single, &own.pem).unwrap();
    let (single, folder) = (
        single.display().to_string(),
        folder.path().display().to_string(),
    );
    let folders = format!("/nowhere:{folder}");
    for (variable, value, shown) in [
        ("SSL_CERT_FILE", &single, &own),
        ("SSL_CERT_DIR", &folder, &of_ours),
        ("SSL_CERT_DIR", &folders, &own),
    ] {
        let mut scene = Scene::new();
        set_store(&mut scene, variable, value);
        let gateway = Gateway::before(&scene.clever.api_url(), shown);
        let service = start_for_clever(&scene, &gateway);
        service.await_log("the quota is");
        assert!(gateway.requests() > 0);
    }
    let readme = format!("{folder}/README");
    for (variable, value, why) in [
        (
            "SSL_CERT_FILE",
            "/nowhere/ca.pem",
            "cannot read /nowhere/ca.pem",
        ),
        ("SSL_CERT_FILE", &readme, "there is no certificate in"),
        (
            "SSL_CERT_DIR",
            "/nowhere:/no/more",
            "cannot read /nowhere: ",
        ),
        (
            "SSL_CERT_DIR",
            "/proc/self/task",
            "there is no certificate in /proc/self/task",
        ),
    ] {
        let mut scene = Scene::new();
        set_store(&mut scene, variable, value);
        let (exit, log) = scene.start().wait();
        assert_eq!(exit.code(), Some(1), "{log}");
        assert!(log.contains(&format!("{variable}: {why}")), "{log}");
    }
}
