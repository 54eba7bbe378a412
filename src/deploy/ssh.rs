//! A git remote as it is over ssh: the system's `ssh` carries what `git send-pack` says.
//!
//! `ssh` is started by us and not by git, which would have a shell do it. It sees nothing of the
//! user's or the system's configuration, keys and agents, and forwards nothing.
//!
//! Who answers is told by its host key. The first one is believed and kept in a file of our own, as
//! there is nobody who could be asked; from then on only that one is, of whatever type another may
//! be. A changed key is for a person to judge: it is no trouble that passes.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::iter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ureq::http::Uri;

use super::pkt_line::{Packet, Reader};
use super::remote::PushError;
use crate::deadline::Deadline;
use crate::process::{Conversation, Task, Tool};
use crate::whole_file::MODE;

/// A list of branches, or what became of them, is short.
const ANSWER_LIMIT: usize = 1 << 20;

pub const SSH: Tool = Tool {
    name: "ssh",
    // Where programs are. No agent, no askpass, no display.
    inherited: &["PATH", "LD_LIBRARY_PATH"],
    fixed: &[("LC_ALL", "C")],
};

/// No configuration, no terminal, no agent, no display.
const FLAGS: [&str; 5] = ["-F", "/dev/null", "-T", "-a", "-x"];
/// Where the default is another one. Forwarding, shared connections and the like are off anyway.
const SETTINGS: [&str; 11] = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "ClearAllForwardings=yes",
    "GlobalKnownHostsFile=/dev/null",
    // We read the file, too.
    "HashKnownHosts=no",
    // What is pinned is the name's key, and no other one is learnt on the way.
    "CheckHostIP=no",
    "UpdateHostKeys=no",
    // Within the time of a push there is no second try.
    "ConnectTimeout=30",
    // Of a remote that is not there any more.
    "ServerAliveInterval=15",
];

/// Where to push to. It can't be mistaken for an option or for shell syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    user: String,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// Out of `git+ssh://git@host/app_1.git`; none, for anything else.
    #[must_use]
    pub fn read(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        if !matches!(uri.scheme_str()?, "ssh" | "git+ssh") || url.contains(['?', '#']) {
            return None;
        }
        let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
        let is_plain = |text: &str, more: &[u8]| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain)
        };
        let host = uri.host()?.trim_matches(['[', ']']);
        let is_safe = is_plain(user, b"_-") && is_plain(host, b".-:");
        (is_safe && is_plain(uri.path(), b"/_.-")).then(|| Self {
            user: user.to_owned(),
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(22),
            path: uri.path().to_owned(),
        })
    }

    /// As `known_hosts` spells it.
    fn pinned_name(&self) -> String {
        let Self { host, port, .. } = self;
        if *port == 22 {
            host.clone()
        } else {
            format!("[{host}]:{port}")
        }
    }
}

/// A remote, with the key for it and the file in which its own key is pinned.
pub struct SshRemote<'a> {
    pub address: Address,
    /// Of a private key without a passphrase.
    pub key: &'a Path,
    pub known_hosts: &'a Path,
}

/// A remote that listens.
pub struct Connection<'a> {
    remote: &'a SshRemote<'a>,
    ssh: Conversation<'a>,
}

impl SshRemote<'_> {
    /// Does something with what there is and what the remote can do, as `git send-pack` wants to
    /// hear it, and with the connection on which it was said. That ends with it.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn connected<T>(
        &self,
        deadline: Deadline<'_>,
        act: impl FnOnce(Vec<u8>, Connection<'_>) -> Result<T, PushError>,
    ) -> Result<T, PushError> {
        let Address {
            user,
            host,
            port,
            path,
        } = &self.address;
        let destination = format!("{user}@{host}");
        let key = format!("IdentityFile={}", quoted(self.key));
        let known = format!("UserKnownHostsFile={}", quoted(self.known_hosts));
        let pinned = self.is_pinned().map_err(|error| {
            let file = self.known_hosts.display();
            PushError::trouble(format!("cannot keep host keys in {file}: {error}"))
        })?;
        let checking = if pinned { "yes" } else { "accept-new" };
        let checking = format!("StrictHostKeyChecking={checking}");
        let port = port.to_string();
        let command = format!("git-receive-pack '{path}'");
        let settings = SETTINGS
            .into_iter()
            .chain([key.as_str(), &known, &checking]);
        // The first argument stands in errors; ssh reads options behind the destination as well.
        let arguments: Vec<_> = iter::once(destination.as_str())
            .chain(FLAGS)
            .chain(settings.flat_map(|setting| ["-o", setting]))
            .chain(["-p", &port, "--", &command])
            .collect();
        // A conversation has a standard input only if it begins with something.
        let ssh = SSH.converse(Task {
            input: vec![Vec::new()],
            deadline,
            ..Task::local(&arguments, Path::new("/"))
        })?;
        let mut connection = Connection { remote: self, ssh };
        let advertisement = connection.advertisement()?;
        act(advertisement, connection)
    }

    /// Once there is a key of any type, no other one is believed. Where the file can't be kept, none
    /// is: every contact would be the first.
    fn is_pinned(&self) -> io::Result<bool> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(MODE)
            .open(self.known_hosts)?;
        let mut known = String::new();
        file.read_to_string(&mut known)?;
        let name = self.address.pinned_name();
        let mut hosts = known.lines().filter_map(|line| line.split(' ').next());
        Ok(hosts.any(|hosts| hosts.split(',').any(|host| host == name)))
    }

    /// What it means that ssh ended with these words.
    fn judge(&self, said: &str) -> PushError {
        let name = self.address.pinned_name();
        let may_pass = |text: String, may_pass: bool| PushError {
            may_pass,
            ..PushError::trouble(text)
        };
        if said.contains("Host key verification failed") {
            let file = self.known_hosts.display();
            return may_pass(
                format!(
                    "the git remote {name} has another host key than at the first contact, so \
                     nothing is sent there: somebody may be in between. If Clever Cloud says that \
                     its key is a new one, remove the lines that begin with {name} from {file}, \
                     and the next push keeps the new key ({said})"
                ),
                false,
            );
        }
        if said.contains("Permission denied (") {
            let key = self.key.display();
            return may_pass(
                format!(
                    "the git remote {name} refuses the key {key} (cc_ssh_key): its public half must \
                     be among the SSH keys of a user of the organization at Clever Cloud, and it \
                     must have no passphrase ({said})"
                ),
                false,
            );
        }
        may_pass(format!("the git remote {name} by ssh: {said}"), true)
    }
}

