//! How the program gets out: the proxies of its environment.
//!
//! Which address has which proxy is a table beside the code; here it is a real one that is asked, or
//! isn't.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sandbox::certificates::Authority;

use crate::scene::Scene;
use crate::trust::believe;
use crate::trust::gateway::Gateway;

/// `user:p@ss`
const LOGIN: &str = "Basic dXNlcjpwQHNz";

/// A proxy that makes tunnels.
struct Proxy {
    place: String,
    /// What it was asked for, each with the login.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Proxy {
    /// `answer` is what it says to whoever has shown the right login.
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let seen = asked.clone();
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let seen = seen.clone();
                thread::spawn(move || {
                    let _ = serve(visitor, answer, &seen);
                });
            }
        });
        Self { place, asked }
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(visitor: TcpStream, answer: &str, asked: &Mutex<Vec<(String, String)>>) -> io::Result<()> {
    let mut reader = BufReader::new(visitor.try_clone()?);
    let (mut target, mut login) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(request) = line.strip_prefix("CONNECT ") {
            let place = request.split(' ').next().unwrap_or_default();
            place.clone_into(&mut target);
        }
        if let Some(value) = line.strip_prefix("Proxy-Authorization: ") {
            value.trim().clone_into(&mut login);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    asked.lock().unwrap().push((target.clone(), login));
    let mut back = visitor;
    write!(back, "HTTP/1.1 {answer}\r\n\r\n")?;
    if !answer.starts_with("200") {
        return Ok(());
    }
    let mut service = TcpStream::connect(target)?;
    let mut there = service.try_clone()?;
    thread::spawn(move || {
        let _ = io::copy(&mut reader, &mut there);
        let _ = there.shutdown(Shutdown::Write);
    });
    io::copy(&mut service, &mut back)?;
    back.shutdown(Shutdown::Both)
}

/// All of the environment's words on proxies; what is not named is not there.
fn set(scene: &mut Scene, words: &[(&str, &str)]) {
    let all = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    let upper = all.map(str::to_uppercase);
    let upper = upper.iter().map(String::as_str);
    scene.environment = all
        .into_iter()
        .chain(upper)
        .map(|name| (name.to_owned(), String::new()))
        .collect();
    let words = words
        .iter()
        .map(|(name, word)| ((*name).to_owned(), (*word).to_owned()));
    scene.environment.extend(words);
}

#[test]
fn all_goes_through_the_proxy_unless_the_environment_says_no() {
    let mut scene = Scene::new();
    let proxy = Proxy::start("200 Go on");
    let address = format!("http://user:p%40ss@{}", proxy.place);
    set(&mut scene, &[("HTTP_PROXY", &address)]);
    let service = scene.start();
    let service_at = |url: String| {
        let rest = url.trim_start_matches("http://").to_owned();
        (rest.split('/').next().unwrap().to_owned(), LOGIN.to_owned())
    };
    let both = [
        service_at(scene.coordinator.url()),
        service_at(scene.clever.api_url()),
    ];
    scene.await_that("a request for a job", || scene.count_job_requests() > 0);
    let asked = proxy.asked();
    assert!(both.iter().all(|place| asked.contains(place)), "{asked:?}");
    assert!(asked.iter().all(|place| both.contains(place)), "{asked:?}");
    drop(service);
    // Where another proxy, which doesn't exist, is for other addresses.
    set(
        &mut scene,
        &[
            ("all_proxy", &address),
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
            ("NO_PROXY", "localhost, 127.0.0.0/8"),
        ],
    );
    let before = proxy.asked().len();
    let _service = scene.start();
    let job = scene.submit("direct", "true");
    scene.await_end(job);
    assert_eq!(proxy.asked().len(), before);
}

/// Both TLS with the proxy and, through it, TLS with the coordinator.
#[test]
fn a_proxy_may_speak_tls_itself() {
    let mut scene = Scene::new();
    let ours = Authority::new();
    let shown = ours.issue(|_| {});
    let proxy = Proxy::start("200 Go on");
    let entrance = Gateway::before(&proxy.place, &shown);
    let coordinator = Gateway::before(&scene.coordinator.url(), &shown);
    set(&mut scene, &[("https_proxy", &entrance.url)]);
    believe(&mut scene, &ours.pem());
    let url = format!("\"{}\"", scene.coordinator.url());
    let _service = scene.start_changed(&[(&url, &format!("\"{}\"", coordinator.url))]);
    coordinator.await_requests(2);
    let place = coordinator.url.trim_start_matches("https://").to_owned();
    assert!(proxy.asked().contains(&(place, String::new())));
}

#[test]
fn a_proxy_that_lets_nobody_through_is_named_and_its_password_is_not() {
    for (answer, why) in [
        (
            "407 Proxy Authentication Required",
            "the proxy wants a login",
        ),
        (
            "403 Forbidden",
            "the proxy opens no tunnel: proxy server responded 403",
        ),
    ] {
        let mut scene = Scene::new();
        let proxy = Proxy::start(answer);
        let address = format!("http://user:p@ss@{}", proxy.place);
        set(&mut scene, &[("all_proxy", &address)]);
        scene.global = "log_level = \"debug\"".to_owned();
        let service = scene.start();
        let line = service.await_log("cannot compute the quota yet: ");
        assert!(line.contains(why), "{line}");
        let shown = format!("(through the proxy http://{})", proxy.place);
        assert!(line.contains(&shown), "{line}");
        assert_eq!(scene.journal.count_requests("GET", |_| true), 0);
        let log = service.whole_log();
        for secret in ["p@ss", "p%40ss", LOGIN] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_at_start_and_never_passed_by() {
    let mut scene = Scene::new();
    for (name, address) in [
        ("ALL_PROXY", "socks5h://user:s3cret@127.0.0.1:1080"),
        ("https_proxy", "http://user:s3cret@proxy:port"),
        ("HTTP_PROXY", "not an address"),
    ] {
        set(&mut scene, &[(name, address)]);
        let (exit, log) = scene.start().wait();
        assert_eq!(exit.code(), Some(1), "{log}");
        assert!(log.contains(name) && !log.contains("s3cret"), "{log}");
        assert_eq!(scene.journal.count_requests("GET", |_| true), 0);
    }
}
