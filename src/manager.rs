//! What the service manager is told, where it wants to hear it: `sd_notify(3)`.
//!
//! With that a start that fails is told by the very command that asked for it, and so is the end of a
//! reload; `systemctl status` has a line in words; and a service that hangs is started again. A socket and
//! five words: less than a crate for it.

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::foreign::{Keep, one_line};

/// Of what it is told in words.
const LONGEST: usize = 300;
const NEWS_EVERY: Duration = Duration::from_secs(1);
const WORDS_EVERY: Duration = Duration::from_secs(10);

/// The manager that has started us, if there is one.
#[derive(Default)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
    /// What it was told last in words, and when.
    told: Option<(String, Instant)>,
    /// It could not be told the last word.
    is_deaf: Cell<bool>,
}

struct Watchdog {
    /// Half of the time after which the manager takes silence for a hang.
    every: Duration,
    fed: Instant,
}

impl Manager {
    /// Where it can't be reached that is a warning, for it will end the service.
    #[must_use]
    pub fn of_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let socket = connect(&name).inspect_err(|error| {
            let name = name.display();
            log::warn!(
                "NOTIFY_SOCKET ({name}): the service manager can't be told anything: {error}"
            );
        });
        Self {
            socket: socket.ok(),
            watchdog: watchdog().map(|every| Watchdog {
                every,
                fed: Instant::now(),
            }),
            told: None,
            is_deaf: Cell::default(),
        }
    }

    /// Nothing can go wrong any more that trying again would not mend; or a reload is over.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is read again; [`Manager::ready`] follows.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// When it wants to hear how the service stands; sooner, if there is news.
    #[must_use]
    pub fn listens_in(&self, is_news: bool) -> Option<Duration> {
        self.socket.as_ref()?;
        let pause = if is_news { NEWS_EVERY } else { WORDS_EVERY };
        let age = self.told.as_ref().map_or(pause, |(_, at)| at.elapsed());
        Some(pause.saturating_sub(age))
    }

    /// How the service stands, in words.
    pub fn describe(&mut self, words: &str) {
        let words = one_line(words, Keep::Start(LONGEST));
        if self.told.as_ref().is_none_or(|(told, _)| *told != words) {
            self.tell(&format!("STATUS={words}"));
        }
        self.told = Some((words, Instant::now()));
    }

    /// The caller does what it is there for. How soon it must be able to say so again.
    pub fn lives(&mut self) -> Option<Duration> {
        let watchdog = self.watchdog.as_ref()?;
        let mut rest = watchdog.every.saturating_sub(watchdog.fed.elapsed());
        if rest.is_zero() {
            rest = watchdog.every;
            self.tell("WATCHDOG=1");
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.fed = Instant::now();
            }
        }
        Some(rest)
    }

    /// Of one that does not listen for a night there is one warning.
    fn tell(&self, what: &str) {
        let Some((socket, address)) = &self.socket else {
            return;
        };
        match socket.send_to_addr(what.as_bytes(), address) {
            Ok(_) => self.is_deaf.set(false),
            Err(error) => {
                let level = if self.is_deaf.replace(true) {
                    log::Level::Debug
                } else {
                    log::Level::Warn
                };
                log::log!(
                    level,
                    "the service manager could not be told {what:?}: {error}"
                );
            }
        }
    }
}

/// A manager that does not read must not hold us up.
fn connect(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// How often the manager wants a sign of life from this very process, with some time to spare.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    let limit = number("WATCHDOG_USEC").filter(|limit| *limit > 0 && is_meant)?;
    Some(Duration::from_micros(limit) / 2)
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::time::{Duration, Instant};

    use super::{Manager, Watchdog, connect};

    fn heard(manager: &UnixDatagram) -> Option<String> {
        let mut heard = [0; 100];
        let length = manager.recv(&mut heard).ok()?;
        Some(String::from_utf8_lossy(&heard[..length]).into_owned())
    }

    #[test]
    fn a_manager_without_a_file_hears_each_word_once_and_is_fed_in_time() {
        let name = format!("heptapod-paas-runner-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        let every = Duration::from_secs(10);
        let long_ago = Instant::now().checked_sub(every).unwrap();
        let mut told = Manager {
            socket: Some(connect(format!("@{name}").as_ref()).unwrap()),
            watchdog: Some(Watchdog {
                every,
                fed: long_ago,
            }),
            ..Manager::default()
        };
        assert_eq!(told.listens_in(false), Some(Duration::ZERO));
        told.ready();
        for _ in 0..2 {
            told.describe("nothing runs");
            assert!(told.lives().is_some_and(|rest| rest <= every));
        }
        assert!(told.listens_in(true).is_some_and(|rest| !rest.is_zero()));
        told.reloading();
        for word in ["READY=1", "STATUS=nothing runs", "WATCHDOG=1"] {
            assert_eq!(heard(&manager).as_deref(), Some(word));
        }
        let reloading = heard(&manager).unwrap();
        let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        assert!(moment.is_some_and(|moment| moment.parse::<u64>().is_ok()));
        assert_eq!(heard(&manager), None);
        assert!(connect("nowhere/\0".as_ref()).is_err());
    }
}
