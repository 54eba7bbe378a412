//! The system's `git`: what it sees of the world, and whether it can do its part of a push.
//!
//! It sees next to nothing: no configuration of a user or of the system, no proxies, no
//! authorities, for it speaks to nobody but us. It makes the pack and speaks the push protocol;
//! what it says travels through our HTTP client.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::fact::Fact;
use crate::process::{Task, Tool, ToolError};
use crate::thread::lock;

/// The first with all that a push needs, as far as that was tried.
const OLDEST: Version = Version(2, 20);
/// It takes milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

pub const GIT: Tool = Tool {
    name: "git",
    // Where programs are.
    inherited: &["PATH", "LD_LIBRARY_PATH"],
    fixed: &[("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")],
};

/// What git is asked to do in a repository, which is its home, too: there is nobody's configuration
/// but ours.
pub fn task<'a>(
    repository: &'a Path,
    arguments: &'a [&'a str],
    deadline: Deadline<'a>,
) -> Task<'a> {
    Task {
        environment: vec![("HOME", repository.into()), ("GIT_DIR", repository.into())],
        deadline,
        ..Task::local(arguments, repository)
    }
}

/// Whether there is a git that can push. Cheap to clone; clones know the same.
#[derive(Clone, Default)]
pub struct Presence(Arc<Mutex<Option<Version>>>);

impl Presence {
    /// Costs nothing once it is known to be there. Else it is looked for each time.
    #[must_use]
    pub fn check(&self) -> Fact {
        let mut known = lock(&self.0);
        let found = known.map_or_else(
            || usable_version().inspect(|version| log::debug!("pushing with {version}")),
            Ok,
        );
        *known = found.as_ref().ok().copied();
        match found {
            Ok(version) => Fact::good(GIT.name, version.to_string()),
            Err(why) => Fact::bad(
                GIT.name,
                why,
                format!("install {OLDEST} or newer where this program's PATH finds it"),
            ),
        }
    }

    /// Whether it was there the last time that it was needed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// A push did not find it: it may be gone, or in the hands of a package manager.
    pub fn forget(&self) {
        *lock(&self.0) = None;
    }
}

/// Major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "git {}.{}", self.0, self.1)
    }
}

impl Version {
    /// Out of `git version 2.39.5`, which may have words behind it.
    fn read(said: &str) -> Option<Self> {
        let mut numbers = said.strip_prefix("git version ")?.split('.');
        let mut number = || {
            let text = numbers.next()?;
            let end = text.find(|c: char| !c.is_ascii_digit());
            text[..end.unwrap_or(text.len())].parse().ok()
        };
        Some(Self(number()?, number()?))
    }
}

fn usable_version() -> Result<Version, String> {
    let task = Task {
        deadline: Deadline::within(VERSION_TIMEOUT),
        ..Task::local(&["version"], Path::new("/"))
    };
    let said = GIT
        .run(task)
        .map_err(|error: ToolError| error.to_string())?;
    match Version::read(&said) {
        Some(version) if version >= OLDEST => Ok(version),
        Some(version) => Err(format!("{version} is too old to push with")),
        None => Err("the program `git` does not say which version it is".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, Version};

    #[test]
    fn versions_are_read_and_compared_as_git_counts_them() {
        let read = |text: &str| Version::read(text);
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
        assert!(Version(2, 9) < OLDEST && Version(1, 99) < OLDEST);
        assert!(Version(2, 100) > OLDEST && Version(3, 0) > OLDEST);
    }
}
