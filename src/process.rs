//! Running a program of the system's, to its end or to the end of our patience.
//!
//! The program gets an environment and a process group of its own: a Ctrl-C in our terminal does
//! not reach it, and when its time is over the whole group goes, helpers included. One that only
//! has a task is [run](Tool::run); with one that asks and waits for answers there is a
//! [`Conversation`]. What goes past a limit is read and dropped. What a program is run for, and
//! what its words mean, is for the caller to know.

mod conversation;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{bounded, unbounded};

pub use self::conversation::Conversation;
use crate::deadline::Deadline;
use crate::foreign::{Keep, one_line};
use crate::secret::Secret;

const OUTPUT_LIMIT: usize = 64 << 10;
/// So much of what it said is shown.
const SHOWN: usize = 600;
/// What is local takes seconds, even on a busy computer.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read from a pipe at once.
const PIECE: usize = 16 << 10;
/// Threads that only copy bytes.
const STACK: usize = 64 << 10;

/// A program, and the world that it sees whatever it is run for.
pub struct Tool {
    /// Looked for in `PATH`.
    pub name: &'static str,
    /// The variables of our own environment that it may see.
    pub inherited: &'static [&'static str],
    pub fixed: &'static [(&'static str, &'static str)],
}

/// What a program is run for, once.
pub struct Task<'a> {
    /// The first says what it does, and stands in errors.
    pub arguments: &'a [&'a str],
    /// More variables. Nothing but these and the tool's own reaches the program.
    pub environment: Vec<(&'static str, OsString)>,
    pub folder: &'a Path,
    /// What it reads, or reads first: one piece after the other.
    pub input: Vec<Vec<u8>>,
    /// Taken out of whatever it says.
    pub secrets: &'a [&'a Secret],
    pub deadline: Deadline<'a>,
}

impl<'a> Task<'a> {
    /// It takes its time, and is wanted to its end.
    #[must_use]
    pub fn local(arguments: &'a [&'a str], folder: &'a Path) -> Self {
        Self {
            arguments,
            environment: Vec::new(),
            folder,
            input: Vec::new(),
            secrets: &[],
            deadline: Deadline::within(LOCAL_TIMEOUT),
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

/// Where a program's standard error goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Complaints {
    /// Between the lines of its output, in their order.
    WithOutput,
    Apart,
}

impl Tool {
    /// Runs it to its end. Gives back what it wrote, to standard output and standard error.
    ///
    /// # Errors
    /// [`ToolError`].
    pub fn run(&self, task: Task<'_>) -> Result<String, ToolError> {
        let mut running = self.start(task, Complaints::WithOutput)?;
        running.hang_up();
        let mut output = Vec::new();
        while let Some(piece) = running.hear()? {
            keep(&mut output, &piece);
        }
        let said = running.without_secrets(&output);
        let status = running.end()?;
        if status.success() {
            return Ok(said);
        }
        Err(ToolError::Failed {
            what: running.what.clone(),
            code: words_for(status),
            said,
        })
    }

