//! Writing answers to a connection, whole or in the ways that a fault plan asks for.

use std::io::{self, Write};
use std::time::Duration;

use super::{Request, Response};
use crate::stop::Stop;

/// Much in one write, for a client that swallows without limit should notice soon.
const ENDLESS_CHUNK: usize = 16 << 10;

/// The message as it goes over the wire. 1xx, 204 and 304 have no body and no length.
pub fn encode(response: &Response) -> Vec<u8> {
    let mut message = head(response);
    if has_body(response.status) {
        let length = response.body.len();
        message.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    message.extend_from_slice(b"\r\n");
    if has_body(response.status) {
        message.extend_from_slice(&response.body);
    }
    message
}

/// A page that tells the client what it has sent.
pub fn quoting(status: u16, request: &Request) -> Response {
    let headers = request.headers.iter();
    let lines = headers.map(|(name, value)| format!("you sent {name}: {value}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    Response::text(status, &lines)
}

/// Promises the whole body, and ends after `bytes` of it.
pub fn write_truncated(out: &mut impl Write, response: &Response, bytes: usize) -> io::Result<()> {
    let message = encode(response);
    let withheld = response.body.len().saturating_sub(bytes);
    out.write_all(&message[..message.len() - withheld])
}

/// One byte at a time.
pub fn write_trickling(
    out: &mut impl Write,
    response: &Response,
    pause: Duration,
    stop: &Stop,
) -> io::Result<()> {
    for byte in encode(response) {
        out.write_all(&[byte])?;
        if stop.wait(pause).is_err() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    Ok(())
}

/// Chunk after chunk, until the client has enough.
pub fn write_endless(out: &mut impl Write, response: &Response, stop: &Stop) -> io::Result<()> {
    begin_chunks(out, response)?;
    while !stop.is_stopped() {
        write_chunk(out, &[b' '; ENDLESS_CHUNK])?;
    }
    Ok(())
}

/// What comes before the first chunk of a body.
pub fn begin_chunks(out: &mut impl Write, response: &Response) -> io::Result<()> {
    let mut message = head(response);
    message.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    out.write_all(&message)
}

/// An empty one is the end.
pub fn write_chunk(out: &mut impl Write, chunk: &[u8]) -> io::Result<()> {
    let length = format!("{:x}\r\n", chunk.len());
    out.write_all(&[length.as_bytes(), chunk, b"\r\n"].concat())?;
    out.flush()
}

fn head(response: &Response) -> Vec<u8> {
    let status = response.status;
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in &response.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.into_bytes()
}

const fn has_body(status: u16) -> bool {
    !matches!(status, 100..=199 | 204 | 304)
}

pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Payload Too Large",
        416 => "Range Not Satisfiable",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
