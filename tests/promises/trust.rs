//! Whom the program believes, and how it gets out: certificate authorities and proxies.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::service::Service;
use crate::town::{PATIENCE, RUNNER_TOKEN, Town};

/// Stands before a coordinator and speaks TLS, with a certificate that nobody knows.
struct Gateway {
    url: String,
    certificate: String,
}

impl Gateway {
    fn before(coordinator: &str) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = coordinator.trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                let (config, inside) = (config.clone(), inside.clone());
                thread::spawn(move || {
                    let _ = carry(outer, &config, &inside);
                });
            }
        });
        Self {
            url: format!("https://localhost:{port}"),
            certificate: own.cert.pem(),
        }
    }
}

/// One exchange after the other: what came is passed on, and what came back until it is quiet.
fn carry(outer: TcpStream, config: &Arc<ServerConfig>, inside: &str) -> io::Result<()> {
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

fn start(town: &Town, gateway: &Gateway, authorities: Option<PathBuf>) -> Service {
    let line = authorities.map(|path| format!("\"\ntls-ca-file = \"{}\"", path.display()));
    let url = format!("\"{}{}", gateway.url, line.as_deref().unwrap_or("\""));
    let before = format!("\"{}\"", town.coordinator.url());
    fs::write(
        town.config_path(),
        town.configuration().replace(&before, &url),
    )
    .unwrap();
    Service::start(&[town.config_path().display().to_string()], &[])
}

#[test]
fn an_unknown_certificate_is_refused_and_no_token_is_sent() {
    let town = Town::new();
    let gateway = Gateway::before(&town.coordinator.url());
    let service = start(&town, &gateway, None);
    let line = service.await_log("asking for a job: ");
    assert!(line.to_lowercase().contains("certificate"), "{line}");
    assert!(town.coordinator.job_requests(RUNNER_TOKEN).is_empty());
}

#[test]
fn a_runners_own_authority_is_believed_and_travels_to_the_machine() {
    let town = Town::new();
    let gateway = Gateway::before(&town.coordinator.url());
    let path = town.folder.path().join("ours.pem");
    fs::write(&path, &gateway.certificate).unwrap();
    let _service = start(&town, &gateway, Some(path));
    let job = town.submit("trusting", "true");
    let files = || {
        town.machine(job)
            .map(|machine| machine.files)
            .unwrap_or_default()
    };
    assert!(
        town.journal
            .wait_until(PATIENCE, || files().contains_key("ca.crt"))
    );
    let files = files();
    assert_eq!(files["ca.crt"], gateway.certificate.as_bytes());
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
    assert!(text("Dockerfile").contains("COPY runner.toml job.json ca.crt /etc/heptapod-runner/"));
    let runner_toml = text("runner.toml");
    assert!(
        runner_toml.contains("tls-ca-file = \"/etc/heptapod-runner/ca.crt\""),
        "{runner_toml}"
    );
    town.coordinator.cancel(job);
    town.await_no_machines();
}

#[test]
fn proxies_are_taken_from_the_environment_unless_it_says_no() {
    let mut town = Town::new();
    let nowhere = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = format!("http://{nowhere}");
    let through = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"];
    town.environment = through
        .map(|name| (name.to_owned(), proxy.clone()))
        .to_vec();
    town.environment
        .push(("NO_PROXY".to_owned(), String::new()));
    town.environment
        .push(("no_proxy".to_owned(), String::new()));
    let service = town.start();
    service.await_log("cannot compute the quota yet");
    assert_eq!(town.journal.count_requests("GET", |_| true), 0);
    drop(service);
    for name in ["NO_PROXY", "no_proxy"] {
        town.environment
            .push((name.to_owned(), "127.0.0.1,localhost".to_owned()));
    }
    let _service = town.start();
    let job = town.submit("direct", "true");
    town.await_end(job);
}