    /// Starts it, to be spoken with. The task's input is what it hears first.
    ///
    /// # Errors
    /// [`ToolError`].
    pub fn converse<'a>(&self, task: Task<'a>) -> Result<Conversation<'a>, ToolError> {
        self.start(task, Complaints::Apart)
    }

    fn start<'a>(
        &self,
        task: Task<'a>,
        complaints: Complaints,
    ) -> Result<Conversation<'a>, ToolError> {
        let verb = task.arguments.first().copied().unwrap_or_default();
        let what = format!("{} {verb}", self.name);
        self.try_start(task, complaints, what.clone())
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ToolError::NotInstalled { name: self.name },
                _ => ToolError::NotRun { what, error },
            })
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

    fn try_start<'a>(
        &self,
        task: Task<'a>,
        complaints: Complaints,
        what: String,
    ) -> io::Result<Conversation<'a>> {
        let mut command = self.command(&task);
        let (output, writer) = io::pipe()?;
        let (errors, error_writer) = match complaints {
            Complaints::WithOutput => (None, writer.try_clone()?),
            Complaints::Apart => {
                let (errors, writer) = io::pipe()?;
                (Some(errors), writer)
            }
        };
        let is_silent = complaints == Complaints::WithOutput && task.input.is_empty();
        command
            .stdin(if is_silent {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(writer)
            .stderr(error_writer);
        let mut child = command.spawn()?;
        // The command holds our copies of the pipes' ends; they end when the child's are gone.
        drop(command);
        let (pieces, heard) = bounded(1);
        let (complaint, complained) = bounded(1);
        let (input, to_say) = unbounded();
        let stdin = child.stdin.take();
        let running = Conversation {
            what,
            child,
            is_over: false,
            input: Some(input),
            heard,
            complained,
            secrets: task.secrets,
            deadline: task.deadline,
        };
        copying(move || read(output, |piece| pieces.send(piece).is_ok()))?;
        if let Some(errors) = errors {
            copying(move || {
                let mut kept = Vec::new();
                read(errors, |piece| {
                    keep(&mut kept, &piece);
                    true
                });
                let _ = complaint.send(kept);
            })?;
        }
        if let Some(mut stdin) = stdin {
            task.input.into_iter().for_each(|piece| running.say(piece));
            // A program that does not read it all says why in its output, or runs out of time.
            copying(move || {
                let _ = to_say
                    .into_iter()
                    .try_for_each(|piece: Vec<u8>| stdin.write_all(&piece));
            })?;
        }
        Ok(running)
    }
}

fn copying(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().stack_size(STACK);
    thread.spawn(work).map(drop)
}

/// Hands on what comes, piece by piece, until the end or until nobody takes it.
fn read(mut from: impl Read, mut hand_on: impl FnMut(Vec<u8>) -> bool) {
    loop {
        let mut piece = vec![0; PIECE];
        match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                piece.truncate(count);
                if !hand_on(piece) {
                    return;
                }
            }
        }
    }
}

fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    let room = OUTPUT_LIMIT.saturating_sub(kept.len());
    kept.extend(piece.iter().take(room));
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
    use crate::deadline::Deadline;
    use crate::secret::Secret;

    const SHELL: Tool = Tool {
        name: "sh",
        inherited: &["PATH"],
        fixed: &[("FIXED", "yes")],
    };

    fn shell(script: &str) -> Result<String, ToolError> {
        let arguments = ["-c", script];
        let secrets = [&Secret::new("s3same")];
        SHELL.run(Task {
            environment: vec![("OWN", "s3same".into())],
            secrets: &secrets,
            deadline: Deadline::within(Duration::from_secs(if script.contains("sleep") {
                0
            } else {
                60
            })),
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

    #[test]
    fn a_conversation_goes_to_and_fro_and_its_complaints_are_apart() {
        let script = "read a; echo \"$a?\"; read b; echo \"$b!\"; echo s3same >&2; cat";
        let arguments = ["-c", script];
        let secrets = [&Secret::new("s3same")];
        let mut shell = SHELL
            .converse(Task {
                input: vec![b"so\n".to_vec()],
                secrets: &secrets,
                ..Task::local(&arguments, Path::new("/"))
            })
            .unwrap();
        assert_eq!(shell.hear().unwrap().unwrap(), b"so?\n");
        shell.say(b"yes\n".to_vec());
        assert_eq!(shell.hear().unwrap().unwrap(), b"yes!\n");
        shell.hang_up();
        assert_eq!(shell.hear().unwrap(), None);
        assert_eq!(shell.complaints().unwrap(), "[redacted]");
    }

    #[test]
    fn a_conversation_that_is_left_ends_the_program_and_its_children() {
        let script = "sleep 600 & echo $!; wait";
        let arguments = ["-c", script];
        let task = Task {
            deadline: Deadline::new(Duration::from_secs(60), &|| false),
            ..Task::local(&arguments, Path::new("/"))
        };
        let mut shell = SHELL.converse(task).unwrap();
        let child = String::from_utf8(shell.hear().unwrap().unwrap()).unwrap();
        assert!(matches!(shell.hear(), Err(ToolError::GivenUp { .. })));
        drop(shell);
        // An orphan's new parent may need a moment to bury it.
        let status = format!("/proc/{}/stat", child.trim());
        let is_gone = || match std::fs::read_to_string(&status) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        while !is_gone() {
            std::thread::yield_now();
        }
    }
}
