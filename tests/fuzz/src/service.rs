//! A service on loopback, good or hostile: it answers each request as it was told to.
//!
//! Every answer ends its connection, so that nothing of one input is left for the next.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Nothing that a program on the same computer says takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says what to answer to a request, of which it is given the first line.
type Manners = dyn Fn(&str) -> Vec<u8> + Send;

pub struct Service {
    pub url: String,
    manners: Arc<Mutex<Box<Manners>>>,
}

impl Service {
    /// # Panics
    /// When there is no loopback.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("its address").port();
        let manners: Arc<Mutex<Box<Manners>>> = Arc::new(Mutex::new(Box::new(|_| Vec::new())));
        let inside = manners.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let _ = serve(connection, &inside);
            }
        });
        Self {
            url: format!("http://127.0.0.1:{port}"),
            manners,
        }
    }

    /// From now on requests are answered so.
    pub fn behave(&self, manners: impl Fn(&str) -> Vec<u8> + Send + 'static) {
        *self.manners.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(manners);
    }
}

fn serve(mut connection: TcpStream, manners: &Mutex<Box<Manners>>) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut request = BufReader::new(connection.try_clone()?);
    let mut first = String::new();
    request.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if request.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    io::copy(&mut request.take(length), &mut io::sink())?;
    let answer = manners.lock().unwrap_or_else(PoisonError::into_inner)(&first);
    connection.write_all(&answer)
}

/// An answer as it travels. `lines` are more of its head; whatever is in them is sent.
#[must_use]
pub fn answer(status: u16, lines: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Whatever\r\n").into_bytes();
    for line in lines {
        answer.extend_from_slice(line);
        answer.extend(b"\r\n");
    }
    let last = format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    answer.extend(last.into_bytes());
    answer.extend_from_slice(body);
    answer
}
