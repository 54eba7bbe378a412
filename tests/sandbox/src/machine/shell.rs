//! Running a script in a process group of its own, and ending all of it.
//!
//! A real job runs in a container: when its first process ends, or the container is stopped, every
//! other process in it ends, too. The process group stands for the container.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

/// Whoever left the process group may hold the output open; nobody waits for it longer than this.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

pub(super) struct Shell {
    group: u32,
    /// Both streams, as it comes; disconnected at its end.
    pub output: Receiver<Vec<u8>>,
    /// The exit code, once.
    pub exit: Receiver<i32>,
}

impl Shell {
    /// Runs the script at `path` in `folder`, with these variables and no others.
    pub fn start(
        path: &Path,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut child = Command::new("sh")
            .arg(path)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", folder)
            .envs(variables)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        let group = child.id();
        let (sender, output) = unbounded();
        thread::spawn(move || copy(reader, &sender));
        let (sender, exit) = bounded(1);
        thread::spawn(move || sender.send(wait(&mut child)));
        Ok(Self {
            group,
            output,
            exit,
        })
    }

    pub fn kill(&self) {
        kill_group(self.group);
    }

    /// What was written last, after the end of the script.
    pub fn last_output(&self) -> Vec<u8> {
        let mut last = Vec::new();
        while let Ok(bytes) = self.output.recv_timeout(LAST_OUTPUT) {
            last.extend(bytes);
        }
        last
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.exit.try_recv() == Err(TryRecvError::Empty) {
            self.kill();
            let _ = self.exit.recv();
        }
    }
}

fn copy(mut reader: impl Read, sender: &Sender<Vec<u8>>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
        if sender.send(buffer[..bytes].to_vec()).is_err() {
            return;
        }
    }
}

/// As a container runtime reports it: 128 and the signal's number for a killed process.
fn wait(child: &mut Child) -> i32 {
    let code = |status: ExitStatus| {
        let killed = || status.signal().map_or(1, |signal| 128 + signal);
        status.code().unwrap_or_else(killed)
    };
    let code = child.wait().map_or(1, code);
    kill_group(child.id());
    code
}

/// A signal to a group takes a system call that the standard library does not offer; every shell
/// does.
fn kill_group(group: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
