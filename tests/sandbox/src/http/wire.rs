//! Reading requests from a connection, and whether anybody waits for their answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::Request;

/// What common servers take as a head.
const HEAD_LIMIT: usize = 64 << 10;
const HEADERS_LIMIT: usize = 128;
/// Far above any push of three files.
const BODY_LIMIT: u64 = 256 << 20;

/// Why there is no next request.
pub enum NoRequest {
    /// The client closed the connection between two requests, or it broke.
    Left,
    /// What came is no HTTP; with the status to answer.
    Bad(u16, String),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Left
    }
}

/// Reads one request, its body included.
pub fn read_request(
    stream: &mut BufReader<impl Read + Write>,
    connection: u64,
) -> Result<Request, NoRequest> {
    let head = read_head(stream)?;
    let mut request = parse_head(&head, connection)?;
    let expects = request.header("Expect");
    if expects.is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(stream, &request)?;
    Ok(request)
}

fn read_head(stream: &mut impl BufRead) -> Result<Vec<u8>, NoRequest> {
    let mut head = Vec::new();
    loop {
        let line_start = head.len();
        let limit = (HEAD_LIMIT - head.len()) as u64;
        stream.take(limit).read_until(b'\n', &mut head)?;
        let line = &head[line_start..];
        match line {
            b"\r\n" | b"\n" if line_start > 0 => return Ok(head),
            // Some clients send an empty line too many after a body.
            b"\r\n" | b"\n" => head.clear(),
            _ if line.ends_with(b"\n") => {}
            _ if head.len() >= HEAD_LIMIT => {
                return Err(NoRequest::Bad(431, "a head beyond the limit".to_owned()));
            }
            _ => return Err(NoRequest::Left),
        }
    }
}

fn parse_head(head: &[u8], connection: u64) -> Result<Request, NoRequest> {
    let bad = |why: &str| NoRequest::Bad(400, why.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed
        .parse(head)
        .map_err(|error| bad(&error.to_string()))?;
    if status.is_partial() {
        return Err(bad("an incomplete head"));
    }
    if parsed.version != Some(1) {
        return Err(NoRequest::Bad(505, "not HTTP/1.1".to_owned()));
    }
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = parsed.headers.iter().map(|header| {
        let value = String::from_utf8_lossy(header.value);
        (header.name.to_owned(), value.into_owned())
    });
    Ok(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
        connection,
    })
}

fn read_body(stream: &mut impl BufRead, request: &Request) -> Result<Vec<u8>, NoRequest> {
    if let Some(coding) = request.header("Transfer-Encoding") {
        return if coding.eq_ignore_ascii_case("chunked") {
            read_chunks(stream)
        } else {
            Err(NoRequest::Bad(501, format!("transfer coding {coding}")))
        };
    }
    let Some(length) = request.header("Content-Length") else {
        return Ok(Vec::new());
    };
    let length = length
        .trim()
        .parse()
        .map_err(|_| NoRequest::Bad(400, format!("Content-Length {length}")))?;
    let mut body = Vec::new();
    read_exactly(stream, length, &mut body)?;
    Ok(body)
}

fn read_chunks(stream: &mut impl BufRead) -> Result<Vec<u8>, NoRequest> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16)
            .map_err(|_| NoRequest::Bad(400, format!("chunk size `{digits}`")))?;
        if length == 0 {
            break;
        }
        read_exactly(stream, length, &mut body)?;
        if !read_line(stream)?.is_empty() {
            return Err(NoRequest::Bad(
                400,
                "a chunk longer than it says".to_owned(),
            ));
        }
    }
    while !read_line(stream)?.is_empty() {}
    Ok(body)
}

fn read_exactly(
    stream: &mut impl BufRead,
    length: u64,
    body: &mut Vec<u8>,
) -> Result<(), NoRequest> {
    if body.len() as u64 + length > BODY_LIMIT {
        return Err(NoRequest::Bad(413, "a body beyond the limit".to_owned()));
    }
    let read = stream.take(length).read_to_end(body)?;
    if (read as u64) < length {
        return Err(NoRequest::Left);
    }
    Ok(())
}

fn read_line(stream: &mut impl BufRead) -> Result<String, NoRequest> {
    let mut line = Vec::new();
    stream
        .take(HEAD_LIMIT as u64)
        .read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(NoRequest::Left);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Whether the client closed its side while it should wait for an answer.
pub fn has_left(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let left = match stream.peek(&mut [0]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    };
    left || stream.set_nonblocking(false).is_err()
}
