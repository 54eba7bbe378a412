//! Stands for `gitlab-runner exec-fetched-job` in an image from scratch.
//!
//! A program of its own, linked statically, with nothing but the standard library: it is all that
//! there is in its container. It tells the job's log what it sees there, and ends the job; a job
//! in whose definition stands `until canceled` it keeps alive until the coordinator has enough.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::thread;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, command, option, configuration, job] = arguments.as_slice() else {
        panic!("{arguments:?}");
    };
    assert_eq!(
        (command.as_str(), option.as_str()),
        ("exec-fetched-job", "--config")
    );
    let configuration = fs::read_to_string(configuration).unwrap();
    let job = fs::read_to_string(job).unwrap();
    let session = Session {
        address: after(&configuration, "url = \"http://", '"').to_owned(),
        id: after(&job, "\"id\":", ',').to_owned(),
        token: after(&job, "\"token\":\"", '"').to_owned(),
    };
    let socket = fs::metadata("/var/run/docker.sock");
    let socket = socket.is_ok_and(|it| it.file_type().is_socket());
    let mut sent = session.append(0, &format!("an engine: {socket}\n{configuration}\n"));
    while job.contains("until canceled") {
        thread::sleep(Duration::from_millis(200));
        sent = session.append(sent, ".");
    }
    session.succeed();
}

/// What stands in `text` between `before` and the next `end`.
fn after<'a>(text: &'a str, before: &str, end: char) -> &'a str {
    let rest = text.split_once(before).unwrap().1;
    rest.split_once(end).unwrap().0.trim()
}

struct Session {
    address: String,
    id: String,
    token: String,
}

impl Session {
    /// Returns how long the log is now. There is nothing left to do when nobody wants it.
    fn append(&self, start: usize, text: &str) -> usize {
        let end = start + text.len();
        let head = format!(
            "PATCH /api/v4/jobs/{}/trace HTTP/1.1\r\nContent-Type: text/plain\r\n\
             JOB-TOKEN: {}\r\nContent-Range: {start}-{}\r\n",
            self.id,
            self.token,
            end - 1
        );
        self.send(&head, text);
        end
    }

    fn succeed(&self) {
        let head = format!(
            "PUT /api/v4/jobs/{} HTTP/1.1\r\nContent-Type: application/json\r\n",
            self.id
        );
        let body = format!("{{\"token\":\"{}\",\"state\":\"success\"}}", self.token);
        self.send(&head, &body);
    }

    fn send(&self, head: &str, body: &str) {
        let answer = self.exchange(head, body).unwrap();
        if !answer.starts_with("HTTP/1.1 20") {
            println!("{answer}");
            std::process::exit(1);
        }
    }

    fn exchange(&self, head: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let (address, length) = (&self.address, body.len());
        write!(
            stream,
            "{head}Host: {address}\r\nUser-Agent: gitlab-runner 18.9.0 (stand-in)\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
