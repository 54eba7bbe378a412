//! The unit under which the service runs, where one is installed: what it does not allow.
//!
//! A state file in a place that the unit forbids works in a shell and fails in the service. Only the
//! few settings that decide about that are read, as systemd.exec(5) describes them; of a unit that is
//! not for this configuration nothing is said.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use crate::fact::{Fact, Verdict};

const NAME: &str = "heptapod-paas-runner.service";
/// Where units are, those that count most first.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unit {
    is_strict: bool,
    hides_homes: bool,
    has_private_tmp: bool,
    /// Folders that are made for it.
    made: Vec<PathBuf>,
    /// Where it may write besides.
    writable: Vec<PathBuf>,
}

/// The installed unit, if it starts the program with the configuration at `path`.
pub fn of(path: &Path) -> Option<Unit> {
    let mut units = FOLDERS.iter().map(|folder| Path::new(folder).join(NAME));
    let file = units.find(|unit| unit.is_file())?;
    let mut text = fs::read_to_string(&file).ok()?;
    let mut more: Vec<_> = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(Path::new(folder).join(format!("{NAME}.d"))).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    more.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    for path in more {
        text.push('\n');
        text += &fs::read_to_string(path).unwrap_or_default();
    }
    let path = absolute(path).ok()?;
    let starts_it = |line: &str| {
        let words = line.strip_prefix("ExecStart=").unwrap_or_default();
        words.split_whitespace().any(|word| Path::new(word) == path)
    };
    text.lines().any(starts_it).then(|| Unit::read(&text))
}

impl Unit {
    fn read(text: &str) -> Self {
        let mut unit = Self::default();
        let is_on = |value: &str| matches!(value, "yes" | "true" | "on" | "1");
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            match key {
                "ProtectSystem" => unit.is_strict = value == "strict",
                "ProtectHome" => {
                    unit.hides_homes = is_on(value) || ["read-only", "tmpfs"].contains(&value);
                }
                "PrivateTmp" => unit.has_private_tmp = is_on(value) || value == "disconnected",
                "StateDirectory" => {
                    let names = value.split_whitespace();
                    let names = names.map(|name| name.split(':').next().unwrap_or(name));
                    unit.made
                        .extend(names.map(|name| Path::new("/var/lib").join(name)));
                }
                "ReadWritePaths" if value.is_empty() => unit.writable.clear(),
                "ReadWritePaths" => {
                    let paths = value.split_whitespace();
                    let paths = paths.map(|path| path.trim_start_matches(['-', '+']));
                    unit.writable.extend(paths.map(PathBuf::from));
                }
                _ => {}
            }
        }
        unit
    }

    /// Whether this folder is made at a start.
    pub fn makes(&self, folder: &Path) -> bool {
        self.made.iter().any(|made| made == folder)
    }

    /// What the unit has against a state file there.
    pub fn forbids(&self, state_file: &Path) -> Option<Fact> {
        let path = absolute(state_file).ok()?;
        let folder = path.parent()?;
        let name = folder.display();
        let is_below = |top: &str| path.starts_with(top);
        if (is_below("/tmp") || is_below("/var/tmp")) && self.has_private_tmp {
            let text =
                format!("the unit gives the service a {name} of its own, which goes at each stop");
            let fact = Fact::new("unit", Verdict::Bad, text);
            return Some(fact.remedy("set `state_file` to a place below /var/lib/heptapod-runner"));
        }
        let mut places = self.made.iter().chain(&self.writable);
        if places.any(|place| path.starts_with(place)) {
            return None;
        }
        let is_home = ["/home", "/root", "/run/user"].into_iter().any(is_below);
        let is_forbidden = self.is_strict || (is_home && self.hides_homes);
        is_forbidden.then(|| {
            let text = format!("the unit does not let the service write to {name}");
            let remedy = format!(
                "add ReadWritePaths={name} to it (systemctl edit {NAME}), or set `state_file` to a \
                 place below /var/lib/heptapod-runner"
            );
            Fact::bad("unit", text, remedy)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{FOLDERS, NAME, Unit};
    use crate::install::pieces::PIECES;

    #[test]
    fn the_unit_is_looked_for_where_it_is_installed() {
        let mut pieces = PIECES.iter().map(|piece| Path::new(piece.path));
        let unit = pieces.find(|path| path.ends_with(NAME)).unwrap();
        for prefix in ["/usr", "/usr/local"] {
            let place = Path::new(prefix).join(unit);
            assert!(
                FOLDERS
                    .iter()
                    .any(|folder| place.parent() == Some(Path::new(folder)))
            );
        }
    }

    #[test]
    fn a_state_file_must_be_where_the_unit_lets_the_service_write() {
        let printed = include_str!("../install/heptapod-paas-runner.service");
        let opened = format!("{printed}\nReadWritePaths=/srv/ci -/opt/ci\n");
        let closed = format!("{opened}ReadWritePaths=\n");
        let made = Path::new("/var/lib/heptapod-runner");
        assert!(Unit::read(printed).makes(made));
        for (unit, path, is_forbidden) in [
            (printed, "/var/lib/heptapod-runner/state.json", false),
            (printed, "/var/lib/other/state.json", true),
            (printed, "/srv/ci/state.json", true),
            (&opened, "/srv/ci/state.json", false),
            (&opened, "/opt/ci/deep/state.json", false),
            (&closed, "/srv/ci/state.json", true),
            (&closed, "/var/lib/heptapod-runner/state.json", false),
            ("ProtectHome=yes", "/home/ci/state.json", true),
            ("ProtectHome=no", "/home/ci/state.json", false),
            ("ProtectHome=yes", "/srv/state.json", false),
            ("PrivateTmp=yes", "/tmp/state.json", true),
            ("", "/tmp/state.json", false),
        ] {
            let fact = Unit::read(unit).forbids(Path::new(path));
            assert_eq!(fact.is_some(), is_forbidden, "{path}: {fact:?}\n{unit}");
        }
    }
}
