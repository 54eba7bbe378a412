//! A token that can be told from everything else, and an eye on where it turns up.
//!
//! Hostile input may well hold the token: whoever was sent it can send it back. So it is planted, by
//! the target or by the fuzzer, and whatever the program says of that input is searched for it.

use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

/// A prefix of GitLab's, so that what names things by a token's first characters has some. No part
/// of it may be told either that is longer than those.
pub const TOKEN: &str = "glrt-Kq7vWbX2NfJd5ZrTy9Pm";

/// The program's own log, at its most talkative.
struct Eye;

impl Log for Eye {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("heptapod_paas_runner")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            assert_untold(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// From now on no line of the log may have the token in it.
pub fn watch_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = log::set_logger(&Eye);
        log::set_max_level(LevelFilter::Debug);
    });
}

/// # Panics
/// When the token is in `text`.
pub fn assert_untold(text: &str) {
    assert!(!text.contains(TOKEN), "the token is told in {text:?}");
}

/// `text` with the token at the beginning of each value that `beginning` introduces, such as
/// `token = "`.
#[must_use]
pub fn plant(text: &[u8], beginning: &str) -> Vec<u8> {
    let mut planted = Vec::with_capacity(text.len());
    for byte in text {
        planted.push(*byte);
        if planted.ends_with(beginning.as_bytes()) {
            planted.extend(TOKEN.as_bytes());
        }
    }
    planted
}
