//! The real program: finding its binary or having it built, running it, and making sure that it
//! ends with the demo, however that ends.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

const NAME: &str = "heptapod-paas-runner";
/// A stop takes seconds, unless something is under way that must not be cut.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// The demo is over, one way or the other: somebody waits for their prompt.
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
    /// # Errors
    /// In words, when it can't be started.
    pub fn start(
        binary: &Path,
        configuration: &Path,
        search_path: &OsString,
        log: PathBuf,
    ) -> Result<Self, String> {
        let start = || -> io::Result<Child> {
            let output = File::create(&log)?;
            let mut command = Command::new(binary);
            for proxy in PROXIES {
                command.env_remove(proxy);
            }
            command
                .arg(configuration)
                .env("PATH", search_path)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()
        };
        let child = start().map_err(|error| format!("cannot start {}: {error}", shown(binary)))?;
        Ok(Self { child, log })
    }

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

    /// What it complained about.
    pub fn warnings(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let is_loud = |line: &&str| !line.contains(" INFO ") && !line.contains(" DEBUG ");
        log.lines().filter(is_loud).map(str::to_owned).collect()
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

/// The binary beside this example. Cargo builds no binaries for an example: when it is missing, or
/// older than its sources, it is built first, and `announce` hears of it.
///
/// # Errors
/// In words, when there is none in the end.
pub fn find_or_build(announce: impl Fn(&str)) -> Result<PathBuf, String> {
    let example = env::current_exe().map_err(|error| format!("where is this demo? {error}"))?;
    let profile = example.parent().and_then(Path::parent);
    let profile = profile.ok_or("this demo is not in a folder that cargo made")?;
    let binary = profile.join(NAME);
    if is_fresh(&binary) {
        return Ok(binary);
    }
    let arguments = build_arguments(profile)?;
    announce("Building the program first.");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(&arguments)
        .arg("--quiet")
        .arg("--manifest-path")
        .arg(source_folder().join("Cargo.toml"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the program was not built:\n{}", said.trim_end()));
    }
    if binary.is_file() {
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
    // Cargo marks its target folder; with `--target` there is a folder between.
    if !target_folder.join("CACHEDIR.TAG").is_file() {
        let triple = name(target_folder).ok_or_else(unclear)?;
        arguments.extend(["--target".to_owned(), triple]);
        target_folder = target_folder.parent().ok_or_else(unclear)?;
    }
    arguments.extend(["--target-dir".to_owned(), shown(target_folder)]);
    Ok(arguments)
}

fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|it| it.modified());
    let Ok(built) = modified(binary) else {
        return false;
    };
    let sources = source_folder();
    let newest = newest(&sources.join("src")).max(modified(&sources.join("Cargo.toml")).ok());
    newest.is_none_or(|newest| newest <= built)
}

/// When anything in a folder was last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let times = entries.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() {
            newest(&entry.path())
        } else {
            metadata.modified().ok()
        }
    });
    times.max()
}

fn source_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
