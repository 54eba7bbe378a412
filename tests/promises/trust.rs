//! Whom the program believes, and how it gets out: certificate authorities and proxies.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::scene::{CLEVER_TOKEN, PATIENCE, RUNNER_TOKEN, Scene};
use crate::service::Service;

/// Where every gateway is.
const HERE: &str = "localhost";

/// What a gateway shows of itself.
struct Certificate {
    host: &'static str,
    last_year: i32,
}

const GOOD: Certificate = Certificate {
    host: HERE,
    last_year: 2999,
};

/// What is wrong with a certificate whose authority is believed, and how that is told.
const FAULTY: [(Certificate, &str); 2] = [
    (
        Certificate {
            last_year: 2001,
            ..GOOD
        },
        "expired",
    ),
    (
        Certificate {
            host: "elsewhere.example",
            ..GOOD
        },
        "not valid for name",
    ),
];

/// Stands before a service and speaks TLS, with a certificate of an authority that nobody knows.
struct Gateway {
    url: String,
    /// The authority, in PEM form.
    authority: String,
    visits: Arc<Visits>,
}

/// Who came, and whether any of them said something behind the handshake.
#[derive(Default)]
struct Visits {
    arrivals: Mutex<Vec<Instant>>,
    grown: Condvar,
    spoken_to: AtomicBool,
}

impl Certificate {
    /// A server that shows it, and the authority that it is of.
    fn issue(&self) -> (ServerConfig, String) {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut own = CertificateParams::new(vec![self.host.to_owned()]).unwrap();
        own.not_before = date_time_ymd(2000, 1, 1);
        own.not_after = date_time_ymd(self.last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        (config, authority.pem())
    }
}

impl Gateway {
    fn before(service: &str, certificate: &Certificate) -> Self {
        let (config, authority) = certificate.issue();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = service.trim_start_matches("http://");
        let inside = inside.split('/').next().unwrap_or_default().to_owned();
        let visits = Arc::new(Visits::default());
        let seen = visits.clone();
        thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                seen.arrivals.lock().unwrap().push(Instant::now());
                seen.grown.notify_all();
                let (config, inside, seen) = (config.clone(), inside.clone(), seen.clone());
                thread::spawn(move || {
                    let _ = carry(outer, &config, &inside, &seen.spoken_to);
                });
            }
        });
        Self {
            url: format!("https://{HERE}:{port}"),
            authority,
            visits,
        }
    }

    /// The authority, where a program finds it.
    fn authority_in(&self, scene: &Scene) -> PathBuf {
        let path = scene.folder.path().join("ours.pem");
        fs::write(&path, &self.authority).unwrap();
        path
    }

    /// The pauses between so many visits.
    fn await_pauses(&self, visits: usize) -> Vec<Duration> {
        let (arrivals, timeout) = self
            .visits
            .grown
            .wait_timeout_while(self.visits.arrivals.lock().unwrap(), PATIENCE, |arrivals| {
                arrivals.len() < visits
            })
            .unwrap();
        assert!(!timeout.timed_out(), "{} visits", arrivals.len());
        let pairs = arrivals[..visits].windows(2);
        pairs.map(|pair| pair[1] - pair[0]).collect()
    }

    fn was_spoken_to(&self) -> bool {
        self.visits.spoken_to.load(Ordering::SeqCst)
    }
}

