//! Running another program to its end, or to the end of our patience.
//!
//! The program gets an environment and a process group of its own: a Ctrl-C in our terminal does
//! not reach it, and when its time is over the whole group goes, helpers included. Its output is
//! small by nature; what goes past a limit is read and dropped.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

const OUTPUT_LIMIT: u64 = 64 << 10;
/// Between two questions whether it is still wanted.
const TICK: Duration = Duration::from_secs(1);
/// Threads that only copy bytes.
const STACK: usize = 64 << 10;

pub struct Run<'a> {
    pub program: &'a str,
    pub arguments: &'a [&'a str],
    /// All of it: nothing is inherited.
    pub environment: &'a [(OsString, OsString)],
    pub folder: &'a Path,
    /// One piece after the other.
    pub input: Vec<Vec<u8>>,
    pub timeout: Duration,
    /// For each of its processes, in bytes.
    pub address_space: Option<u64>,
    /// Asked now and then whether the result is still of use.
    pub is_wanted: &'a dyn Fn() -> bool,
}

/// How a program ended. `output` is what it wrote to standard output and standard error.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Success(String),
    Failure {
        code: String,
        output: String,
    },
    TimedOut,
    /// It was not wanted any more.
    GivenUp,
}

/// # Errors
/// When the program can't be started or spoken to.
pub fn run(run: Run<'_>) -> io::Result<Ended> {
    let (output, writer) = io::pipe()?;
    let mut command = Command::new(run.program);
    command
        .args(run.arguments)
        .env_clear()
        .envs(run.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(run.folder)
        .stdin(if run.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let mut child = command.spawn()?;
    if let (Some(limit), Some(pid)) = (run.address_space, pid_of(&child)) {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        // What it starts later inherits it.
        let _ = prlimit(Some(pid), Resource::As, limit);
    }
    // The command holds our copies of the pipe's end; the output ends when the child's are gone.
    drop(command);
    let (finished, reading) = bounded(1);
    let reader = thread::Builder::new().stack_size(STACK).spawn(move || {
        let _ = finished.send(read_bounded(output));
    });
    if let Err(error) = reader {
        kill(&mut child);
        return Err(error);
    }
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read it all says why in its output, or runs out of time.
        let writer = thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut pieces = run.input.into_iter();
            let _ = pieces.try_for_each(|piece| stdin.write_all(&piece));
        });
        if let Err(error) = writer {
            kill(&mut child);
            return Err(error);
        }
    }
    let until = Instant::now() + run.timeout;
    let early = loop {
        let rest = until.saturating_duration_since(Instant::now());
        match reading.recv_timeout(rest.min(TICK)) {
            Ok(output) => return Ok(ended(child.wait()?, &output)),
            Err(_) if rest <= TICK => break Ended::TimedOut,
            Err(_) if !(run.is_wanted)() => break Ended::GivenUp,
            Err(_) => {}
        }
    };
    kill(&mut child);
    Ok(early)
}

fn read_bounded(mut output: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = output.by_ref().take(OUTPUT_LIMIT).read_to_end(&mut kept);
    let _ = io::copy(&mut output, &mut io::sink());
    kept
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn kill(child: &mut Child) {
    if let Some(group) = pid_of(child) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn ended(status: ExitStatus, output: &[u8]) -> Ended {
    let output = String::from_utf8_lossy(output).into_owned();
    if status.success() {
        return Ended::Success(output);
    }
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    Ended::Failure { code, output }
}
