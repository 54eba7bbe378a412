//! Whether the system has the programs that a push needs, in a version that can do it.
//!
//! Without them jobs are better left in the queue. What they are run for is not known here.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{git, ssh};
use crate::deadline::Deadline;
use crate::fact::Fact;
use crate::process::{Task, Tool, ToolError};
use crate::thread::lock;

/// It takes milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that is needed.
pub struct Needed {
    tool: &'static Tool,
    asked: &'static str,
    /// What stands before the version in its answer.
    before: &'static str,
    /// What a person calls it, before its version.
    called: &'static str,
    oldest: Version,
}

/// With all that a push needs, as far as that was tried.
pub static GIT: Needed = Needed {
    tool: &git::GIT,
    asked: "version",
    before: "git version ",
    called: "git",
    oldest: Version(2, 20),
};
/// The first that can keep the key of an unknown host without asking.
pub static SSH: Needed = Needed {
    tool: &ssh::SSH,
    asked: "-V",
    before: "OpenSSH_",
    called: "ssh of OpenSSH",
    oldest: Version(7, 6),
};

/// Whether the program is there. Cheap to clone; clones know the same.
#[derive(Clone)]
pub struct Presence {
    needed: &'static Needed,
    known: Arc<Mutex<Option<Version>>>,
}

impl Presence {
    #[must_use]
    pub fn of(needed: &'static Needed) -> Self {
        Self {
            needed,
            known: Arc::default(),
        }
    }

    /// Costs nothing once it is known to be there. Else it is looked for each time.
    #[must_use]
    pub fn check(&self) -> Fact {
        let Needed {
            tool,
            called,
            oldest,
            ..
        } = self.needed;
        let mut known = lock(&self.known);
        let found = known.map_or_else(
            || {
                let found = self.needed.usable_version();
                found.inspect(|version| log::debug!("pushing with {called} {version}"))
            },
            Ok,
        );
        *known = found.as_ref().ok().copied();
        match found {
            Ok(version) => Fact::good(tool.name, format!("{called} {version}")),
            Err(why) => Fact::bad(
                tool.name,
                why,
                format!("install {called} {oldest} or newer where this program's PATH finds it"),
            ),
        }
    }

    /// Whether it was there the last time that it was needed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        lock(&self.known).is_some()
    }

    /// A push did not find it: it may be gone, or in the hands of a package manager.
    pub fn forget(&self) {
        *lock(&self.known) = None;
    }
}

/// Major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// Out of `2.39.5`, which may have words behind it.
    fn read(said: &str) -> Option<Self> {
        let mut numbers = said.split('.');
        let mut number = || {
            let text = numbers.next()?;
            let end = text.find(|c: char| !c.is_ascii_digit());
            text[..end.unwrap_or(text.len())].parse().ok()
        };
        Some(Self(number()?, number()?))
    }
}

impl Needed {
    fn version(&self, said: &str) -> Option<Version> {
        Version::read(said.strip_prefix(self.before)?)
    }

    fn usable_version(&self) -> Result<Version, String> {
        let asked = [self.asked];
        let said = self.tool.run(Task {
            deadline: Deadline::within(VERSION_TIMEOUT),
            ..Task::local(&asked, Path::new("/"))
        });
        let said = said.map_err(|error: ToolError| error.to_string())?;
        match self.version(&said) {
            Some(version) if version >= self.oldest => Ok(version),
            Some(version) => Err(format!("{} {version} is too old to push with", self.called)),
            None => Err(format!(
                "the program `{}` does not say which version it is",
                self.tool.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GIT, SSH, Version};

    #[test]
    fn versions_are_read_and_compared_as_their_programs_count_them() {
        let read = |text: &str| GIT.version(text);
        for (text, version) in [
            ("git version 2.39.5\n", Version(2, 39)),
            ("git version 2.39.3 (Apple Git-145)\n", Version(2, 39)),
            ("git version 2.20-rc1\n", Version(2, 20)),
            ("git version 3.0\n", Version(3, 0)),
            ("git version 2.9.5.windows.1\n", Version(2, 9)),
        ] {
            assert_eq!(read(text), Some(version), "{text}");
        }
        for text in [
            "",
            "git version",
            "git version two.three",
            "hub version 2.20",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let debian = "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025\n";
        assert_eq!(SSH.version(debian), Some(Version(9, 2)));
        assert!(Version(2, 9) < GIT.oldest && Version(1, 99) < GIT.oldest);
        assert!(Version(2, 100) > GIT.oldest && Version(10, 0) > SSH.oldest);
    }
}
