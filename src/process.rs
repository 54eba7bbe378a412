//! Running a program of the system's to its end, or to the end of our patience.
//!
//! The program gets an environment and a process group of its own: a Ctrl-C in our terminal does
//! not reach it, and when its time is over the whole group goes, helpers included. Its output is
//! small by nature; what goes past a limit is read and dropped. What a program is run for, and
//! what its words mean, is for the caller to know.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use crate::foreign::{Keep, one_line};
use crate::secret::Secret;

const OUTPUT_LIMIT: u64 = 64 << 10;
/// So much of what it said is shown.
const SHOWN: usize = 600;
/// What is local takes seconds, even on a busy computer.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two questions whether it is still wanted.
const TICK: Duration = Duration::from_secs(1);
/// Threads that only copy bytes.
const STACK: usize = 64 << 10;

/// A program, and the world that it sees whatever it is run for.
pub struct Tool {
    /// Looked for in `PATH`.
    pub name: &'static str,
    /// The variables of our own environment that it may see.
    pub inherited: &'static [&'static str],
    pub fixed: &'static [(&'static str, &'static str)],
    /// For each of its processes, in bytes.
    pub address_space: Option<u64>,
}

/// What a program is run for, once.
pub struct Task<'a> {
    /// The first says what it does, and stands in errors.
    pub arguments: &'a [&'a str],
    /// More variables. Nothing but these and the tool's own reaches the program.
    pub environment: Vec<(String, OsString)>,
    pub folder: &'a Path,
    /// One piece after the other.
    pub input: Vec<Vec<u8>>,
    /// Taken out of whatever it says.
    pub secrets: &'a [&'a Secret],
    pub timeout: Duration,
    /// Asked now and then whether the result is still of use.
    pub is_wanted: &'a dyn Fn() -> bool,
}

impl<'a> Task<'a> {
    /// It speaks to nobody outside, and is wanted to its end.
    #[must_use]
    pub fn local(arguments: &'a [&'a str], folder: &'a Path) -> Self {
        Self {
            arguments,
            environment: Vec::new(),
            folder,
            input: Vec::new(),
            secrets: &[],
            timeout: LOCAL_TIMEOUT,
            is_wanted: &|| true,
        }
    }
}

/// Why a program did not do its task. As text: what was run, and how it ended, on one line.
#[derive(Debug)]
pub enum ToolError {
    NotInstalled {
        name: &'static str,
    },
    /// It could not be started or spoken to.
    NotRun {
        what: String,
        error: io::Error,
    },
    Failed {
        what: String,
        code: String,
        /// What it wrote to standard output and standard error, without the task's secrets.
        said: String,
    },
    TooLong {
        what: String,
        limit: Duration,
    },
    /// It was not wanted any more.
    GivenUp {
        what: String,
    },
}

impl Error for ToolError {}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled { name } => {
                write!(
                    f,
                    "cannot start {name}: it is not installed, or not in PATH"
                )
            }
            Self::NotRun { what, error } => write!(f, "cannot run {what}: {error}"),
            Self::Failed { what, code, said } => {
                let said = one_line(said, Keep::End(SHOWN));
                write!(f, "{what} ended with {code}: {said}")
            }
            Self::TooLong { what, limit } => {
                write!(f, "{what} took longer than {} s", limit.as_secs())
            }
            Self::GivenUp { what } => write!(f, "{what} was ended: not wanted any more"),
        }
    }
}

/// How a process ended.
enum Ended {
    ByItself(ExitStatus, Vec<u8>),
    TooLong,
    GivenUp,
}

