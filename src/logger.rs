//! The log: one line per change, each with the job that it is about.
//!
//! `env_logger` decides what is shown; this decides how it looks. A thread that works for a job
//! says so once, with [`about`], and all its lines begin with `job=… runner=…`: the story of a
//! job can be read with `grep job=4711`.

use std::cell::RefCell;
use std::io::Write;
use std::time::SystemTime;

use env_logger::fmt::Formatter;
use log::{LevelFilter, Record};

thread_local! {
    static SUBJECT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// All that this thread logs from now on is about `subject`, such as `job=4711 runner=ci`.
pub fn about(subject: impl Into<String>) {
    SUBJECT.with_borrow_mut(|current| *current = subject.into());
}

/// Starts logging to standard error. A second call changes nothing.
pub fn start(level: LevelFilter) {
    let _ = env_logger::Builder::new()
        // What libraries below us say is about connections, not about jobs.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("heptapod_paas_runner", level)
        .format(write_line)
        .try_init();
    std::panic::set_hook(Box::new(|panic| log::error!("panic: {panic}")));
}

fn write_line(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let level = record.level();
    SUBJECT.with_borrow(|subject| {
        let gap = if subject.is_empty() { "" } else { ": " };
        writeln!(out, "{now} {level:<5} {subject}{gap}{}", record.args())
    })
}