impl Connection<'_> {
    fn advertisement(&mut self) -> Result<Vec<u8>, PushError> {
        let mut packets = Reader::default();
        let mut said = Vec::new();
        loop {
            match packets.take() {
                Ok(Some(Packet::Flush)) => break,
                Ok(Some(Packet::Data(_))) => {}
                Ok(None) => match self.ssh.hear()? {
                    Some(piece) if said.len() <= ANSWER_LIMIT => {
                        packets.feed(&piece);
                        said.extend(piece);
                    }
                    Some(_) => return Err(self.remote.judge("it says too much")),
                    None => return Err(self.ended()),
                },
                Err(_) => return Err(self.remote.judge("what it says is not of a git remote")),
            }
        }
        said.truncate(said.len() - packets.into_rest().len());
        Ok(said)
    }

    /// Sends what `git send-pack` made; gives back what it wants to hear.
    ///
    /// # Errors
    /// [`PushError`]: it may have been done all the same.
    pub fn receive(mut self, pack: Vec<u8>) -> Result<Vec<u8>, PushError> {
        self.ssh.say(pack);
        self.ssh.hang_up();
        let mut answer = Vec::new();
        while let Some(piece) = self.ssh.hear()? {
            let room = ANSWER_LIMIT.saturating_sub(answer.len());
            answer.extend(piece.into_iter().take(room));
        }
        if answer.is_empty() {
            return Err(self.ended());
        }
        Ok(answer)
    }

    /// Without an answer.
    fn ended(&mut self) -> PushError {
        match self.ssh.complaints() {
            Ok(said) if said.is_empty() => self.remote.judge("the connection ended"),
            Ok(said) => self.remote.judge(&said),
            Err(error) => error.into(),
        }
    }
}

/// A path as the value of an ssh option: one word, in which `%` is no placeholder.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Address, SshRemote};

    #[test]
    fn an_address_that_could_mean_something_else_is_none() {
        let read = |url: &str| Address::read(url).map(|address| address.pinned_name());
        for (url, name) in [
            ("git+ssh://git@push.example/app_1.git", "push.example"),
            ("ssh://git@Push.example:22/app_1.git", "push.example"),
            ("git+ssh://git@127.0.0.1:2022/app_1.git", "[127.0.0.1]:2022"),
            ("ssh://git@[::1]:2022/app_1.git", "[::1]:2022"),
        ] {
            assert_eq!(read(url).as_deref(), Some(name), "{url}");
        }
        for url in [
            "https://git@push.example/app_1.git",
            "ssh://push.example/app_1.git",
            "ssh://-oProxyCommand=x@push.example/app_1.git",
            "ssh://git@-oProxyCommand=x/app_1.git",
            "ssh://git:word@push.example/app_1.git",
            "ssh://git@push.example/app_1.git'; evil '",
            "ssh://git@push.example/$(evil)",
            "ssh://git@push.example/app_1.git?x",
            "ssh://a@b@push.example/app_1.git",
            "git@push.example:app_1.git",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn a_host_is_pinned_once_it_has_a_key_of_any_type() {
        let folder = tempfile::tempdir().unwrap();
        let known_hosts = folder.path().join("known");
        let remote = |url: &str| SshRemote {
            address: Address::read(url).unwrap(),
            key: Path::new("/key"),
            known_hosts: &known_hosts,
        };
        let (here, there) = ("ssh://git@a.example/x", "ssh://git@a.example:2022/x");
        assert!(!remote(here).is_pinned().unwrap());
        fs::write(
            &known_hosts,
            "b.example ssh-rsa A\n[a.example]:2022 ssh-rsa A\n",
        )
        .unwrap();
        assert!(!remote(here).is_pinned().unwrap() && remote(there).is_pinned().unwrap());
    }
}
