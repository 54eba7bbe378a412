//! What is seen while it happens: calm lines with a clock and a column of job names.
//!
//! Colours only on a terminal that wants them. It knows nothing of jobs and machines.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Columns of what is shown.
const SCREEN: usize = 100;

pub struct Show {
    started: Instant,
    has_colours: bool,
    /// Of the column of names.
    width: usize,
}

#[derive(Clone, Copy)]
pub enum Colour {
    Plain,
    Dim,
    Bold,
    Blue,
    Green,
    Yellow,
    Red,
}

impl Show {
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let longest = names.into_iter().map(|name| name.chars().count()).max();
        Self {
            started: Instant::now(),
            has_colours: wants_colours(),
            width: longest.unwrap_or_default().clamp(8, 24),
        }
    }

    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Something about a job.
    pub fn tell(&self, job: &str, colour: Colour, text: &str) {
        let clock = format!("{:6.1}", self.elapsed().as_secs_f64());
        let (mut clock, width) = (self.paint(Colour::Dim, &clock), self.width);
        let mut job = format!("{job:width$}");
        for line in folded(text, SCREEN - self.margin()) {
            let text = self.paint(colour, &line);
            print(&format!("{clock}  {job}  {text}"));
            (clock, job) = (" ".repeat(6), " ".repeat(width));
        }
    }

    /// Something about the world.
    pub fn say(&self, text: &str) {
        self.tell("", Colour::Plain, text);
    }

    /// A line of what somebody else said of a job.
    pub fn quote(&self, job: &str, line: &str) {
        let bar = self.paint(Colour::Dim, "│");
        let (clock, width) = (" ".repeat(6), self.width);
        let job = self.paint(Colour::Dim, &format!("{job:width$}"));
        for line in folded(line, SCREEN - self.margin() - 2) {
            print(&format!("{clock}  {job}  {bar} {line}"));
        }
    }

    /// Columns before a text.
    const fn margin(&self) -> usize {
        6 + 2 + self.width + 2
    }

    /// Whether this is a terminal that wants them.
    #[must_use]
    pub fn has_colours(&self) -> bool {
        self.has_colours
    }

    #[must_use]
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Plain => return text.to_owned(),
            _ if !self.has_colours => return text.to_owned(),
            Colour::Dim => "2",
            Colour::Bold => "1",
            Colour::Blue => "34",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A line without a clock.
pub fn print(line: &str) {
    // When nobody reads any more, what is under way comes to its end all the same.
    let _ = writeln!(io::stdout(), "{line}");
}

/// <https://no-color.org>: any value but an empty one says no.
fn wants_colours() -> bool {
    let said_no = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !said_no && !is_dumb
}

/// A text in lines of so many columns, between words where that is possible. Colours take none.
fn folded(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut width) = (String::new(), 0);
    for word in text.split_inclusive(' ') {
        let own = columns_of(word);
        if width > 0 && width + columns_of(word.trim_end()) > columns {
            lines.push(line.trim_end().to_owned());
            (line, width) = (String::new(), 0);
        }
        line.push_str(word);
        width += own;
    }
    lines.push(line);
    lines
}

fn columns_of(word: &str) -> usize {
    let mut is_escape = false;
    let is_shown = |c: &char| {
        is_escape |= *c == '\x1b';
        let shown = !is_escape;
        is_escape &= *c != 'm';
        shown
    };
    word.chars().filter(is_shown).count()
}
