//! What belongs to the program besides itself: manuals, completions, a unit, a sample, what watches it.
//!
//! All of it is in the program, each under a name for `--print` and with a place below a prefix. One
//! table serves both, so that what is installed is what is printed.

use std::io::Read;

use flate2::read::GzDecoder;

use super::completion::{Command, bash, fish, zsh};
use crate::options::Word;

/// A sample configuration.
pub const CONFIG: &str = include_str!("paas-runner.toml");
/// The unit, for a program below [`UNIT_PREFIX`].
pub const UNIT: &str = include_str!("heptapod-paas-runner.service");
pub const UNIT_PREFIX: &str = "/usr/local";

pub struct Piece {
    /// What `--print` calls it, and which of its kind it is, where there are several.
    pub what: &'static str,
    pub which: Option<&'static str>,
    /// Its path below a prefix.
    pub path: &'static str,
    text: Text,
}

enum Text {
    Written(&'static str),
    /// As gzip packs it.
    Packed(&'static [u8]),
    Unit,
    Made(fn(&[Command]) -> String),
}

const fn piece(
    what: &'static str,
    which: Option<&'static str>,
    path: &'static str,
    text: Text,
) -> Piece {
    Piece {
        what,
        which,
        path,
        text,
    }
}

pub static PIECES: [Piece; 11] = [
    piece(
        "man",
        Some("heptapod-paas-runner"),
        "share/man/man1/heptapod-paas-runner.1",
        Text::Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/heptapod-paas-runner.1.gz"
        ))),
    ),
    piece(
        "man",
        Some("heptapod-paas-runner-register"),
        "share/man/man1/heptapod-paas-runner-register.1",
        Text::Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/heptapod-paas-runner-register.1.gz"
        ))),
    ),
    piece(
        "unit",
        None,
        "lib/systemd/system/heptapod-paas-runner.service",
        Text::Unit,
    ),
    piece(
        "sysusers",
        None,
        "lib/sysusers.d/heptapod-paas-runner.conf",
        Text::Written(include_str!("heptapod-paas-runner.sysusers")),
    ),
    piece(
        "tmpfiles",
        None,
        "lib/tmpfiles.d/heptapod-paas-runner.conf",
        Text::Written(include_str!("heptapod-paas-runner.tmpfiles")),
    ),
    piece(
        "config",
        None,
        "share/doc/heptapod-paas-runner/paas-runner.toml",
        Text::Written(CONFIG),
    ),
    piece(
        "alerts",
        None,
        "share/doc/heptapod-paas-runner/alerts.yml",
        Text::Packed(include_bytes!(concat!(env!("OUT_DIR"), "/alerts.yml.gz"))),
    ),
    piece(
        "dashboard",
        None,
        "share/doc/heptapod-paas-runner/dashboard.json",
        Text::Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/dashboard.json.gz"
        ))),
    ),
    piece(
        "completion",
        Some("bash"),
        "share/bash-completion/completions/heptapod-paas-runner",
        Text::Made(bash::script),
    ),
    piece(
        "completion",
        Some("zsh"),
        "share/zsh/site-functions/_heptapod-paas-runner",
        Text::Made(zsh::script),
    ),
    piece(
        "completion",
        Some("fish"),
        "share/fish/vendor_completions.d/heptapod-paas-runner.fish",
        Text::Made(fish::script),
    ),
];

/// Second names, below a prefix, and the files beside them for which they stand. Two shells look for
/// completions by the program's name.
pub const LINKS: [(&str, &str); 3] = [
    ("bin/heptapod-paas-runner-register", "heptapod-paas-runner"),
    (
        "share/bash-completion/completions/heptapod-paas-runner-register",
        "heptapod-paas-runner",
    ),
    (
        "share/fish/vendor_completions.d/heptapod-paas-runner-register.fish",
        "heptapod-paas-runner.fish",
    ),
];

impl Piece {
    /// What it says when the program is below `prefix`.
    #[must_use]
    pub fn text(&self, prefix: &str, commands: &[Command]) -> String {
        match self.text {
            Text::Written(text) => text.to_owned(),
            Text::Packed(bytes) => unpacked(bytes),
            Text::Unit => UNIT.replace(UNIT_PREFIX, prefix),
            Text::Made(make) => make(commands),
        }
    }
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    // What was packed by our own build is whole: a test reads all of it.
    let _ = GzDecoder::new(bytes).read_to_string(&mut text);
    text
}

/// The piece that `words` name, as `--print` has them.
///
/// # Errors
/// A text with all that can be printed, when it is none of these.
pub fn print(words: &[String], commands: &[Command]) -> Result<String, String> {
    let named = |piece: &&Piece| words.iter().eq([piece.what].iter().chain(&piece.which));
    match PIECES.iter().find(named) {
        Some(piece) => Ok(piece.text(UNIT_PREFIX, commands)),
        None => Err(format!(
            "there is no {:?} to print; there are {}",
            words.join(" "),
            PIECES
                .each_ref()
                .map(|piece| match piece.which {
                    Some(which) => format!("{} {which}", piece.what),
                    None => piece.what.to_owned(),
                })
                .join(", ")
        )),
    }
}

/// All that [`print`] understands.
#[must_use]
pub fn words() -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for piece in &PIECES {
        match words.last_mut().filter(|(what, _)| *what == piece.what) {
            Some((_, which)) => which.extend(piece.which),
            None => words.push((piece.what, piece.which.into_iter().collect())),
        }
    }
    words
}
