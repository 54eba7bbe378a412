//! Pushing a build context with the system's `git`: three processes, one private folder.
//!
//! The branch must not exist yet (`--force-with-lease` with an empty expectation); if it does, the
//! same job was pushed before, by us or by a process that is gone, and nothing is done. So a push
//! may be repeated at will.
//!
//! `git` runs with an environment of its own: no configuration of the user or the system, no
//! prompts. The credentials reach it in that environment, never on the command line, in the URL
//! or in a file. Redirects are not followed, because they would carry the credentials along.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::BuildContext;
use crate::places::{Place, Places};
use crate::process::{self, Ended, Run};
use crate::secret::Secret;
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
/// So much of what git says is shown; secrets are taken out before it is cut.
const SHOWN: usize = 600;
const LOCAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Git keeps what a remote says in memory, and a broken one may never end.
const ADDRESS_SPACE: u64 = 1 << 30;

/// The only branch that Clever Cloud deploys.
const BRANCH: &str = "refs/heads/master";
const AUTHOR: &str = "Heptapod Paas Runner <paasrunner@heptapod.test>";
const MESSAGE: &str = "Job definition\n";

/// The variables of our own environment that `git` may see: where programs are, how to get out.
const INHERITED: [&str; 12] = [
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
];

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
    /// One for each push that may run at the same time.
    benches: Places,
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
        let benches = Places::new(PUSHES_AT_ONCE);
        Self {
            folder,
            room,
            benches,
        }
    }

    /// Waits until there is room for one more push.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn await_bench(&self, stop: &Stop) -> Result<Place, Stopped> {
        self.benches.take(stop)
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
        let result = repository
            .fill(context)
            .and_then(|()| repository.push(remote, is_wanted));
        result.map_err(|error| {
            let text = remote.login().scrub(&error.text);
            let text = remote.password.scrub(&remote.user.scrub(&text));
            PushError {
                text: text.chars().take(SHOWN).collect(),
                ..error
            }
        })
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
    fn fill(&self, context: BuildContext) -> Result<(), PushError> {
        self.git(Task::local(&["init", "--quiet", "--bare", "--template="]))?;
        self.git(Task {
            input: commit_stream(context),
            ..Task::local(&["fast-import", "--quiet"])
        })?;
        Ok(())
    }

    fn push(&self, remote: &Remote<'_>, is_wanted: &dyn Fn() -> bool) -> Result<Pushed, PushError> {
        let login = format!("Authorization: Basic {}", remote.login().reveal());
        let configuration = [
            ("http.extraHeader", login.as_str()),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", STALLED_AFTER_SECONDS),
            ("credential.helper", ""),
            ("pack.threads", "1"),
        ];
        let lease = format!("--force-with-lease={BRANCH}:");
        let refspec = format!("{BRANCH}:{BRANCH}");
        let arguments = ["push", "--porcelain", &lease, remote.url, &refspec];
        let task = Task {
            configuration: &configuration,
            timeout: PUSH_TIMEOUT,
            is_wanted,
            ..Task::local(&arguments)
        };
        match self.git(task) {
            Ok(_) => Ok(Pushed::Now),
            Err(error) if already_there(&error.text) => Ok(Pushed::Before),
            Err(error) => Err(error),
        }
    }

    fn git(&self, task: Task<'_>) -> Result<String, PushError> {
        let run = Run {
            program: "git",
            arguments: task.arguments,
            environment: &environment(self.0.path(), task.configuration),
            folder: self.0.path(),
            input: task.input,
            timeout: task.timeout,
            address_space: Some(ADDRESS_SPACE),
            is_wanted: task.is_wanted,
        };
        let what = task.arguments.first().copied().unwrap_or_default();
        let (text, passing) = match process::run(run) {
            Ok(Ended::Success(output)) => return Ok(output),
            Ok(Ended::Failure { code, output }) => (
                format!("git {what} ended with {code}: {}", one_line(&output)),
                true,
            ),
            Ok(Ended::TimedOut) => (
                format!("git {what} took longer than {} s", task.timeout.as_secs()),
                true,
            ),
            Ok(Ended::GivenUp) => (format!("git {what} was ended: not wanted any more"), true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (
                "cannot start git: it is not installed, or not in PATH".to_owned(),
                false,
            ),
            Err(error) => (format!("cannot run git {what}: {error}"), true),
        };
        let credentials_refused = refuses_credentials(&text);
        Err(PushError {
            may_pass: passing && !credentials_refused && !text.contains("hook declined"),
            credentials_refused,
            text,
        })
    }
}

/// One git process.
struct Task<'a> {
    arguments: &'a [&'a str],
    configuration: &'a [(&'a str, &'a str)],
    input: Vec<Vec<u8>>,
    timeout: Duration,
    is_wanted: &'a dyn Fn() -> bool,
}

impl<'a> Task<'a> {
    /// It speaks to nobody.
    fn local(arguments: &'a [&'a str]) -> Self {
        Self {
            arguments,
            configuration: &[],
            input: Vec::new(),
            timeout: LOCAL_TIMEOUT,
            is_wanted: &|| true,
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

fn environment(repository: &Path, configuration: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let mut environment: Vec<(OsString, OsString)> = inherited.collect();
    let mut set = |name: &str, value: &std::ffi::OsStr| {
        environment.push((name.into(), value.to_owned()));
    };
    set("HOME", repository.as_os_str());
    set("GIT_DIR", repository.as_os_str());
    set("GIT_CONFIG_NOSYSTEM", "1".as_ref());
    set("GIT_CONFIG_GLOBAL", "/dev/null".as_ref());
    set("GIT_TERMINAL_PROMPT", "0".as_ref());
    set("LC_ALL", "C".as_ref());
    set("GIT_CONFIG_COUNT", configuration.len().to_string().as_ref());
    for (index, (key, value)) in configuration.iter().enumerate() {
        set(&format!("GIT_CONFIG_KEY_{index}"), key.as_ref());
        set(&format!("GIT_CONFIG_VALUE_{index}"), value.as_ref());
    }
    environment
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

fn one_line(output: &str) -> String {
    let line: Vec<_> = output.split_whitespace().collect();
    line.join(" ")
}
