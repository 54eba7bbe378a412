//! Standard error, as the log's end: whoever reads it may stall, and nothing here waits for that.
//!
//! A pipe that nobody reads is full after some hundred lines, and then each line would hold up the thread that
//! says it, the one that hears signals among them. So a line waits a moment at most, and the next ones not at
//! all: they are dropped and counted until there is room again. What the lines say is not known here.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// For a reader that is only slow.
const MOMENT: Duration = Duration::from_millis(200);
/// With so much room at least a pipe is one that can be written to (`PIPE_BUF`).
const PIECE: usize = 4096;

/// The log's end. Each write is one line, with its line break.
pub struct Sink<Out, Told> {
    out: Out,
    /// Makes a whole line of the number of those that were dropped.
    told: Told,
    dropped: u64,
    /// The last line that was written is not whole.
    is_cut: bool,
}

impl<Out: Write + AsFd, Told: Fn(u64) -> Vec<u8>> Sink<Out, Told> {
    pub const fn new(out: Out, told: Told) -> Self {
        Self {
            out,
            told,
            dropped: 0,
            is_cut: false,
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let until = Instant::now()
            + if self.dropped == 0 {
                MOMENT
            } else {
                Duration::ZERO
            };
        if !has_room(self.out.as_fd(), until) {
            self.dropped += 1;
            return Ok(());
        }
        let mut text = Vec::new();
        if self.is_cut {
            text.push(b'\n');
        }
        if self.dropped > 0 {
            text.extend((self.told)(self.dropped));
        }
        text.extend(line);
        self.dropped = 0;
        for piece in text.chunks(PIECE) {
            self.is_cut = !has_room(self.out.as_fd(), until.max(Instant::now()));
            if self.is_cut {
                self.dropped += 1;
                break;
            }
            self.out.write_all(piece)?;
        }
        Ok(())
    }
}

impl<Out: Write + AsFd, Told: Fn(u64) -> Vec<u8>> Write for Sink<Out, Told> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Waits until then. Where it can't be found out, writing will tell.
fn has_room(out: BorrowedFd<'_>, until: Instant) -> bool {
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        let rest = Timespec::try_from(rest).ok();
        match poll(&mut [PollFd::new(&out, PollFlags::OUT)], rest.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            found => return found != Ok(0),
        }
    }
}

/// Whether standard error goes to systemd's journal: `stream`, of `JOURNAL_STREAM`, names the device and the
/// inode of what the journal reads, and it may have been inherited by what writes elsewhere (systemd.exec(5)).
pub fn is_journal(stream: &str, out: BorrowedFd<'_>) -> bool {
    let own = out.try_clone_to_owned().map(File::from);
    let own = own.and_then(|own| own.metadata());
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use super::{Sink, is_journal};

    fn told(count: u64) -> Vec<u8> {
        format!("{count} dropped\n").into_bytes()
    }

    #[test]
    fn lines_that_find_no_room_are_dropped_at_once_and_counted_and_the_rest_is_whole() {
        for length in [10, 3000, 5000, 9000] {
            let (mut reader, writer) = pipe().unwrap();
            let mut sink = Sink::new(writer, told);
            let line = |number: usize| format!("{number:06} {}\n", "x".repeat(length));
            let began = Instant::now();
            let mut written = 0;
            for number in 0..9000 {
                sink.write_all(line(number).as_bytes()).unwrap();
                written = number + 1;
                if sink.dropped == 100 {
                    break;
                }
            }
            assert_eq!(sink.dropped, 100);
            assert!(began.elapsed() < Duration::from_secs(5));
            let reading = std::thread::spawn(move || {
                let mut all = String::new();
                reader.read_to_string(&mut all).unwrap();
                all
            });
            while sink.dropped > 0 {
                std::thread::yield_now();
                sink.write_all(b"last\n").unwrap();
            }
            drop(sink);
            let all = reading.join().unwrap();
            let lines: Vec<_> = all.lines().collect();
            let whole = written - 100;
            for (number, text) in lines.iter().take(whole).enumerate() {
                assert_eq!(*text, line(number).trim_end(), "{length}");
            }
            // One may have been cut, and is counted, too.
            let rest = &lines[whole..];
            let rest = if rest.len() > 2 { &rest[1..] } else { rest };
            assert!(
                rest[0].ends_with(" dropped") && rest[1] == "last",
                "{length}: {rest:?}"
            );
        }
    }

    #[test]
    fn only_what_the_journal_reads_is_the_journal() {
        let (_reader, writer) = pipe().unwrap();
        let file = tempfile::tempfile().unwrap();
        let name = |file: &std::fs::File| {
            use std::os::unix::fs::MetadataExt;
            let metadata = file.metadata().unwrap();
            format!("{}:{}", metadata.dev(), metadata.ino())
        };
        assert!(is_journal(&name(&file), file.as_fd()));
        for stream in ["", "8:1", &name(&file)] {
            assert!(!is_journal(stream, writer.as_fd()), "{stream}");
        }
    }
}
