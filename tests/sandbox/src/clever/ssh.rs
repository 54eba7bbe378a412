//! The git remote over ssh: the system's `sshd`, one process for each connection, in front of the
//! same repositories. Clever page, 1.6 and 4.1.
//!
//! The protocol is OpenSSH's own. A connection that is over is looked at: a push that changed
//! `master` starts a deployment, as over HTTP.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

use super::model::RepositoryState;
use super::{Clever, Hook, World};
use crate::git;
use crate::journal::Source;

/// It wants to be called by its full path.
const SSHD: &str = "/usr/sbin/sshd";
/// Where it puts nothing, but which it wants to see when it is root's; its package makes it at boot.
const ITS_FOLDER: &str = "/run/sshd";

/// What comes in by a key: nothing but a push to a repository that is there.
const COMMAND: &str = r#"
id=${SSH_ORIGINAL_COMMAND#"git-receive-pack '/"}
id=${id%".git'"}
echo "$id" >"$SANDBOX_ASKED"
case "$id" in
*[!a-z0-9_-]* | "") echo "what is $SSH_ORIGINAL_COMMAND?" >&2; exit 1 ;;
esac
cd "$SANDBOX_REPOSITORIES/$id.git" 2>/dev/null || { echo "ERROR: Repository not found" >&2; exit 128; }
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
exec git receive-pack .
"#;

/// Listens until it is dropped.
pub struct SshRemote {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    world: Arc<World>,
    folder: TempDir,
    /// How many host keys it has had.
    host_keys: Mutex<usize>,
    is_over: AtomicBool,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

impl Clever {
    /// From now on applications say that they can be pushed to by ssh, too.
    ///
    /// # Errors
    /// In words, where there is no `sshd`, or none that runs as we do.
    pub fn serve_ssh(&self) -> Result<SshRemote, String> {
        let words = |error: std::io::Error| error.to_string();
        if !Path::new(SSHD).is_file() {
            return Err(format!(
                "{SSHD} is missing; it is in the package openssh-server"
            ));
        }
        let user = git::finish(Command::new("id").arg("-un"))?;
        let user = user.trim();
        if user == "root" {
            fs::create_dir_all(ITS_FOLDER).map_err(words)?;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(words)?;
        let address = listener.local_addr().map_err(words)?;
        let shared = Arc::new(Shared {
            world: Arc::clone(&self.world),
            folder: tempfile::tempdir().map_err(words)?,
            host_keys: Mutex::default(),
            is_over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        fs::write(shared.path("command"), COMMAND).map_err(words)?;
        fs::write(shared.path("authorized_keys"), "").map_err(words)?;
        shared.renew_host_key()?;
        git::finish(
            Command::new(SSHD)
                .arg("-t")
                .args(shared.settings(Hook::Normal, "none")),
        )?;
        // It can't become another user than we are.
        let url = format!("git+ssh://{user}@{address}");
        *self
            .world
            .ssh_url
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(url);
        let heard = Arc::clone(&shared);
        let listening = thread::spawn(move || heard.listen(&listener));
        Ok(SshRemote {
            shared,
            address,
            listening: Some(listening),
        })
    }
}

impl World {
    pub(super) fn ssh_url(&self, id: &str) -> String {
        let known = self.ssh_url.lock().unwrap_or_else(PoisonError::into_inner);
        let base = known.as_deref();
        let base = base.unwrap_or("git+ssh://git@push-n3-par.sandbox.invalid");
        format!("{base}/{id}.git")
    }
}

impl SshRemote {
    /// Writes a new private key of the user, who may push with this one only from now on.
    ///
    /// # Panics
    /// When there is no `ssh-keygen`, or a file of this name.
    pub fn renew_user_key(&self, path: &Path) {
        generate_key("ed25519", path).unwrap();
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let command = format!("sh {}", self.shared.path("command").display());
        let line = format!("restrict,command=\"{command}\" {public}");
        fs::write(self.shared.path("authorized_keys"), line).unwrap();
    }

    /// From now on it is somebody else, or so it seems: with a key of another type, and the next
    /// time of the first one again.
    ///
    /// # Panics
    /// When there is no `ssh-keygen`.
    pub fn change_host_key(&self) {
        self.shared.renew_host_key().unwrap();
    }

    /// As a client's `known_hosts` names it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("[{}]:{}", self.address.ip(), self.address.port())
    }
}

impl Drop for SshRemote {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(JoinHandle::join);
        for connection in std::mem::take(&mut *self.shared.connections()) {
            let _ = connection.join();
        }
    }
}

impl Shared {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn host_keys(&self) -> MutexGuard<'_, usize> {
        self.host_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn host_key(&self) -> PathBuf {
        self.path(&format!("host_{}", self.host_keys()))
    }

