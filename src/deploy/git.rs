//! Pushing a build context with the system's `git`: three processes, one private folder.
//!
//! The branch must not exist yet (`--force-with-lease` with an empty expectation); if it does, the
//! same job was pushed before, by us or by a process that is gone, and nothing is done. So a push
//! may be repeated at will.
//!
//! `git` runs with an environment of its own: no configuration of the user or the system, no
//! prompts. The credentials reach it in that environment, never on the command line, in the URL
//! or in a file. Redirects are not followed, because they would carry the credentials along.

use std::ffi::OsString;
use std::fs;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::BuildContext;
use crate::process::{Task, Tool, ToolError};
use crate::secret::Secret;
use crate::semaphore::{Permit, Semaphore};
use crate::shutdown::{Stop, Stopped};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A push of three small files takes seconds; pushes that hang for minutes have been reported
/// (Clever page, 4.2), and a stopping service must be able to wait for one.
const PUSH_TIMEOUT: Duration = Duration::from_secs(90);
/// A connection on which nothing moves for so long is dead.
const STALLED_AFTER_SECONDS: &str = "30";
/// Each is several processes: hundreds at once would only hold up each other.
const PUSHES_AT_ONCE: usize = 16;
/// Git keeps what a remote says in memory, and a broken one may never end.
const ADDRESS_SPACE: u64 = 1 << 30;

/// The only branch that Clever Cloud deploys.
const BRANCH: &str = "refs/heads/master";
const AUTHOR: &str = "Heptapod Paas Runner <paasrunner@heptapod.test>";
const MESSAGE: &str = "Job definition\n";

const GIT: Tool = Tool {
    name: "git",
    // Where programs are, how to get out.
    inherited: &[
        "PATH",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "LD_LIBRARY_PATH",
    ],
    fixed: &[
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ],
    address_space: Some(ADDRESS_SPACE),
};

/// Where to push to, and as whom. Either of user and password may be the secret.
pub struct Remote<'a> {
    pub url: &'a str,
    pub user: &'a Secret,
    pub password: &'a Secret,
}

impl Remote<'_> {
    /// As it travels.
    fn login(&self) -> Secret {
        let credentials = format!("{}:{}", self.user.reveal(), self.password.reveal());
        Secret::new(BASE64_STANDARD.encode(credentials))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Now,
    /// The branch existed: the job was pushed before.
    Before,
}

#[derive(Debug)]
pub struct PushError {
    /// What git said, without secrets, on one line.
    pub text: String,
    /// Whether trying again can help.
    pub may_pass: bool,
    pub credentials_refused: bool,
}

/// The folder in which pushes are prepared. It is private, and empty between pushes.
#[derive(Clone, Debug)]
pub struct Workshop {
    folder: PathBuf,
    /// This process's own.
    room: PathBuf,
    pushes: Semaphore,
}

impl Workshop {
    /// For those who push nothing.
    #[must_use]
    pub fn none() -> Self {
        let nowhere = PathBuf::from("/nonexistent");
        Self::new(nowhere.clone(), nowhere)
    }