/// One exchange after the other: what came is passed on, and what came back until it is quiet.
fn carry(
    outer: TcpStream,
    config: &Arc<ServerConfig>,
    inside: &str,
    spoken_to: &AtomicBool,
) -> io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut outer = StreamOwned::new(connection, outer);
    let mut inner = TcpStream::connect(inside)?;
    inner.set_nonblocking(true)?;
    outer
        .sock
        .set_read_timeout(Some(Duration::from_millis(5)))?;
    let mut buffer = [0; 8 << 10];
    loop {
        match outer.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                spoken_to.store(true, Ordering::SeqCst);
                inner.set_nonblocking(false)?;
                inner.write_all(&buffer[..count])?;
                inner.set_nonblocking(true)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        match inner.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => outer.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The program, which finds its coordinator behind the gateway.
fn start(scene: &Scene, gateway: &Gateway, authorities: Option<PathBuf>) -> Service {
    let line = authorities.map(|path| format!("\"\ntls-ca-file = \"{}", path.display()));
    let url = format!("{}{}", gateway.url, line.unwrap_or_default());
    start_with(scene, &scene.coordinator.url(), &url)
}

/// The program, which finds Clever Cloud behind the gateway.
fn start_for_clever(scene: &Scene, gateway: &Gateway) -> Service {
    start_with(
        scene,
        &scene.clever.api_url(),
        &format!("{}/v2", gateway.url),
    )
}

fn start_with(scene: &Scene, address: &str, other: &str) -> Service {
    let (before, after) = (format!("\"{address}\""), format!("\"{other}\""));
    scene.start_changed(&[(&before, &after)])
}

/// A coordinator that isn't believed hears nothing, and is left alone for longer and longer.
fn assert_coordinator_refused(scene: &Scene, gateway: &Gateway, service: &Service, why: &str) {
    let line = service.await_log("asking for a job: ");
    assert!(line.to_lowercase().contains("certificate"), "{line}");
    assert!(line.contains(why), "{line}");
    let pauses = gateway.await_pauses(4);
    // From 0.1 s on they double, up to a quarter is left out, and an arrival may be seen late.
    for (pause, least) in pauses.iter().zip([40, 100, 200]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    assert!(!gateway.was_spoken_to());
    assert!(scene.coordinator.job_requests(RUNNER_TOKEN).is_empty());
    assert!(!service.whole_log().contains(RUNNER_TOKEN));
}

#[test]
fn an_unknown_certificate_is_refused_and_no_token_is_sent() {
    let scene = Scene::new();
    let gateway = Gateway::before(&scene.coordinator.url(), &GOOD);
    let service = start(&scene, &gateway, None);
    assert_coordinator_refused(&scene, &gateway, &service, "UnknownIssuer");
}

#[test]
fn a_faulty_certificate_of_a_runners_own_authority_is_refused_and_no_token_is_sent() {
    for (certificate, why) in FAULTY {
        let scene = Scene::new();
        let gateway = Gateway::before(&scene.coordinator.url(), &certificate);
        let service = start(&scene, &gateway, Some(gateway.authority_in(&scene)));
        assert_coordinator_refused(&scene, &gateway, &service, why);
    }
}

/// The same with the API. No coordinator is asked before it is heard, so that nobody hears a word.
fn assert_clever_refused(scene: &Scene, gateway: &Gateway, service: &Service, why: &str) {
    for beginning in [
        "cannot compute the quota yet: ",
        "looking for machines without a job: ",
    ] {
        let line = service.await_log(beginning);
        assert!(line.to_lowercase().contains("certificate"), "{line}");
        assert!(line.contains(why), "{line}");
    }
    assert!(!gateway.was_spoken_to());
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(
            scene.journal.count_requests(method, |_| true),
            0,
            "{method}"
        );
    }
    assert!(!service.whole_log().contains(CLEVER_TOKEN));
}

#[test]
fn an_api_with_an_unknown_certificate_is_refused_and_no_token_is_sent() {
    let scene = Scene::new();
    let gateway = Gateway::before(&scene.clever.api_url(), &GOOD);
    let service = start_for_clever(&scene, &gateway);
    // Two look at the same time, for what is on offer and for machines; then for seconds nobody.
    let pauses = gateway.await_pauses(3);
    let all: Duration = pauses.iter().sum();
    assert!(all >= Duration::from_secs(2), "{pauses:?}");
    assert_clever_refused(&scene, &gateway, &service, "UnknownIssuer");
}

#[test]
fn a_faulty_certificate_of_an_api_is_refused_though_its_authority_is_one_of_the_systems() {
    for (certificate, why) in FAULTY {
        let mut scene = Scene::new();
        let gateway = Gateway::before(&scene.clever.api_url(), &certificate);
        believe(&mut scene, &gateway);
        let service = start_for_clever(&scene, &gateway);
        assert_clever_refused(&scene, &gateway, &service, why);
    }
    let mut scene = Scene::new();
    let gateway = Gateway::before(&scene.clever.api_url(), &GOOD);
    believe(&mut scene, &gateway);
    let service = start_for_clever(&scene, &gateway);
    service.await_log("the quota is");
    assert!(gateway.was_spoken_to());
}

/// The system's authorities are this one.
fn believe(scene: &mut Scene, gateway: &Gateway) {
    let path = gateway.authority_in(scene).display().to_string();
    scene.environment.push(("SSL_CERT_FILE".to_owned(), path));
}

#[test]
fn a_runners_own_authority_is_believed_and_travels_to_the_machine() {
    let scene = Scene::new();
    let gateway = Gateway::before(&scene.coordinator.url(), &GOOD);
    let _service = start(&scene, &gateway, Some(gateway.authority_in(&scene)));
    let job = scene.submit("trusting", "true");
    let files = || {
        scene
            .machine(job)
            .map(|machine| machine.files)
            .unwrap_or_default()
    };
    assert!(
        scene
            .journal
            .wait_until(PATIENCE, || files().contains_key("ca.crt"))
    );
    let files = files();
    assert_eq!(files["ca.crt"], gateway.authority.as_bytes());
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
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
fn proxies_are_taken_from_the_environment_unless_it_says_no() {
    let mut scene = Scene::new();
    let nowhere = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = format!("http://{nowhere}");
    let through = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"];
    scene.environment = through
        .map(|name| (name.to_owned(), proxy.clone()))
        .to_vec();
    scene
        .environment
        .push(("NO_PROXY".to_owned(), String::new()));
    scene
        .environment
        .push(("no_proxy".to_owned(), String::new()));
    let service = scene.start();
    service.await_log("cannot compute the quota yet");
    assert_eq!(scene.journal.count_requests("GET", |_| true), 0);
    drop(service);
    for name in ["NO_PROXY", "no_proxy"] {
        scene
            .environment
            .push((name.to_owned(), "127.0.0.1,localhost".to_owned()));
    }
    let _service = scene.start();
    let job = scene.submit("direct", "true");
    scene.await_end(job);
}
