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
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::Target;
use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};
use serde_json::{Value, json};

use self::sink::Sink;
use crate::foreign::{Keep, one_line};
use crate::thread::lock;

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
    /// The path of the job's project, and the size of its machine, as far as they are known.
    pub project: Option<String>,
    pub flavor: Option<String>,
}

impl Subject {
    #[must_use]
    pub fn runner(name: &str) -> Self {
        Self {
            runner: Some(name.to_owned()),
            ..Self::default()
        }
    }
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
    let job = Some(job);
    meanwhile(
        Subject {
            job,
            ..Subject::runner(runner)
        },
        tell,
    );
}

/// What `tell` logs is about this runner.
pub fn about_runner(runner: &str, tell: impl FnOnce()) {
    meanwhile(Subject::runner(runner), tell);
}

/// What `tell` logs is about `subject`.
pub fn meanwhile(subject: Subject, tell: impl FnOnce()) {
    let before = SUBJECT.replace(subject);
    tell();
    about(before);
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
enum Look {
    Text,
    /// Without a time, but with a priority.
    Journal,
    Json,
}

/// How lines look from now on.
static LOOK: Mutex<Look> = Mutex::new(Look::Text);

/// From now on so much is logged, in this way.
pub fn set(level: LevelFilter, format: Format) {
    let journal = env::var("JOURNAL_STREAM");
    let to_journal = journal.is_ok_and(|stream| sink::is_journal(&stream, io::stderr().as_fd()));
    *lock(&LOOK) = match format {
        Format::Json => Look::Json,
        Format::Text if to_journal => Look::Journal,
        Format::Text => Look::Text,
    };
    log::set_max_level(level);
}

/// Starts logging to standard error.
pub fn start(level: LevelFilter, format: Format) {
    let look = || *lock(&LOOK);
    let dropped = move |count: u64| {
        let mut line = Vec::new();
        let text = format_args!("{count} lines were dropped before this one: nobody read the log");
        // A vector takes all.
        let _ = write_line(
            &mut line,
            look(),
            Level::Warn,
            &text.to_string(),
            &Subject::default(),
        );
        line
    };
    let _ = env_logger::Builder::new()
        // What libraries below us say is about connections, not about jobs.
        .filter_level(LevelFilter::Warn)
        .filter_module("heptapod_paas_runner", LevelFilter::Trace)
        .target(Target::Pipe(Box::new(Sink::new(io::stderr(), dropped))))
        .format(move |out: &mut Formatter, record: &Record<'_>| {
            let text = record.args().to_string();
            SUBJECT.with_borrow(|subject| write_line(out, look(), record.level(), &text, subject))
        })
        .try_init();
    set(level, format);
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
    for (key, value) in [
        ("project", &subject.project),
        ("flavor", &subject.flavor),
        ("runner", &subject.runner),
    ] {
        if let Some(value) = value {
            line[key] = one_line(value, Keep::All).into();
        }
    }
    line["message"] = one_line(text, Keep::All).into();
    line
}

fn with_subject(text: &str, subject: &Subject) -> String {
    let told = |key: &str, value: &Option<String>| Some(format!("{key}={}", value.as_ref()?));
    let about = [
        subject.job.map(|job| format!("job={job}")),
        told("runner", &subject.runner),
    ];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let colon = if about.is_empty() { "" } else { ": " };
    let more = [
        told("project", &subject.project),
        told("flavor", &subject.flavor),
    ];
    let more = more.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let more = if more.is_empty() {
        more
    } else {
        format!(" ({more})")
    };
    one_line(&format!("{about}{colon}{text}{more}"), Keep::All)
}