    /// A room of its own in `folder`, which only one process at a time may use. What a crashed
    /// process left there goes, as far as a git that outlived it lets it go already.
    ///
    /// # Errors
    /// When nothing can be created there.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        match private_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
                for left in fs::read_dir(&folder)?.flatten() {
                    let _ = fs::remove_dir_all(left.path());
                }
            }
            result => result?,
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let room = folder.join(format!("{}-{}", std::process::id(), since.as_nanos()));
        private_dir(&room)?;
        Ok(Self::new(folder, room))
    }

    fn new(folder: PathBuf, room: PathBuf) -> Self {
        let pushes = Semaphore::new(PUSHES_AT_ONCE);
        Self {
            folder,
            room,
            pushes,
        }
    }

    /// Waits until one more push may run.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn await_push(&self, stop: &Stop) -> Result<Permit, Stopped> {
        self.pushes.acquire(stop)
    }

    /// Pushes `context` as the only commit of the remote's branch. `name` must be unique among
    /// the pushes that run at the same time. A push may be cut at any moment, and is as soon as it
    /// is not wanted any more.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push(
        &self,
        name: &str,
        context: BuildContext,
        remote: &Remote<'_>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Pushed, PushError> {
        let folder = Folder::create(self.room.join(name)).map_err(|error| PushError {
            text: format!(
                "cannot prepare the push in {}: {error}",
                self.room.display()
            ),
            may_pass: true,
            credentials_refused: false,
        })?;
        let repository = Repository(folder);
        repository.fill(context)?;
        repository.push(remote, is_wanted)
    }

    /// Writes the context's files into a folder of their own, for a program that wants files.
    /// `name` must be unique as with a push.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn lay_out(&self, name: &str, context: BuildContext) -> io::Result<Folder> {
        let folder = Folder::create(self.room.join(name))?;
        for (name, content) in context.into_files() {
            fs::write(folder.path().join(name), content)?;
        }
        Ok(folder)
    }

    /// Removes the folder, at the end of the service.
    pub fn close(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// A private folder that is gone when this is dropped: it holds the job's secrets.
pub struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn create(path: PathBuf) -> io::Result<Self> {
        private_dir(&path)?;
        Ok(Self(path))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// A bare repository.
struct Repository(Folder);

impl Repository {
    fn fill(&self, context: BuildContext) -> Result<(), ToolError> {
        GIT.run(self.task(&["init", "--quiet", "--bare", "--template="], &[]))?;
        GIT.run(Task {
            input: commit_stream(context),
            ..self.task(&["fast-import", "--quiet"], &[])
        })?;
        Ok(())
    }

    fn push(&self, remote: &Remote<'_>, is_wanted: &dyn Fn() -> bool) -> Result<Pushed, PushError> {
        let login = remote.login();
        let header = format!("Authorization: Basic {}", login.reveal());
        let configuration = [
            ("http.extraHeader", header.as_str()),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", STALLED_AFTER_SECONDS),
            ("credential.helper", ""),
            ("pack.threads", "1"),
        ];
        let lease = format!("--force-with-lease={BRANCH}:");
        let refspec = format!("{BRANCH}:{BRANCH}");
        let arguments = ["push", "--porcelain", &lease, remote.url, &refspec];
        let pushed = GIT.run(Task {
            secrets: &[&login, remote.user, remote.password],
            timeout: PUSH_TIMEOUT,
            is_wanted,
            ..self.task(&arguments, &configuration)
        });
        match pushed {
            Ok(_) => Ok(Pushed::Now),
            Err(ToolError::Failed { said, .. }) if already_there(&said) => Ok(Pushed::Before),
            Err(error) => Err(error.into()),
        }
    }

    fn task<'a>(&'a self, arguments: &'a [&'a str], configuration: &[(&str, &str)]) -> Task<'a> {
        let folder = self.0.path();
        let mut environment: Vec<(String, OsString)> = vec![
            ("HOME".to_owned(), folder.into()),
            ("GIT_DIR".to_owned(), folder.into()),
        ];
        let count = configuration.len().to_string();
        environment.push(("GIT_CONFIG_COUNT".to_owned(), count.into()));
        for (index, (key, value)) in configuration.iter().enumerate() {
            environment.push((format!("GIT_CONFIG_KEY_{index}"), key.into()));
            environment.push((format!("GIT_CONFIG_VALUE_{index}"), value.into()));
        }
        Task {
            environment,
            ..Task::local(arguments, folder)
        }
    }
}

impl From<ToolError> for PushError {
    fn from(error: ToolError) -> Self {
        let said = match &error {
            ToolError::Failed { said, .. } => said.as_str(),
            _ => "",
        };
        let credentials_refused = refuses_credentials(said);
        let is_hopeless = matches!(error, ToolError::NotInstalled { .. })
            || credentials_refused
            || said.contains("hook declined");
        Self {
            may_pass: !is_hopeless,
            credentials_refused,
            text: error.to_string(),
        }
    }
}

/// Git asks for a user name when the one in the header was refused with 401.
fn refuses_credentials(text: &str) -> bool {
    [
        "could not read Username",
        "Authentication failed",
        "returned error: 401",
        "returned error: 403",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// The branch exists: git saw it before the push, or the server when another push came first.
fn already_there(text: &str) -> bool {
    [
        "(stale info)",
        "(already exists)",
        "(reference already exists)",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// The input of `git fast-import` for one commit with the context's files.
fn commit_stream(context: BuildContext) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let commit = format!(
        "commit {BRANCH}\nauthor {AUTHOR} {now} +0000\ncommitter {AUTHOR} {now} +0000\ndata {}\n{MESSAGE}",
        MESSAGE.len()
    );
    let mut stream = vec![commit.into_bytes()];
    for (name, content) in context.into_files() {
        let file = format!("M 100644 inline {name}\ndata {}\n", content.len());
        stream.extend([file.into_bytes(), content, b"\n".to_vec()]);
    }
    stream.push(b"done\n".to_vec());
    stream
}
