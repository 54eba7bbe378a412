//! A mistake in the address or the token of a coordinator is told with what to do about it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use sandbox::{Fault, Rule};

use crate::scene::{RUNNER_TOKEN, Scene};

/// Answers as nginx does where TLS was expected; to TLS it is a port without it.
fn tls_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let page = "<title>400 The plain HTTP request was sent to HTTPS port</title>";
            let _ = write!(
                stream,
                "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    format!("http://{address}")
}

#[test]
fn each_of_the_usual_mistakes_gets_its_hint() {
    let page = |status| {
        let scene = Scene::new();
        let rule = Rule::on("POST", "*/jobs/request").always();
        let faults = scene.coordinator.faults();
        faults.inject(rule.with(Fault::html(status)));
        let url = scene.coordinator.url();
        (scene, url.clone(), url)
    };
    let at = |wrong: fn(&str) -> String| {
        let scene = Scene::new();
        let url = scene.coordinator.url();
        let wrong = wrong(&url);
        (scene, url, wrong)
    };
    let token = (
        Scene::new(),
        RUNNER_TOKEN.to_owned(),
        "glrt-wrong".to_owned(),
    );
    thread::scope(|scope| {
        for ((scene, before, after), hints) in [
            (
                page(404),
                ["no GitLab or Heptapod at this address", "status 404"],
            ),
            (page(401), ["a proxy that wants a sign-in", "check `url`"]),
            (
                token,
                ["no runner with this token is known there", "check `token`"],
            ),
            (
                at(|_| tls_port()),
                ["begin `url` with https://", "HTTPS port"],
            ),
            (
                at(|_| "http://127.0.0.1:1".to_owned()),
                ["nobody listens there", "`url`"],
            ),
            (
                at(|_| "http://no-such-host.invalid".to_owned()),
                ["no such host is known", "`url`"],
            ),
            (
                at(|_| tls_port().replace("http:", "https:")),
                ["begin `url` with http://", "does not speak TLS"],
            ),
        ] {
            scope.spawn(move || {
                let service = scene.start_changed(&[(&before, &after)]);
                let line = service.await_log("asking for a job: ");
                for hint in hints {
                    assert!(line.contains(hint), "{hint}: {line}");
                }
            });
        }
    });
}

#[test]
fn an_address_with_the_path_of_the_api_is_refused_at_once() {
    let scene = Scene::new();
    let url = scene.coordinator.url();
    let wrong = format!("url = \"{url}/api/v4\"");
    let right = format!("url = \"{url}\"");
    let (exit, log) = scene.start_changed(&[(&right, &wrong)]).wait();
    assert_eq!(exit.code(), Some(2), "{log}");
    assert!(log.contains("without /api/v4"), "{log}");
}
