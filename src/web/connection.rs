//! One connection: a request is heard, an answer said, and then it is over. It never waits; its time is bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::answer::Answer;
use super::request::{Heard, Request};
use super::routes::Routes;

/// For a request, and for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// For what is still said by one who has its answer.
const GOODBYE: Duration = Duration::from_secs(1);
/// Of a request.
const LONGEST: usize = 8 << 10;
/// So often one is read from before others have their turn.
const READS: usize = 16;

pub struct Connection {
    stream: TcpStream,
    until: Instant,
    doing: Doing,
}

enum Doing {
    Hears(Vec<u8>),
    /// The rest of an answer begins there.
    Says(Vec<u8>, usize),
    /// Who is hung up on while it speaks may lose its answer.
    HangsUp,
    Over,
}

impl Connection {
    pub fn new(stream: TcpStream, now: Instant) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            until: now + PATIENCE,
            doing: Doing::Hears(Vec::new()),
        })
    }

    pub fn is_over(&self) -> bool {
        matches!(self.doing, Doing::Over) || self.rest().is_zero()
    }

    /// How long it may go on.
    pub fn rest(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    pub fn waits_for(&self) -> PollFd<'_> {
        let what = match self.doing {
            Doing::Says(..) => PollFlags::OUT,
            _ => PollFlags::IN,
        };
        PollFd::new(&self.stream, what)
    }

    /// As far as it goes without waiting.
    pub fn go_on(&mut self, routes: &Routes) {
        for _ in 0..READS {
            match self.step(routes) {
                Ok(()) if matches!(self.doing, Doing::Over) => return,
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.doing = Doing::Over;
                    return;
                }
            }
        }
    }

    fn step(&mut self, routes: &Routes) -> std::io::Result<()> {
        let mut piece = [0; 2048];
        match &mut self.doing {
            Doing::Hears(heard) => {
                let length = self.stream.read(&mut piece)?;
                if length == 0 {
                    self.doing = Doing::Over;
                    return Ok(());
                }
                heard.extend(&piece[..length]);
                let answer = match Request::read(heard) {
                    Heard::More if heard.len() < LONGEST => return Ok(()),
                    Heard::More => Answer::words(431, "a request of more than 8 KiB").bytes(false),
                    Heard::Wrong(status, why) => Answer::words(status, why).bytes(false),
                    Heard::Whole(request) => routes.answer(&request).bytes(request.is_head),
                };
                self.until = Instant::now() + PATIENCE;
                self.doing = Doing::Says(answer, 0);
            }
            Doing::Says(answer, begin) => {
                *begin += self.stream.write(&answer[*begin..])?;
                if *begin >= answer.len() {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.until = Instant::now() + GOODBYE;
                    self.doing = Doing::HangsUp;
                }
            }
            Doing::HangsUp => {
                if self.stream.read(&mut piece)? == 0 {
                    self.doing = Doing::Over;
                }
            }
            Doing::Over => {}
        }
        Ok(())
    }
}
