//! The log: one line per change, each with the job that it is about.
//!
//! `env_logger` decides what is shown; this decides how it looks. A thread that works for a job or
//! a runner says so once, with [`about`], and all its lines tell it: the story of a job can be read
//! with `grep job=4711`. Under systemd the journal has its own time stamps and priorities.
//!
//! There are foreign names and texts in nearly every line. Each is cut where it comes in; here all
//! of a line is made one line, since a break in it would begin one that has no time and no priority.

mod sink;

use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::Target;
use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};
use serde_json::{Value, json};

use self::sink::Sink;
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

/// How a line looks.
#[derive(Clone, Copy)]
enum Look {
    Text,
    /// Without a time, but with a priority.
    Journal,
    Json,
}

/// Starts logging to standard error. A second call changes nothing.
pub fn start(level: LevelFilter, format: Format) {
    let stderr = io::stderr();
    let journal = env::var("JOURNAL_STREAM");
    let to_journal = journal.is_ok_and(|stream| sink::is_journal(&stream, stderr.as_fd()));
    let look = match format {
        Format::Json => Look::Json,
        Format::Text if to_journal => Look::Journal,
        Format::Text => Look::Text,
    };
    let dropped = move |count: u64| {
        let mut line = Vec::new();
        let text = format_args!("{count} lines were dropped before this one: nobody read the log");
        // A vector takes all.
        let _ = write_line(
            &mut line,
            look,
            Level::Warn,
            &text.to_string(),
            &Subject::default(),
        );
        line
    };
    let _ = env_logger::Builder::new()
        // What libraries below us say is about connections, not about jobs.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("heptapod_paas_runner", level)
        .target(Target::Pipe(Box::new(Sink::new(stderr, dropped))))
        .format(move |out: &mut Formatter, record: &Record<'_>| {
            let text = record.args().to_string();
            SUBJECT.with_borrow(|subject| write_line(out, look, record.level(), &text, subject))
        })
        .try_init();
    std::panic::set_hook(Box::new(|panic| log::error!("panic: {panic}")));
}

/// A clock that was never set may be before all that can be written.
fn now() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

fn write_line(
    out: &mut dyn Write,
    look: Look,
    level: Level,
    text: &str,
    subject: &Subject,
) -> io::Result<()> {
    match look {
        Look::Text => {
            let time = humantime::format_rfc3339_seconds(now());
            writeln!(out, "{time} {level:<5} {}", with_subject(text, subject))
        }
        Look::Journal => writeln!(out, "<{}>{}", priority(level), with_subject(text, subject)),
        Look::Json => writeln!(out, "{}", json_line(level, text, subject)),
    }
}

/// As sd-daemon(3) counts them.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn json_line(level: Level, text: &str, subject: &Subject) -> Value {
    let mut line = json!({
        "time": humantime::format_rfc3339_millis(now()).to_string(),
        "level": level.as_str().to_ascii_lowercase(),
    });
    if let Some(job) = subject.job {
        line["job"] = job.into();
    }
    if let Some(runner) = &subject.runner {
        line["runner"] = one_line(runner, Keep::All).into();
    }
    line["message"] = one_line(text, Keep::All).into();
    line
}

fn with_subject(text: &str, subject: &Subject) -> String {
    let job = subject.job.map(|job| format!("job={job}"));
    let runner = (subject.runner.as_ref()).map(|runner| format!("runner={runner}"));
    let about: Vec<_> = job.into_iter().chain(runner).collect();
    let about = about.join(" ");
    let colon = if about.is_empty() { "" } else { ": " };
    one_line(&format!("{about}{colon}{text}"), Keep::All)
}