    fn renew_host_key(&self) -> Result<(), String> {
        let kind = ["ed25519", "ecdsa"][*self.host_keys() % 2];
        *self.host_keys() += 1;
        generate_key(kind, &self.host_key())
    }

    /// Options for a connection that writes down in `asked` what it was about.
    fn settings(&self, hook: Hook, asked: &str) -> Vec<String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let settings = [
            format!("HostKey={}", self.host_key().display()),
            format!(
                "AuthorizedKeysFile={}",
                self.path("authorized_keys").display()
            ),
            format!(
                "SetEnv=PATH={path} SANDBOX_HOOK={} SANDBOX_ASKED={} SANDBOX_REPOSITORIES={}",
                hook.as_str(),
                self.path(asked).display(),
                self.world.folder.join("repositories").display()
            ),
            "PasswordAuthentication=no".to_owned(),
            "KbdInteractiveAuthentication=no".to_owned(),
            // The folder is somewhere below /tmp.
            "StrictModes=no".to_owned(),
            "UsePAM=no".to_owned(),
            "PermitUserRC=no".to_owned(),
            "PrintMotd=no".to_owned(),
        ];
        let settings = settings.into_iter().flat_map(|it| ["-o".to_owned(), it]);
        ["-f", "/dev/null"]
            .map(str::to_owned)
            .into_iter()
            .chain(settings)
            .collect()
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for (number, socket) in listener.incoming().flatten().enumerate() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let shared = Arc::clone(self);
            let connection = thread::spawn(move || shared.serve(socket, number));
            self.connections().push(connection);
        }
    }

    fn serve(&self, socket: TcpStream, number: usize) {
        let asked = format!("asked_{number}");
        let hook = self.world.state().quirks.hook;
        let started = self.start(socket, hook, &asked);
        if let Err(error) = started.and_then(|mut sshd| sshd.wait()) {
            let what = format!("no sshd: {error}");
            self.world.journal.note(Source::Git, what);
        }
        // Nothing, when nobody was let in.
        if let Ok(id) = fs::read_to_string(self.path(&asked)) {
            self.look_at(id.trim(), hook);
        }
    }

    fn start(&self, socket: TcpStream, hook: Hook, asked: &str) -> std::io::Result<Child> {
        let socket = OwnedFd::from(socket);
        Command::new(SSHD)
            .args(["-i", "-e"])
            .args(self.settings(hook, asked))
            .stdin(Stdio::from(socket.try_clone()?))
            .stdout(Stdio::from(socket))
            .stderr(Stdio::null())
            .spawn()
    }

    /// What came of a connection for this application.
    fn look_at(&self, id: &str, hook: Hook) {
        let known = {
            let mut state = self.world.state();
            let application = state.application(id);
            application.map(|it| (it.repository, it.commit.clone(), it.spec.name.clone()))
        };
        let Some((repository, before, name)) = known else {
            return;
        };
        if repository == RepositoryState::Creating {
            let what = format!("{name} was approached before its repository was created");
            self.world.complain(Source::Git, what);
        }
        let after = self.world.master(id);
        if let Some(commit) = after.filter(|after| before.as_ref() != Some(after)) {
            if before.is_some() {
                let what = format!("{id} was pushed to again: its machine would run twice");
                self.world.complain(Source::Git, what);
            }
            self.world.pushed(id, &commit, hook != Hook::QueuesNothing);
        }
    }
}

fn generate_key(kind: &str, path: &Path) -> Result<(), String> {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-N", "", "-C", "sandbox", "-f"]);
    git::finish(keygen.arg(path)).map(drop)
}
