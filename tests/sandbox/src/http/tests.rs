//! The server against plain sockets: no HTTP library may hide what is on the wire.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Request, Response, Server, Service};
use crate::fault::{Fault, Faults, Gate, Rule};
use crate::journal::{Journal, Source};

/// Answers with the number of the connection and the body.
struct Echo;

impl Service for Echo {
    fn handle(&self, request: &Request) -> Response {
        let body = String::from_utf8_lossy(&request.body);
        Response::text(200, &format!("{}:{body}", request.connection))
    }

    fn source(&self) -> Source {
        Source::Clever
    }
}

fn start(faults: &Faults, journal: &Journal) -> Server {
    Server::start(Arc::new(Echo), faults.clone(), journal.clone()).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// One answer, as far as it goes: head and body.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap_or(0) == 1 {
        answer.push(byte[0]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split_once("Content-Length: ").map(|(_, tail)| {
            let line = tail.lines().next().unwrap_or_default();
            line.parse::<usize>().unwrap()
        });
        if length.is_none_or(|length| body.len() == length) {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_connection_is_kept_for_bodies_of_both_kinds() {
    let server = start(&Faults::new(), &Journal::new());
    let mut stream = connect(&server);
    stream
        .write_all(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    stream
        .write_all(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        .unwrap();
    assert!(read_answer(&mut stream).ends_with("\r\n\r\n1:abcde"));
    stream
        .write_all(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").unwrap();
    assert!(read_answer(&mut stream).ends_with("1:hi"));
}

#[test]
fn an_outage_refuses_and_the_same_port_comes_back() {
    let server = start(&Faults::new(), &Journal::new());
    let mut before = connect(&server);
    server.suspend();
    assert_eq!(before.read(&mut [0]).unwrap_or(0), 0);
    TcpStream::connect(server.address()).unwrap_err();
    server.resume();
    let mut after = connect(&server);
    after.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(read_answer(&mut after).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn what_hangs_or_is_held_ends_with_the_server() {
    let (faults, journal) = (Faults::new(), Journal::new());
    let server = start(&faults, &journal);
    let gate = Gate::new();
    faults.inject(Rule::on("GET", "/hang").with(Fault::Hang));
    faults.inject(Rule::on("GET", "/held").with(Fault::HoldBefore(gate.clone())));
    let (mut hanging, mut held) = (connect(&server), connect(&server));
    hanging.write_all(b"GET /hang HTTP/1.1\r\n\r\n").unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\n\r\n").unwrap();
    assert!(gate.wait_reached(Duration::from_secs(10)));
    drop(server);
    assert_eq!(read_answer(&mut hanging), "");
    assert_eq!(read_answer(&mut held), "");
}

#[test]
fn a_truncated_answer_promises_more_than_it_has() {
    let (faults, journal) = (Faults::new(), Journal::new());
    let server = start(&faults, &journal);
    faults.inject(Rule::on_any("*").with(Fault::Truncate(1)));
    let mut stream = connect(&server);
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let answer = read_answer(&mut stream);
    assert!(answer.contains("Content-Length: 2\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
}

#[test]
fn a_client_that_left_before_its_answer_is_noticed() {
    let (faults, journal) = (Faults::new(), Journal::new());
    let server = start(&faults, &journal);
    let gate = Gate::new();
    faults.inject(Rule::on("GET", "/").with(Fault::HoldAfter(gate.clone())));
    let mut stream = connect(&server);
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(gate.wait_reached(Duration::from_secs(10)));
    // Not dropped: a process that is being started elsewhere in this one holds a copy for a moment.
    stream.shutdown(Shutdown::Both).unwrap();
    gate.open();
    let noticed = journal.wait_for(Duration::from_secs(10), |entries| {
        entries
            .iter()
            .any(|entry| entry.what.ends_with("the client left before its answer"))
            .then_some(())
    });
    assert!(noticed.is_some(), "{journal}");
}
