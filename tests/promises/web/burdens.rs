//! Who asks strangely, slowly, without end or without a right.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sandbox::JobStatus;

use super::Answer;
use crate::scene::{Scene, eventually};

#[test]
fn hanging_flooding_and_endless_requests_disturb_neither_a_job_nor_who_asks_properly() {
    // More than a process may usually have open.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();
    let scene = Scene::listening();
    let site = scene.serve();
    let silent: Vec<TcpStream> = (0..300).map(|_| site.connect()).collect();
    let mut endless = site.connect();
    // It is hung up on at some time, with an answer if that still arrives.
    let piece = vec![b'x'; 1 << 20];
    let _ = endless
        .write_all(b"GET / HTTP/1.1\r\nX-Long: ")
        .and_then(|()| endless.write_all(&piece));
    let job = scene.submit("beside", "true");
    assert_eq!(site.get("/healthz").status, 200);
    let flood: Vec<TcpStream> = (0..1000).map(|_| site.connect()).collect();
    assert_eq!(site.get("/healthz").status, 200);
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    drop(flood);
    let threads = format!("/proc/{}/task", site.service.id());
    let names = std::fs::read_dir(threads).unwrap().flatten();
    let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    assert_eq!(names.filter(|name| name.trim() == "web").count(), 1);
    // Those that hang are hung up on.
    for mut stream in silent {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
    scene.await_no_machines();
}

#[test]
fn what_is_no_request_is_answered_in_words_and_nothing_but_reading_is_done() {
    let scene = Scene::listening();
    let site = scene.serve();
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(9000)
    );
    let host = &site.address;
    let headers = "X-Header: 1\r\n".repeat(100);
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (long, 431),
        (format!("GET / HTTP/1.1\r\n{headers}\r\n"), 431),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            405,
        ),
        (
            format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            404,
        ),
        (
            "GET / HTTP/1.1\r\nHost: page-of-somebody.example\r\n\r\n".to_owned(),
            421,
        ),
        (
            "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:80\r\n\r\n".to_owned(),
            200,
        ),
        ("GET /metrics HTTP/1.0\r\n\r\n".to_owned(), 200),
    ] {
        let answer = site.say(&request);
        assert_eq!(answer.status, status, "{request:?}");
        assert!(!answer.body.is_empty(), "{request:?}");
    }
    // One that comes in pieces is one.
    let mut stream = site.connect();
    for piece in [
        "GET /hea",
        "lthz HTTP/1.1\r\nHo",
        "st: [::1]:80\r\n",
        "\r\n",
    ] {
        stream.write_all(piece.as_bytes()).unwrap();
    }
    assert_eq!(Answer::read(&mut stream).status, 200);
    let whole = site.get("/healthz");
    let head = site.ask("HEAD", "/healthz", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let length = format!("Content-Length: {}", whole.body.len());
    assert!(head.head.contains(&length), "{}", head.head);
}

#[test]
fn with_a_token_nobody_sees_anything_without_it_and_it_is_nowhere() {
    const TOKEN: &str = "s3same-open-the-page";
    let mut scene = Scene::listening();
    scene.global = "listen_address = \":0\"\npaas_listen_token = \"env:LISTEN_TOKEN\"\n".to_owned();
    scene
        .environment
        .push(("LISTEN_TOKEN".to_owned(), TOKEN.to_owned()));
    let mut site = scene.serve();
    // Everywhere is here, too.
    let port = site.address.rsplit(':').next().unwrap().to_owned();
    site.address = format!("127.0.0.1:{port}");
    for path in ["/", "/metrics", "/healthz", "/readyz", "/nothing"] {
        for wrong in [
            "",
            "Authorization: Bearer s3same\r\n",
            "Authorization: Basic eDp5\r\n",
        ] {
            let answer = site.ask("GET", path, wrong);
            assert_eq!(answer.status, 401, "{path}");
            assert!(
                answer.head.contains("WWW-Authenticate: "),
                "{}",
                answer.head
            );
        }
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let browser = "Authorization: Basic YWxpY2U6czNzYW1lLW9wZW4tdGhlLXBhZ2U=\r\n";
    for path in ["/", "/metrics", "/healthz"] {
        for header in [right.as_str(), browser] {
            let answer = site.ask("GET", path, header);
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.contains(TOKEN));
        }
    }
    let (_, log) = site.service.stop();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn elsewhere_than_on_this_computer_a_token_is_needed_and_a_port_alone_means_this_computer() {
    let mut scene = Scene::new();
    for (address, told) in [
        ("0.0.0.0:0", "`paas_listen_token` is missing"),
        ("[::]:0", "`paas_listen_token` is missing"),
        (
            "example.org:1",
            "`listen_address` must be an address of this computer",
        ),
    ] {
        scene.global = format!("listen_address = \"{address}\"\n");
        scene.write_configuration();
        let (code, _, complaint) = scene.ask(&[]);
        assert_eq!(code, Some(2), "{complaint}");
        assert!(complaint.contains(told), "{complaint}");
    }
    // As gitlab-runner has it.
    scene.global = "metrics_server = \":0\"\n".to_owned();
    let site = scene.serve();
    site.service.await_log("names no host");
    assert!(site.address.starts_with("127.0.0.1:"), "{}", site.address);
}

#[test]
fn another_address_counts_from_the_next_reading_on_and_none_is_the_usual() {
    let scene = Scene::listening();
    let site = scene.serve();
    scene.rewrite(&[(
        "listen_address",
        "paas_listen_token = \"s3same\"\nlisten_address",
    )]);
    let (code, _, complaint) = scene.ask(&["--reload"]);
    assert_eq!(code, Some(0), "{complaint}");
    let served = |service: &crate::service::Service| {
        let log = service.whole_log();
        log.matches("metrics and a page are served at").count()
    };
    assert!(eventually(|| served(&site.service) == 2));
    assert!(TcpStream::connect(&site.address).is_err());
    scene.rewrite(&[("listen_address = \"127.0.0.1:0\"", "")]);
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    // The same address again.
    let address = site.address.clone();
    scene.rewrite(&[("127.0.0.1:0", &address)]);
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    assert_eq!(site.get("/healthz").status, 200);
    let token = format!("{address}\"\npaas_listen_token = \"s3same");
    scene.rewrite(&[("127.0.0.1:0", &token)]);
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    assert_eq!(site.get("/healthz").status, 401);
}
