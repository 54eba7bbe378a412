//! A push: the system's `git` makes the pack and speaks the protocol, our HTTP client carries it, or
//! `ssh` does.
//!
//! It is what git's own HTTPS helper does: `git send-pack --stateless-rpc` hears what the remote
//! advertises, says what is to be posted, and hears the answer. So one trust, one reading of
//! proxies and one set of limits count for all that leaves this program, a login is in no
//! environment, command line or file, and what a status means is not left to git's words.
//!
//! The branch must not exist yet (`--force-with-lease` with an empty expectation); if it does, the
//! same job was pushed before, by us or by a process that is gone, and nothing is done. So a push
//! may be repeated at will, and it is when its outcome is not known. It has succeeded only if git
//! says so on the line that is made for it: exit codes differ between versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::BuildContext;
use super::git::{self, GIT};
use super::pkt_line::{FLUSH, Packet, Reader, packet};
use super::presence::{self, Presence};
use super::remote::{PushError, Remote};
use super::repository::{BRANCH, Repository};
use super::scratch::Scratch;
use super::ssh::{Address, SshRemote};
use crate::deadline::Deadline;
use crate::foreign::{Keep, one_line};
use crate::http::Http;
use crate::process::{Conversation, Task, ToolError};
use crate::secret::Secret;
use crate::semaphore::{Permit, Semaphore};

/// A push of three small files takes seconds; pushes that hang for minutes have been reported
/// (Clever page, 4.2), and the next try learns what became of one.
const PUSH_TIMEOUT: Duration = Duration::from_secs(90);
/// Each is several processes: hundreds at once would only hold up each other.
const PUSHES_AT_ONCE: usize = 16;
/// Into the repositories of one organization on one host, which may all hang.
const PUSHES_TO_ONE: usize = 8;
/// Twice the largest job.
const PACK_LIMIT: usize = 128 << 20;
/// There is one branch.
const STATUS_LIMIT: usize = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Now,
    /// The branch existed: the job was pushed before.
    Before,
}

/// Where to push to, and with what.
pub enum Destination<'a> {
    Http(Remote),
    /// With this private key.
    Ssh(Address, &'a Path),
}

/// A remote that has said what there is.
struct Opened<'a> {
    advertisement: Vec<u8>,
    answer: Answer<'a>,
}

/// Sends it a pack and gives back what it says to that.
type Answer<'a> = Box<dyn FnOnce(Vec<u8>) -> Result<Vec<u8>, PushError> + 'a>;

/// Cheap to clone; clones share the bound on pushes.
#[derive(Clone)]
pub struct Pusher {
    http: Http,
    scratch: Scratch,
    known_hosts: PathBuf,
    git: Presence,
    ssh: Presence,
    pushes: Semaphore,
}

impl Pusher {
    /// Remotes are spoken to through `http`, or by ssh, whose host keys are in `known_hosts`; what
    /// is pushed is prepared in `scratch`.
    #[must_use]
    pub fn new(http: Http, scratch: Scratch, known_hosts: PathBuf) -> Self {
        Self {
            http,
            scratch,
            known_hosts,
            git: Presence::of(&presence::GIT),
            ssh: Presence::of(&presence::SSH),
            pushes: Semaphore::new(PUSHES_AT_ONCE, PUSHES_TO_ONE),
        }
    }

    /// The git to push with.
    #[must_use]
    pub const fn git(&self) -> &Presence {
        &self.git
    }

    /// The ssh to push with, where that is the way.
    #[must_use]
    pub const fn ssh(&self) -> &Presence {
        &self.ssh
    }

    /// Waits, by `wait`, until one more push may run into what is `whose`.
    ///
    /// # Errors
    /// Those of `wait`.
    pub fn await_push<E>(
        &self,
        whose: &str,
        wait: impl FnOnce(&Receiver<()>) -> Result<(), E>,
    ) -> Result<Permit, E> {
        self.pushes.acquire(whose, wait)
    }

    /// Pushes `context` as the only commit of the destination's branch. `name` must be unique among
    /// the pushes that run at the same time. A push may be cut at any moment, and is within two
    /// seconds when it is not wanted any more.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push(
        &self,
        name: &str,
        context: BuildContext,
        destination: &Destination<'_>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Pushed, PushError> {
        let deadline = Deadline::new(PUSH_TIMEOUT, is_wanted);
        match destination {
            Destination::Http(remote) => {
                let opened = Opened {
                    advertisement: remote.advertisement(&self.http, deadline)?,
                    answer: Box::new(|pack| remote.receive(&self.http, pack, deadline)),
                };
                self.push_to(name, context, opened, &remote.secrets(), deadline)
            }
            Destination::Ssh(address, key) => {
                let remote = SshRemote {
                    address: address.clone(),
                    key,
                    known_hosts: &self.known_hosts,
                };
                let pushed = remote.connected(deadline, |advertisement, connection| {
                    let opened = Opened {
                        advertisement,
                        answer: Box::new(|pack| connection.receive(pack)),
                    };
                    self.push_to(name, context, opened, &[], deadline)
                });
                pushed.inspect_err(|_| self.ssh.forget())
            }
        }
    }

    /// What the remote says is told without its `secrets`.
    fn push_to(
        &self,
        name: &str,
        context: BuildContext,
        opened: Opened<'_>,
        secrets: &[&Secret],
        deadline: Deadline<'_>,
    ) -> Result<Pushed, PushError> {
        let folder = self.scratch.folder(name);
        let repository = folder.and_then(Repository::create).map_err(|error| {
            PushError::trouble(format!("cannot prepare the push on this computer: {error}"))
        })?;
        repository.commit(context, deadline).inspect_err(|error| {
            if matches!(error, ToolError::NotInstalled { .. }) {
                self.git.forget();
            }
        })?;
        send_pack(&repository, opened, secrets, deadline)
    }
}

