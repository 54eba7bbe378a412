//! The log: one line per change, each with the job that it is about.
//!
//! `env_logger` decides what is shown; this decides how it looks. A thread that works for a job or
//! a runner says so once, with [`about`], and all its lines tell it: the story of a job can be read
//! with `grep job=4711`. Under systemd the journal has its own time stamps and priorities.
//!
//! There are foreign names and texts in nearly every line. Each is cut where it comes in; here all
//! of a line is made one line, since a break in it would begin one that has no time and no priority.

use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};
use serde_json::json;

use crate::foreign::{Keep, one_line};

/// `log_format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// What a line is about.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Its number at the coordinator.
    pub job: Option<u64>,
    /// The runner's name in the configuration.
    pub runner: Option<String>,
}

thread_local! {
    static SUBJECT: RefCell<Subject> = RefCell::default();
}

/// All that this thread logs from now on is about `subject`.
pub fn about(subject: Subject) {
    SUBJECT.set(subject);
}

/// What this thread is about, for another that works for it.
#[must_use]
pub fn subject() -> Subject {
    SUBJECT.with_borrow(Clone::clone)
}

/// What `tell` logs is about this job.
pub fn about_job(job: u64, runner: &str, tell: impl FnOnce()) {
    meanwhile(Some(job), runner, tell);
}

/// What `tell` logs is about this runner.
pub fn about_runner(runner: &str, tell: impl FnOnce()) {
    meanwhile(None, runner, tell);
}

fn meanwhile(job: Option<u64>, runner: &str, tell: impl FnOnce()) {
    let runner = Some(runner.to_owned());
    let before = SUBJECT.replace(Subject { job, runner });
    tell();
    about(before);
}

/// Starts logging to standard error. A second call changes nothing.
pub fn start(level: LevelFilter, format: Format) {
    // systemd says so when standard error goes to its journal.
    let to_journal = env::var_os("JOURNAL_STREAM").is_some();
    let _ = env_logger::Builder::new()
        // What libraries below us say is about connections, not about jobs.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("heptapod_paas_runner", level)
        .format(move |out, record| {
            SUBJECT.with_borrow(|subject| match format {
                Format::Json => write_json(out, record, subject),
                Format::Text if to_journal => write_journal(out, record, subject),
                Format::Text => write_text(out, record, subject),
            })
        })
        .try_init();
    std::panic::set_hook(Box::new(|panic| log::error!("panic: {panic}")));
}

/// A clock that was never set may be before all that can be written.
fn now() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

fn write_text(out: &mut Formatter, record: &Record<'_>, subject: &Subject) -> io::Result<()> {
    let time = humantime::format_rfc3339_seconds(now());
    writeln!(
        out,
        "{time} {:<5} {}",
        record.level(),
        text(record, subject)
    )
}

/// sd-daemon(3): the number in front is the priority.
fn write_journal(out: &mut Formatter, record: &Record<'_>, subject: &Subject) -> io::Result<()> {
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    writeln!(out, "<{priority}>{}", text(record, subject))
}

fn write_json(out: &mut Formatter, record: &Record<'_>, subject: &Subject) -> io::Result<()> {
    let mut line = json!({
        "time": humantime::format_rfc3339_millis(now()).to_string(),
        "level": record.level().as_str().to_ascii_lowercase(),
    });
    if let Some(job) = subject.job {
        line["job"] = job.into();
    }
    if let Some(runner) = &subject.runner {
        line["runner"] = runner.as_str().into();
    }
    line["message"] = one_line(&record.args().to_string(), Keep::All).into();
    writeln!(out, "{line}")
}

fn text(record: &Record<'_>, subject: &Subject) -> String {
    let job = subject.job.map(|job| format!("job={job}"));
    let runner = (subject.runner.as_ref()).map(|runner| format!("runner={runner}"));
    let about: Vec<_> = job.into_iter().chain(runner).collect();
    let about = about.join(" ");
    let colon = if about.is_empty() { "" } else { ": " };
    one_line(&format!("{about}{colon}{}", record.args()), Keep::All)
}
