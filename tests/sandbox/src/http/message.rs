//! What a client asked and what it is answered.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// As it came: not decoded, without the query.
    pub path: String,
    /// As it came, without the `?`.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which TCP connection it came on: equal numbers prove that a connection was reused.
    pub connection: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first query parameter of this name, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        pairs(&self.query).find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The body, when it is JSON (whatever its `Content-Type` says).
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body's media type, without parameters, in lower case.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("Content-Type")?;
        let media = value.split(';').next().unwrap_or(value);
        Some(media.trim().to_ascii_lowercase())
    }

    /// The fields of a body that is a web form.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body)).collect()
    }
}

impl Response {
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
        .with("Content-Type", "application/json")
    }

    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
        .with("Content-Type", "text/plain")
    }

    /// The head of a stream: its events come from [`Service::more`](super::Service::more).
    #[must_use]
    pub fn events() -> Self {
        Self::empty(200).with("Content-Type", EVENTS)
    }

    pub(super) fn is_stream(&self) -> bool {
        self.header("Content-Type") == Some(EVENTS)
    }

    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

const EVENTS: &str = "text/event-stream";

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn pairs(form: &str) -> impl Iterator<Item = (String, String)> {
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| {
            let decode_form = |text: &str| decode(&text.replace('+', " "));
            (decode_form(key), decode_form(value))
        })
}

/// Resolves `%2F` and the like; what is no such escape stays as it is.
#[must_use]
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'%', Some(byte)) = (first, escape(tail)) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escape(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}
