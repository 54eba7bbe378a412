//! What a runner, a job and a machine are called: the write-ahead log of this program.
//!
//! A machine's name says which runner and which job it serves, so after a crash, or a creation whose
//! answer was lost, the names at Clever Cloud tell what was done. A runner's name is a part of its
//! token, as with gitlab-runner and the Python program; how much of a token may be shown is told
//! here, too. GitLab page, 7.4 and 7.6. Nothing here knows what a job is or where machines are.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::sha256_hex;
use crate::secret::Secret;

/// A job's number at its coordinator. Two coordinators may use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A project's number at its coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectId(pub u64);

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job, among all of this program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    pub runner: RunnerName,
    pub id: JobId,
    /// Of the job's token: a coordinator that was restored from a backup uses numbers again.
    mark: String,
}

impl JobKey {
    #[must_use]
    pub fn of(runner: &RunnerName, id: JobId, token: &Secret) -> Self {
        Self {
            runner: runner.clone(),
            id,
            mark: sha256_hex(&[token.reveal().as_bytes()], 8),
        }
    }

    /// Whether both have the same number, and with that the same machine's name.
    #[must_use]
    pub fn has_number_of(&self, other: &Self) -> bool {
        (self.id, &self.runner) == (other.id, &other.runner)
    }
}

/// What a machine is called, everywhere: `hpd-job-<runner's unique name>-<job>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineName {
    name: String,
    /// By the Python runner's rule; machines of that name may still be there.
    python: String,
}

impl MachineName {
    #[must_use]
    pub fn of(runner: &RunnerName, job: JobId) -> Self {
        Self {
            name: format!("hpd-job-{}-{job}", runner.unique),
            python: format!("hpd-job-{}-{job}", runner.python),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// A machine that is there under this name, and its job, if that is one of this runner's.
    #[must_use]
    pub fn read(runner: &RunnerName, name: &str) -> Option<(JobId, Self)> {
        let job = name.rsplit_once('-')?.1.parse().ok().map(JobId)?;
        let expected = Self::of(runner, job);
        let called = Self {
            name: name.to_owned(),
            ..expected.clone()
        };
        expected.is(name).then_some((job, called))
    }

    /// Whether a machine that is called `name` is this one.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        name == self.name || name == self.python
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// How tokens begin of which GitLab uses the part behind for names.
const PREFIXES: [&str; 9] = [
    "glrt-t1_",
    "glrt-t2_",
    "glrt-t3_",
    "glrt-",
    "t1_",
    "t2_",
    "t3_",
    "glrtr-",
    "GR1348941",
];

/// gitlab-runner uses as much of the part behind the prefix.
const SHORT_TOKEN: usize = 9;
/// The Python runner uses as much, of the whole token.
const SHORT_NAME: usize = 8;

/// How a runner is told from all others, in names of machines and in the state file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunnerName {
    pub unique: String,
    /// By the Python runner's rule, the first 8 characters of the token: with tokens that begin
    /// with a prefix many runners have the same.
    pub python: String,
}

impl RunnerName {
    /// The name of a runner of the coordinator at `url`; `taken` are those of the runners before it.
    ///
    /// It is the same by both rules, unless the token begins with a prefix or another runner has
    /// that name. Behind a prefix there may be ids common to an instance, so then a hash of token
    /// and address makes the difference.
    #[must_use]
    pub fn of(token: &Secret, url: &str, taken: &[Self]) -> Self {
        let (prefix, rest) = split(token.reveal());
        let python = name_characters(token.reveal());
        let is_taken = taken.iter().any(|other| other.unique == python);
        if prefix.is_empty() && !is_taken {
            return Self {
                unique: python.clone(),
                python,
            };
        }
        let hash = sha256_hex(&[url.as_bytes(), token.reveal().as_bytes()], 3);
        let unique = name_characters(rest) + &hash;
        Self { unique, python }
    }
}

fn name_characters(token: &str) -> String {
    token.chars().take(SHORT_NAME).collect()
}

/// As much of a token as gitlab-runner uses to name things, and never all of it.
#[must_use]
pub fn short_token(token: &Secret) -> Secret {
    let (prefix, rest) = split(token.reveal());
    let shown = SHORT_TOKEN.min(rest.chars().count() / 2);
    let shown: String = rest.chars().take(shown).collect();
    Secret::new(format!("{prefix}{shown}"))
}

/// The prefix, maybe with an instance's own before it, and the part that is random.
fn split(token: &str) -> (&str, &str) {
    let start = token.find("glrt-").unwrap_or(0);
    let known = PREFIXES
        .iter()
        .find(|prefix| token[start..].starts_with(*prefix));
    known.map_or(("", token), |prefix| token.split_at(start + prefix.len()))
}

#[cfg(test)]
mod tests {
    use super::{RunnerName, short_token};
    use crate::secret::Secret;

    #[test]
    fn a_machine_gets_the_part_of_the_token_that_names_things() {
        for (token, short) in [
            ("D3adNQYu8OCjkYDbwDaG", "D3adNQYu8"),
            ("glrt-D3adNQYu8OCjkYDbwDaG", "glrt-D3adNQYu8"),
            ("glrt-t3_D3adNQYu8OCjkYDbwDaG", "glrt-t3_D3adNQYu8"),
            (
                "acme-glrt-t1_D3adNQYu8OCjkYDbwDaG",
                "acme-glrt-t1_D3adNQYu8",
            ),
            ("GR1348941D3adNQYu8OCjkYDbwDaG", "GR1348941D3adNQYu8"),
            ("tiny", "ti"),
        ] {
            assert_eq!(
                short_token(&Secret::new(token)),
                Secret::new(short),
                "{token}"
            );
        }
    }

    #[test]
    fn names_are_those_of_the_python_runner_unless_they_would_collide() {
        let name = |token: &str| RunnerName::of(&Secret::new(token), "https://here", &[]);
        let plain = name("D3adNQYu8OCjkYDbwDaG");
        assert_eq!(
            (plain.unique.as_str(), plain.python.as_str()),
            ("D3adNQYu", "D3adNQYu")
        );
        let (one, two) = (name("glrt-t3_sameSAME1"), name("glrt-t3_sameSAME2"));
        assert_eq!(one.python, two.python);
        assert_ne!(one.unique, two.unique);
        assert!(one.unique.starts_with("sameSAME"), "{one:?}");
        let token = Secret::new("D3adNQYu8OCjkYDbwDaG");
        let elsewhere = RunnerName::of(&token, "https://there", std::slice::from_ref(&plain));
        assert_ne!(elsewhere.unique, plain.unique);
        assert_eq!(elsewhere.python, plain.python);
    }
}