impl Tool {
    /// Runs it to its end. Gives back what it wrote, to standard output and standard error.
    ///
    /// # Errors
    /// [`ToolError`].
    pub fn run(&self, task: Task<'_>) -> Result<String, ToolError> {
        let verb = task.arguments.first().copied().unwrap_or_default();
        let what = format!("{} {verb}", self.name);
        let (secrets, limit) = (task.secrets, task.timeout);
        match self.run_to_its_end(task) {
            Ok(Ended::ByItself(status, output)) => {
                let said = String::from_utf8_lossy(&output).into_owned();
                let said = (secrets.iter()).fold(said, |said, secret| secret.scrub(&said));
                if status.success() {
                    return Ok(said);
                }
                let code = words_for(status);
                Err(ToolError::Failed { what, code, said })
            }
            Ok(Ended::TooLong) => Err(ToolError::TooLong { what, limit }),
            Ok(Ended::GivenUp) => Err(ToolError::GivenUp { what }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ToolError::NotInstalled { name: self.name })
            }
            Err(error) => Err(ToolError::NotRun { what, error }),
        }
    }

    fn command(&self, task: &Task<'_>) -> Command {
        let inherited = self
            .inherited
            .iter()
            .filter_map(|name| Some((name, env::var_os(name)?)));
        let mut command = Command::new(self.name);
        command
            .args(task.arguments)
            .env_clear()
            .envs(inherited)
            .envs(self.fixed.iter().copied())
            .envs(task.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(task.folder)
            .process_group(0);
        command
    }

    fn run_to_its_end(&self, task: Task<'_>) -> io::Result<Ended> {
        let (output, writer) = io::pipe()?;
        let mut command = self.command(&task);
        command
            .stdin(if task.input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn()?;
        if let (Some(limit), Some(pid)) = (self.address_space, pid_of(&child)) {
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
                let mut pieces = task.input.into_iter();
                let _ = pieces.try_for_each(|piece| stdin.write_all(&piece));
            });
            if let Err(error) = writer {
                kill(&mut child);
                return Err(error);
            }
        }
        let until = Instant::now() + task.timeout;
        let early = loop {
            let rest = until.saturating_duration_since(Instant::now());
            match reading.recv_timeout(rest.min(TICK)) {
                Ok(output) => return Ok(Ended::ByItself(child.wait()?, output)),
                Err(_) if rest <= TICK => break Ended::TooLong,
                Err(_) if !(task.is_wanted)() => break Ended::GivenUp,
                Err(_) => {}
            }
        };
        kill(&mut child);
        Ok(early)
    }
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

fn words_for(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Task, Tool, ToolError};
    use crate::secret::Secret;

    const SHELL: Tool = Tool {
        name: "sh",
        inherited: &["PATH"],
        fixed: &[("FIXED", "yes")],
        address_space: None,
    };

    fn shell(script: &str) -> Result<String, ToolError> {
        let arguments = ["-c", script];
        let secrets = [&Secret::new("s3same")];
        SHELL.run(Task {
            environment: vec![("OWN".into(), "s3same".into())],
            secrets: &secrets,
            timeout: Duration::from_secs(if script.contains("sleep") { 0 } else { 60 }),
            ..Task::local(&arguments, Path::new("/"))
        })
    }

    #[test]
    fn a_program_sees_what_it_is_given_and_nothing_else() {
        assert!(std::env::var_os("CARGO").is_some());
        let said = shell("echo $FIXED $OWN ${CARGO-nothing}").unwrap();
        assert_eq!(said, "yes [redacted] nothing\n");
    }

    #[test]
    fn the_end_of_a_program_is_told_in_words_without_secrets() {
        let told = |script: &str| shell(script).unwrap_err().to_string();
        let failed = told("printf '\\033[31mno: %s' $OWN >&2; exit 7");
        assert_eq!(failed, "sh -c ended with exit code 7: [31mno: [redacted]");
        assert_eq!(told("kill -9 $$"), "sh -c ended with signal 9: ");
        assert_eq!(told("sleep 600"), "sh -c took longer than 0 s");
        let missing = Tool {
            name: "no-such-program-anywhere",
            ..SHELL
        };
        let error = missing.run(Task::local(&[], Path::new("/"))).unwrap_err();
        assert!(error.to_string().contains("not in PATH"), "{error}");
    }
}
