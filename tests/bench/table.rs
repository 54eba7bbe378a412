//! All figures in one table, which can go into a README as it is printed.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use rig::{Colour, Show, show};

use crate::figure::Figure;

/// The figures of one scenario: for each program a list, as long as every other one.
pub struct Part {
    pub title: String,
    pub figures: Vec<Vec<Figure>>,
}

struct Row {
    cells: Vec<String>,
    colour: Colour,
}

/// `programs` are the headings of the columns of figures.
pub fn print(show: &Show, programs: &[String], parts: &[Part]) {
    let headings = ["figure", "aim"].map(str::to_owned);
    let headings: Vec<_> = headings
        .into_iter()
        .chain(programs.iter().cloned())
        .collect();
    let mut rows = Vec::new();
    for part in parts {
        rows.push(title(&part.title, programs.len()));
        let count = part.figures.first().map_or(0, Vec::len);
        rows.extend((0..count).map(|number| row(part, number)));
    }
    let widths: Vec<_> = (0..headings.len())
        .map(|column| {
            let cells = rows
                .iter()
                .filter(|row| !is_title(row))
                .map(|row| &row.cells[column]);
            let widths = cells
                .chain([&headings[column]])
                .map(|cell| cell.chars().count());
            widths.max().unwrap_or_default()
        })
        .collect();
    show::print("");
    show::print(&show.paint(Colour::Bold, &line(&headings, &widths)));
    show::print(&rule(&widths));
    for row in rows {
        show::print(&show.paint(row.colour, &line(&row.cells, &widths)));
    }
    show::print("");
}

fn title(text: &str, programs: usize) -> Row {
    let mut cells = vec![format!("**{text}**")];
    cells.extend((0..=programs).map(|_| String::new()));
    Row {
        cells,
        colour: Colour::Bold,
    }
}

fn is_title(row: &Row) -> bool {
    row.cells[0].starts_with("**")
}

/// The first program is ours: what it misses is seen.
fn row(part: &Part, number: usize) -> Row {
    let ours = &part.figures[0][number];
    let mut cells = vec![ours.what.clone(), ours.shown_aim()];
    cells.extend(part.figures.iter().map(|figures| figures[number].shown()));
    let colour = if ours.is_missed() {
        Colour::Red
    } else {
        Colour::Plain
    };
    Row { cells, colour }
}

/// Texts to the left, figures to the right.
fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).enumerate();
    let padded = padded.map(|(column, (cell, &width))| {
        if column == 0 {
            format!(" {cell:width$} |")
        } else {
            format!(" {cell:>width$} |")
        }
    });
    format!("|{}", padded.collect::<String>())
}

fn rule(widths: &[usize]) -> String {
    let columns = widths.iter().enumerate();
    let columns = columns.map(|(column, width)| {
        let dashes = "-".repeat(*width);
        if column == 0 {
            format!(" {dashes} |")
        } else {
            format!(" {dashes}:|")
        }
    });
    format!("|{}", columns.collect::<String>())
}

/// Where and when this was: it stands above the table.
pub fn circumstances() -> String {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = date.split('T').next().unwrap_or_default().to_owned();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let model = told("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = told("/proc/meminfo", "MemTotal").and_then(|size| {
        let kibibytes: u64 = size.split_whitespace().next()?.parse().ok()?;
        Some(format!("{:.0} GiB", kibibytes as f64 / f64::from(1 << 20)))
    });
    let memory = memory.unwrap_or_else(|| "an unknown amount".to_owned());
    let git = Command::new("git").arg("--version").output();
    let git = git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let git = git.unwrap_or_default();
    let build = kind_of_build();
    format!("{date}: {cores} cores ({model}), {memory} of memory, {git}; {build}.")
}

/// What a file of the kernel's says behind a name.
fn told(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The program is built as the bench is.
fn kind_of_build() -> String {
    let profile = if cfg!(debug_assertions) {
        "a debug build"
    } else {
        "a release build"
    };
    let library = if cfg!(target_env = "musl") {
        "static"
    } else {
        "with the system's libraries"
    };
    format!("ours is {profile}, {library}")
}
