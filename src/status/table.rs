//! A [`Report`] for people: as wide as any terminal, with what is wrong at its head.

use std::env;
use std::fmt::Write;
use std::time::Duration;

use super::runner::Does;
use super::{JobReport, Phase, Report, RunnerReport, ServiceState, Source};
use crate::clock::Timestamp;
use crate::counted::counted;
use crate::foreign::{Keep, one_line, wrapped};

const WIDTH: usize = 80;
const INDENT: &str = "            ";

/// Whether a terminal has colours, and wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Colours,
}

#[derive(Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
    Faint,
}

impl Style {
    /// See no-color.org.
    #[must_use]
    pub fn of_environment(is_terminal: bool) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_terminal && !is_dumb && !is_set("NO_COLOR") {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Faint => 2,
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// All of it. What is foreign in it is made plain here.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut text = head(report);
    for wrong in &report.wrong {
        paragraph(&mut text, "wrong: ", wrong, |line| {
            style.paint(Colour::Red, line)
        });
    }
    if !report.jobs.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<11} {:<24} {:<9} {:<6} {:<9} {:>6} {:>6}",
            "JOB", "PROJECT", "USER", "FLAVOR", "PHASE", "SINCE", "AGE"
        );
    }
    for job in &report.jobs {
        write_job(&mut text, job, report.at, style);
    }
    if !report.runners.is_empty() {
        text.push('\n');
    }
    for runner in &report.runners {
        write_runner(&mut text, runner, report.at, style);
    }
    for orphan in &report.orphans {
        let since = orphan
            .created
            .map(|at| format!(", made {} ago", age(Some(at), report.at)));
        let what = format!(
            "{} ({}) at {}, of runner {}, has no job that is known here{}; `--orphans` tells more",
            orphan.machine,
            orphan.id,
            orphan.organization,
            orphan.runner,
            since.unwrap_or_default()
        );
        paragraph(&mut text, "orphan: ", &what, |line| {
            style.paint(Colour::Yellow, line)
        });
    }
    for end in &report.ends {
        let what = format!("runner {}: {}", end.runner, end.text());
        paragraph(&mut text, "", &what, str::to_owned);
    }
    text
}

fn head(report: &Report) -> String {
    let mut text = String::new();
    let at = report.at.date();
    let state = match report.state {
        ServiceState::Running => "running".to_owned(),
        ServiceState::Draining => format!("draining: {} left", counted(report.jobs.len(), "job")),
        ServiceState::Stopping => "stopping".to_owned(),
        ServiceState::NotRunning => "not running".to_owned(),
    };
    let who = match report.source {
        Source::Service => format!(
            "up {}, version {}; by the service",
            age(report.started, report.at),
            report.program
        ),
        Source::StateFile => "by the state file".to_owned(),
    };
    paragraph(
        &mut text,
        "",
        &format!("{state}; {who}, {at}"),
        str::to_owned,
    );
    if report.source == Source::Service {
        let read = age(report.configured, report.at);
        let _ = writeln!(text, "configuration read {read} ago");
    }
    if let Some(quota) = &report.quota {
        let limit = quota.weight_limit.map_or_else(
            || "a quota that is not known yet".to_owned(),
            |limit| format!("{limit:.2}"),
        );
        let used = format!(
            "weight {:.2} of {limit}, jobs {} of {}, launching {} of {}, held {}",
            quota.weight,
            quota.jobs,
            unlimited(quota.jobs_limit),
            quota.launching,
            unlimited(quota.launching_limit),
            quota.held,
        );
        paragraph(&mut text, "", &used, str::to_owned);
    }
    for spent in &report.spent {
        let (month, currency) = (&spent.month, one_line(&spent.currency, Keep::Start(3)));
        let _ = writeln!(text, "cost of {month}: {:.2} {currency}", spent.cost);
    }
    text
}

/// A limit that nobody reaches is none.
#[must_use]
pub fn unlimited(limit: usize) -> String {
    if limit > 1_000_000 {
        "any number".to_owned()
    } else {
        limit.to_string()
    }
}

fn write_job(text: &mut String, job: &JobReport, now: Timestamp, style: Style) {
    let cell = |value: &Option<String>, width| {
        let value = value.as_deref().unwrap_or("-");
        one_line(value, Keep::Start(width))
    };
    let colour = match job.phase {
        _ if job.trouble.is_some() => Colour::Red,
        Phase::Running => Colour::Green,
        Phase::Held | Phase::Launching | Phase::Booting => Colour::Yellow,
        Phase::Deleting | Phase::Telling => Colour::Faint,
    };
    // Padded before it is painted.
    let phase = style.paint(colour, &format!("{:<9}", job.phase));
    let (since, age) = (age(job.since, now), age(job.granted, now));
    let _ = writeln!(
        text,
        "{:<11} {:<24} {:<9} {:<6} {phase} {since:>6} {age:>6}",
        job.id,
        cell(&job.project, 24),
        cell(&job.user, 9),
        cell(&job.flavor, 6),
    );
    let machine = format!(
        "{}, weight {:.2}, of runner {}",
        job.machine, job.weight, job.runner
    );
    paragraph(text, INDENT, &machine, |line| {
        style.paint(Colour::Faint, line)
    });
}

fn write_runner(text: &mut String, runner: &RunnerReport, now: Timestamp, style: Style) {
    let colour = if runner.is_in_trouble() {
        Colour::Red
    } else {
        Colour::Green
    };
    let most = format!(
        "runner {} at {}: {}, weight {:.2} of {:.2}",
        runner.name,
        runner.coordinator,
        counted(runner.jobs, "job"),
        runner.weight,
        runner.weight_limit,
    );
    paragraph(text, "", &most, str::to_owned);
    let last = runner
        .last_job
        .map(|at| format!("; last job {} ago", age(Some(at), now)));
    let since = (runner.does != Does::Ask).then(|| age(Some(runner.since), now));
    let since = since.map(|since| format!(" (since {since})"));
    let (since, last) = (since.unwrap_or_default(), last.unwrap_or_default());
    let reason = format!("{}{since}{last}", runner.reason);
    paragraph(text, "  ", &reason, |line| style.paint(colour, line));
}

/// Lines that begin with `first`, or as far from the left.
fn paragraph(text: &mut String, first: &str, what: &str, paint: impl Fn(&str) -> String) {
    let indent = " ".repeat(first.len());
    let mut before = first;
    let plain = one_line(what, Keep::All);
    let width = WIDTH - first.len();
    for line in wrapped(&plain, width) {
        let characters: Vec<_> = line.chars().collect();
        for part in characters.chunks(width) {
            let part: String = part.iter().collect();
            let _ = writeln!(text, "{before}{}", paint(&part));
            before = &indent;
        }
    }
}

/// How long ago it was, for people.
#[must_use]
pub fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(|| "-".to_owned(), |since| short(now.since(since)))
}

/// The largest two units at most, in no more than six characters.
#[must_use]
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / (24 * 3600));
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, 1..=9) => format!("{minutes}m{:02}s", seconds % 60),
        (0, 0, _) => format!("{minutes}m"),
        (0, 1..=9, _) => format!("{hours}h{:02}m", minutes % 60),
        (0, _, _) => format!("{hours}h"),
        (1..=9, ..) => format!("{days}d{:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}
