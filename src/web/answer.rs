//! An answer as it is sent.

const TEXT: &str = "text/plain; charset=utf-8";
/// Neither kept, nor guessed at, nor shown within another page, and no script in it is run.
const ALWAYS: &str = "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
    frame-ancestors 'none'\r\n";

pub struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Answer {
    pub const fn new(kind: &'static str, body: String) -> Self {
        Self {
            status: 200,
            kind,
            body,
        }
    }

    /// A line for people.
    pub fn words(status: u16, words: &str) -> Self {
        Self {
            status,
            kind: TEXT,
            body: format!("{words}\n"),
        }
    }

    pub fn bytes(self, is_head: bool) -> Vec<u8> {
        let (reason, more) = match self.status {
            200 => ("OK", ""),
            400 => ("Bad Request", ""),
            // A browser asks for it then, as a password.
            401 => (
                "Unauthorized",
                "WWW-Authenticate: Bearer, Basic realm=\"heptapod-paas-runner\"\r\n",
            ),
            404 => ("Not Found", ""),
            405 => ("Method Not Allowed", "Allow: GET, HEAD\r\n"),
            421 => ("Misdirected Request", ""),
            431 => ("Request Header Fields Too Large", ""),
            _ => ("Service Unavailable", "Retry-After: 5\r\nRefresh: 10\r\n"),
        };
        let head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{ALWAYS}{more}\r\n",
            self.status,
            self.kind,
            self.body.len()
        );
        let body = if is_head { "" } else { &self.body };
        (head + body).into_bytes()
    }
}
