//! The real program as a process: its log, its signals, its end.

use std::env;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::PATIENCE;

/// The program that is tested: the one that was built with the tests, or another one that is to hold
/// the same promises, such as a release.
pub fn program() -> PathBuf {
    let other = env::var_os("HEPTAPOD_PAAS_RUNNER_PROGRAM");
    other.map_or_else(
        || env!("CARGO_BIN_EXE_heptapod-paas-runner").into(),
        PathBuf::from,
    )
}

/// The same under its second name.
pub fn register() -> Command {
    let mut command = Command::new(program());
    command.arg0("heptapod-paas-runner-register");
    command
}

pub struct Service {
    child: Child,
    log: Log,
}

/// What it said so far; its lines are there as soon as they are written.
#[derive(Clone, Default)]
pub struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<(Vec<String>, bool)>,
    grown: Condvar,
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.state.lock().unwrap().0.join("\n"))
    }
}

impl Service {
    pub fn start(arguments: &[String], environment: &[(String, String)]) -> Self {
        Self::start_program(&program(), arguments, environment)
    }

    /// Another program that logs and ends in the same way.
    pub fn start_program(
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("JOURNAL_STREAM")
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::default();
        let (stderr, filled) = (child.stderr.take().unwrap(), log.0.clone());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                filled.state.lock().unwrap().0.push(line);
                filled.grown.notify_all();
            }
            filled.state.lock().unwrap().1 = true;
            filled.grown.notify_all();
        });
        Self { child, log }
    }

    /// It can be read when the program is gone, too.
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// As `kill -9`: the program gets no chance to do anything.
    pub fn kill(mut self) -> String {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        self.whole_log()
    }

    /// Asks it to stop; its exit and its log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        // The end of its log is the end of the process, or a moment before.
        let state = self.log.0.state.lock().unwrap();
        let (state, timeout) = self
            .log
            .0
            .grown
            .wait_timeout_while(state, PATIENCE, |(_, ended)| !*ended)
            .unwrap();
        assert!(!timeout.timed_out(), "it does not end: {:#?}", state.0);
        drop(state);
        (self.child.wait().unwrap(), self.whole_log())
    }

    /// Waits for a line that contains `text`.
    pub fn await_log(&self, text: &str) -> String {
        self.find_log(text, PATIENCE)
            .unwrap_or_else(|| panic!("no line with {text:?} in\n{}", self.whole_log()))
    }

    pub fn find_log(&self, text: &str, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        let mut state = self.log.0.state.lock().unwrap();
        loop {
            if let Some(line) = state.0.iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.1 {
                return None;
            }
            state = self.log.0.grown.wait_timeout(state, left).unwrap().0;
        }
    }

    pub fn whole_log(&self) -> String {
        self.log.to_string()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
