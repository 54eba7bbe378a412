//! What needs nobody else: the file itself, and this computer.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};

use super::unit::{self, Unit};
use crate::config::Config;
use crate::fact::{Fact, Verdict};
use crate::state::file::StateFile;
use crate::whole_file::beside;

const STATE_FILE: &str = "state_file";
/// Readable, or passable where it is a folder, for everybody.
const OTHERS_READ: u32 = 0o004;
const OTHERS_PASS: u32 = 0o001;

/// The configuration, if it can be used, and what is to be said of it.
pub fn read(path: &Path) -> (Option<Config>, Vec<Fact>) {
    match Config::load(path) {
        Ok(mut config) => {
            let mut facts = std::mem::take(&mut config.warnings);
            let runners = config.runners.len();
            let text = match runners {
                1 => "it can be used, and has one runner".to_owned(),
                _ => format!("it can be used, and has {runners} runners"),
            };
            facts.push(Fact::good("configuration", text));
            (Some(config), facts)
        }
        Err(error) => (None, error.into_facts()),
    }
}

/// Whether files are where they must be, and readable for those only who must read them.
pub fn on_this_computer(path: &Path, config: &Config) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(exposed("configuration", path));
    for file in &config.secret_files {
        facts.extend(exposed("secrets", &file.path).map(|fact| fact.at(file.line)));
    }
    if facts.is_empty() {
        let text = "the configuration and its secrets can't be read by everybody";
        facts.push(Fact::good("secrets", text));
    }
    let unit = unit::of(path);
    facts.push(state_file(&config.state_file, unit.as_ref()));
    facts.extend(unit.and_then(|unit| unit.forbids(&config.state_file)));
    facts
}

/// A file with secrets that everybody on this computer can reach and read.
fn exposed(subject: &str, path: &Path) -> Option<Fact> {
    let path = fs::canonicalize(path).ok()?;
    let mode = |path: &Path| fs::metadata(path).map(|it| it.permissions().mode());
    let is_readable = mode(&path).ok()? & OTHERS_READ != 0;
    let mut folders = path.ancestors().skip(1);
    let is_reachable = folders.all(|folder| mode(folder).is_ok_and(|it| it & OTHERS_PASS != 0));
    (is_readable && is_reachable).then(|| {
        let name = path.display();
        let text = format!("{name} has secrets, and everybody on this computer can read it");
        let fact = Fact::new(subject, Verdict::Doubtful, text);
        fact.remedy(format!(
            "chmod 600 {name}, and let the service's user own it"
        ))
    })
}

/// Whether the service could write it, if it ran as the user who asks.
fn state_file(path: &Path, unit: Option<&Unit>) -> Fact {
    let name = path.display();
    if path.is_dir() {
        let text = format!("{name} is a folder");
        return Fact::bad(STATE_FILE, text, "name a file in it");
    }
    if let Err(why) = StateFile::read(path) {
        return Fact::new(STATE_FILE, Verdict::Bad, why);
    }
    let probe = probe_of(path);
    let tried = OpenOptions::new().create_new(true).write(true).open(&probe);
    match tried {
        Ok(_) => {
            let _ = fs::remove_file(&probe);
            Fact::good(STATE_FILE, format!("{name} can be written"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && makes_folder(unit, path) => {
            let text = format!("{name}: its folder is made by the unit, at its first start");
            Fact::good(STATE_FILE, text)
        }
        Err(error) => {
            let folder = folder_of(path);
            let remedy = if error.kind() == io::ErrorKind::NotFound {
                format!(
                    "make the folder {folder}, owned by the service's user (the printed unit makes /var/lib/heptapod-runner by itself)"
                )
            } else {
                format!("let the service's user own the folder {folder}")
            };
            let text = format!("{name} can't be written: {error}");
            Fact::bad(STATE_FILE, text, remedy)
        }
    }
}

fn makes_folder(unit: Option<&Unit>, path: &Path) -> bool {
    path.parent()
        .is_some_and(|folder| unit.is_some_and(|unit| unit.makes(folder)))
}

/// A file that nobody else has, made for a moment: what a mode says of a folder is not all.
fn probe_of(path: &Path) -> PathBuf {
    beside(path, &format!(".check-{}", std::process::id()))
}

fn folder_of(path: &Path) -> String {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(&path);
    folder.display().to_string()
}