fn send_pack(
    repository: &Repository,
    opened: Opened<'_>,
    secrets: &[&Secret],
    deadline: Deadline<'_>,
) -> Result<Pushed, PushError> {
    let lease = format!("--force-with-lease={BRANCH}:");
    // The last word stands for the address, which is not git's business.
    let arguments = [
        "send-pack",
        "--stateless-rpc",
        "--helper-status",
        "--no-progress",
        &lease,
        "--stdin",
        "anonymous",
    ];
    let refspec = packet(&format!("{BRANCH}:{BRANCH}\n"));
    let mut git = GIT.converse(Task {
        input: vec![refspec, FLUSH.to_vec(), opened.advertisement],
        secrets,
        ..git::task(repository.path(), &arguments, deadline)
    })?;
    let (pack, mut status) = hear_request(&mut git)?;
    if !pack.is_empty() {
        git.say((opened.answer)(pack)?);
    }
    // It would wait for the rest of an answer that is cut.
    git.hang_up();
    while let Some(piece) = git.hear()? {
        let room = STATUS_LIMIT.saturating_sub(status.len());
        status.extend(piece.into_iter().take(room));
    }
    let status = String::from_utf8_lossy(&status);
    let status = Secret::scrub_all(secrets.iter().copied(), &status);
    outcome(&status).or_else(|reason| Err(not_taken(reason, &git.complaints()?)))
}

/// What is to be posted, which is nothing where the branch exists; and what came behind that.
fn hear_request(git: &mut Conversation<'_>) -> Result<(Vec<u8>, Vec<u8>), PushError> {
    let mut packets = Reader::default();
    let mut request = Vec::new();
    loop {
        match packets.take() {
            Ok(Some(Packet::Flush)) => return Ok((request, packets.into_rest())),
            Ok(Some(Packet::Data(data))) => request.extend(data),
            Ok(None) => match git.hear()? {
                Some(piece) => packets.feed(&piece),
                None => return Err(without_request(&git.complaints()?)),
            },
            Err(_) => return Err(without_request("what it says is no packet")),
        }
        if request.len() > PACK_LIMIT {
            return Err(without_request("it would be too large"));
        }
    }
}

/// What became of the push, out of what git says of each branch. No line: it is not known.
///
/// # Errors
/// Why it was refused, if that is known.
fn outcome(status: &str) -> Result<Pushed, Option<&str>> {
    // Behind the flush at the end of what was to be posted.
    let mut lines = status.strip_prefix("0000").unwrap_or(status).lines();
    let line = lines.find_map(|line| {
        let (verdict, rest) = line.split_once(' ')?;
        let reason = rest.strip_prefix(BRANCH)?;
        Some((verdict, reason.trim()))
    });
    match line {
        Some(("ok", "")) => Ok(Pushed::Now),
        Some(("ok", "up to date") | ("error", "stale info")) => Ok(Pushed::Before),
        Some(("error", reason)) if reason.contains("already exists") => Ok(Pushed::Before),
        Some(("ok" | "error", reason)) => Err(Some(reason)),
        Some(_) | None => Err(None),
    }
}

fn not_taken(reason: Option<&str>, complaints: &str) -> PushError {
    let Some(reason) = reason else {
        let text = format!("git does not say what became of the push: {complaints}");
        return PushError::trouble(text);
    };
    let shown = one_line(reason, Keep::Start(200));
    PushError {
        // The next time it would be declined again.
        may_pass: !reason.contains("hook declined"),
        ..PushError::trouble(format!(
            "the git remote refuses {BRANCH}: {shown}; {complaints}"
        ))
    }
}

fn without_request(why: &str) -> PushError {
    PushError::trouble(format!("git send-pack makes no request: {why}"))
}

impl From<ToolError> for PushError {
    fn from(error: ToolError) -> Self {
        Self::trouble(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Pushed, outcome};

    #[test]
    fn only_the_line_that_says_so_is_a_success() {
        for (status, expected) in [
            ("0000ok refs/heads/master\n", Ok(Pushed::Now)),
            ("ok refs/heads/master up to date\n", Ok(Pushed::Before)),
            ("error refs/heads/master stale info\n", Ok(Pushed::Before)),
            (
                "0000error refs/heads/master reference already exists\n",
                Ok(Pushed::Before),
            ),
            (
                "0000error refs/heads/master hook declined\n",
                Err(Some("hook declined")),
            ),
            (
                "0000ok refs/heads/master forced update\n",
                Err(Some("forced update")),
            ),
            ("0000ok refs/heads/main\n", Err(None)),
            ("0000", Err(None)),
            ("", Err(None)),
            ("<html>ok refs/heads/master\n", Err(None)),
        ] {
            assert_eq!(outcome(status), expected, "{status:?}");
        }
    }
}
