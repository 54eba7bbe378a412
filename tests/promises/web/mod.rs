//! How everything stands is served to browsers and to what watches servers, and whoever asks in whatever way takes
//! nothing from a job.

mod burdens;
mod health;
mod metrics;
mod page;
mod prometheus;

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::scene::{PATIENCE, Scene, eventually};
use crate::service::Service;

/// A service that listens, and where.
struct Site {
    service: Service,
    address: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Scene {
    fn serve(&self) -> Site {
        let service = self.start();
        let line = service.await_log("metrics and a page are served at http://");
        let (_, behind) = line.split_once("http://").unwrap();
        let address = behind.split('/').next().unwrap().to_owned();
        Site { service, address }
    }

    /// One that listens at this computer.
    fn listening() -> Self {
        let mut scene = Self::new();
        scene.global.push_str("listen_address = \"127.0.0.1:0\"\n");
        scene
    }
}

impl Site {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// With these further header lines.
    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = &self.address;
        self.say(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
        ))
    }

    fn say(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    /// Waits until the metrics have a line that begins so.
    fn await_metric(&self, line: &str) -> String {
        let has = |text: &str| text.lines().any(|it| it == line);
        assert!(
            eventually(|| has(&self.get("/metrics").body)),
            "no {line} in\n{}",
            self.get("/metrics").body
        );
        self.get("/metrics").body
    }
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).unwrap_or_default();
        Self {
            status: status.parse().unwrap_or_else(|_| panic!("{answer:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}
