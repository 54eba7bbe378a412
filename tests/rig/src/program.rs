//! The real program: having it built, running it, and making sure that it ends with whoever started
//! it, however that ends.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::belief::Environment;
use crate::show;

const NAME: &str = "heptapod-paas-runner";
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
const TARGET: &str = env!("TARGET");
/// A stop takes seconds, unless something is under way that must not be cut.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// It is all over, one way or the other: somebody waits for their prompt.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);
/// The sandbox is on loopback, where no proxy leads.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// A running process; it is gone when this is dropped.
pub struct Program {
    child: Child,
    /// What it wrote.
    log: PathBuf,
}

impl Program {
    /// Its configuration and its log are files in `folder`; `environment` is what it sees besides ours.
    ///
    /// # Errors
    /// In words, when it can't be started.
    pub fn start(
        binary: &Path,
        configuration: &str,
        environment: Environment,
        folder: &Path,
    ) -> Result<Self, String> {
        let log = folder.join("program.log");
        let start = || -> io::Result<Child> {
            let path = folder.join("paas-runner.toml");
            fs::write(&path, configuration)?;
            let output = File::create(&log)?;
            let mut command = Command::new(binary);
            for proxy in PROXIES {
                command.env_remove(proxy);
            }
            command
                .arg(path)
                .envs(environment)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()
        };
        let child = start().map_err(|error| format!("cannot start {}: {error}", shown(binary)))?;
        Ok(Self { child, log })
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// When it has ended, with how.
    pub fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the program ended by itself: {status}")),
            Err(error) => Err(format!("the program can't be watched: {error}")),
        }
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not end, or does not end well.
    pub fn stop(mut self) -> Result<(), String> {
        match self.terminate(STOP_PATIENCE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("the program's end after SIGTERM: {status}")),
            None => Err(format!(
                "the program did not end within {STOP_PATIENCE:.0?} after SIGTERM"
            )),
        }
    }

    /// Shows what it said when something went wrong.
    pub fn show_warnings(&self) {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let is_loud = |line: &&str| !line.contains(" INFO ") && !line.contains(" DEBUG ");
        let mut warnings = log.lines().filter(is_loud).take(40).peekable();
        if warnings.peek().is_some() {
            show::print("\nThe program's own warnings:");
        }
        for line in warnings {
            show::print(&format!("  {line}"));
        }
    }

    fn terminate(&mut self, patience: Duration) -> Option<ExitStatus> {
        if let Ok(None) = self.child.try_wait() {
            // The child was not waited for, so its id is still its own.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let until = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.terminate(SHORT_PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Which program is built.
#[derive(Clone, Copy)]
pub enum Build {
    /// As it is shipped.
    Alone,
    /// Out of the same pieces as this example, which are compiled already: a few features of its
    /// dependencies more, and minutes less to wait.
    With(&'static str),
}

/// Has the program built, with the profile and for the target that this example was built with:
/// cargo builds no binaries for an example. Where it is up to date, that is a line of cargo's.
///
/// # Errors
/// In words, when there is no program in the end.
pub fn build(build: Build) -> Result<PathBuf, String> {
    let example = env::current_exe().map_err(|error| format!("where is this example? {error}"))?;
    let profile = example.parent().and_then(Path::parent);
    let profile = profile.ok_or("this example is not in a folder that cargo made")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What `cargo run` says of this package would look to build scripts like another world, and
    // they would run anew each time.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let status = command
        .args(build_arguments(profile)?)
        .args(match build {
            Build::Alone => Vec::new(),
            Build::With(example) => vec!["--example", example],
        })
        .args(["--manifest-path", MANIFEST])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    let binary = profile.join(NAME);
    if status.success() && binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("cargo built no {}", shown(&binary)))
    }
}

/// For the profile and the target folder that this example was built with.
fn build_arguments(profile_folder: &Path) -> Result<Vec<String>, String> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let unclear = || format!("{} is no folder that cargo made", shown(profile_folder));
    let mut arguments = vec!["build".to_owned(), "--bin".to_owned(), NAME.to_owned()];
    match name(profile_folder).ok_or_else(unclear)?.as_str() {
        "debug" => {}
        "release" => arguments.push("--release".to_owned()),
        profile => arguments.extend(["--profile".to_owned(), profile.to_owned()]),
    }
    let mut target_folder = profile_folder.parent().ok_or_else(unclear)?;
    // With `--target` there is a folder of that name between.
    if name(target_folder).is_some_and(|name| name == TARGET) {
        arguments.extend(["--target".to_owned(), TARGET.to_owned()]);
        target_folder = target_folder.parent().ok_or_else(unclear)?;
    }
    arguments.extend(["--target-dir".to_owned(), shown(target_folder)]);
    Ok(arguments)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
