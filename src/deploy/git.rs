//! The system's `git`: what it sees of the world.
//!
//! It sees next to nothing: no configuration of a user or of the system, no proxies, no
//! authorities, for it speaks to nobody but us. It makes the pack and speaks the push protocol;
//! what it says travels through our HTTP client.

use std::path::Path;

use crate::deadline::Deadline;
use crate::process::{Task, Tool};

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
