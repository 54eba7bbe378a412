//! A copy of the visitor's repository, which stands for the checkout that a job would get.
//!
//! What is copied is what the visitor's own version control knows or could be told of: its files as
//! they are now, without what it ignores and without its history. The repository itself is only read.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::Variable;
use tempfile::TempDir;

use crate::pipeline::Plan;

/// How a system tells where a repository begins, and which files are in it.
struct System {
    program: &'static str,
    root: &'static [&'static str],
    files: &'static [&'static str],
}

const SYSTEMS: [System; 2] = [
    System {
        program: "git",
        root: &["rev-parse", "--show-toplevel"],
        files: &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    },
    System {
        program: "hg",
        root: &["root"],
        // Modified, added, clean and unknown.
        files: &["status", "-0", "--no-status", "-macu"],
    },
];
const VARIABLE: &str = "DEMO_REPOSITORY";

/// The copy is gone when this is dropped.
pub struct Source {
    folder: TempDir,
    root: PathBuf,
    files: usize,
}

impl Source {
    /// None: the file is in no repository.
    ///
    /// # Errors
    /// In words, when something can't be copied.
    pub fn around(file: &Path) -> Result<Option<Self>, String> {
        let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let found = SYSTEMS.iter().find_map(|system| {
            let root = output(system.program, system.root, parent)?;
            let root = root.strip_suffix(b"\n").unwrap_or(&root);
            let root = PathBuf::from(OsStr::from_bytes(root));
            let files = output(system.program, system.files, &root)?;
            Some((root, files))
        });
        let Some((root, list)) = found else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new()
            .prefix("demo-repository-")
            .tempdir();
        let folder = folder.map_err(|error| format!("cannot make a folder: {error}"))?;
        let mut files = 0;
        for name in list
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
        {
            let name = Path::new(OsStr::from_bytes(name));
            let copied = copy(&root.join(name), &folder.path().join(name));
            let copied =
                copied.map_err(|why| format!("cannot copy {}: {why}", root.join(name).display()));
            files += usize::from(copied?);
        }
        Ok(Some(Self {
            folder,
            root,
            files,
        }))
    }

    /// What a visitor should know of it.
    pub fn describe(&self) -> String {
        format!(
            "in a copy of {} ({} files)",
            self.root.display(),
            self.files
        )
    }

    /// Has the job's script begin with a checkout.
    pub fn check_out_for(&self, plan: &mut Plan) {
        let folder = self.folder.path().display().to_string();
        plan.spec.variables.push(Variable::raw(VARIABLE, folder));
        let line = format!("cp -R \"${VARIABLE}/.\" .  # for a checkout");
        plan.spec.before_script.insert(0, line);
    }
}

/// None: there is no such program, or no such repository.
fn output(program: &str, arguments: &[&str], folder: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// False: there is no file of this name, or it is a repository of its own.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    let kind = match fs::symlink_metadata(from) {
        Ok(it) => it.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !kind.is_file() && !kind.is_symlink() {
        return Ok(false);
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else {
        fs::copy(from, to)?;
    }
    Ok(true)
}
