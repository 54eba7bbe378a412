//! What is asked for, as far as it matters here.

use httparse::{EMPTY_HEADER, Error, Status};

/// More than any browser or proxy sends.
const HEADERS: usize = 64;

pub struct Request {
    pub is_head: bool,
    /// Without its query.
    pub path: String,
    pub host: String,
    pub authorization: String,
}

pub enum Heard {
    /// It goes on.
    More,
    Whole(Request),
    /// A status, and why.
    Wrong(u16, &'static str),
}

impl Request {
    /// A body is nobody's business: it is not waited for.
    pub fn read(heard: &[u8]) -> Heard {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(heard) {
            Ok(Status::Partial) => return Heard::More,
            Ok(Status::Complete(_)) => {}
            Err(Error::TooManyHeaders) => return Heard::Wrong(431, "too many headers"),
            Err(_) => return Heard::Wrong(400, "this is no request"),
        }
        let is_head = match request.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Heard::Wrong(405, "there are only GET and HEAD here"),
        };
        let path = request.path.unwrap_or_default();
        let value = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|it| it.name.eq_ignore_ascii_case(name));
            found.map_or_else(String::new, |it| {
                String::from_utf8_lossy(it.value).trim().to_owned()
            })
        };
        Heard::Whole(Self {
            is_head,
            path: path.split('?').next().unwrap_or_default().to_owned(),
            host: value("Host"),
            authorization: value("Authorization"),
        })
    }
}
