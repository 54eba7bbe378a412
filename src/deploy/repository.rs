//! A bare repository that holds one commit: the job.
//!
//! It is written by hand, which saves two processes of every launch, and which makes it SHA-1
//! whatever the system's git would choose. `git fast-import` makes the commit.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::BuildContext;
use super::git::{GIT, task};
use super::scratch::Folder;
use crate::deadline::Deadline;
use crate::process::ToolError;

/// The only branch that Clever Cloud deploys.
pub const BRANCH: &str = "refs/heads/master";
const AUTHOR: &str = "Heptapod Paas Runner <paasrunner@heptapod.test>";
const MESSAGE: &str = "Job definition\n";

/// All that git is told, which is read by every version; variables for this came late.
const CONFIG: &str = "\
[core]
	repositoryformatversion = 0
	bare = true
	# It is gone in a second, and would be made anew after a crash.
	fsync = none
[fastimport]
	# Else three files are unpacked, by another process, and packed again for the push.
	unpackLimit = 0
[pack]
	threads = 1
";

pub struct Repository(Folder);

impl Repository {
    /// An empty one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn create(folder: Folder) -> io::Result<Self> {
        let path = folder.path();
        fs::create_dir_all(path.join("refs/heads"))?;
        fs::create_dir(path.join("objects"))?;
        fs::write(path.join("HEAD"), format!("ref: {BRANCH}\n"))?;
        fs::write(path.join("config"), CONFIG)?;
        Ok(Self(folder))
    }

    /// Makes `context` the only commit of the branch.
    ///
    /// # Errors
    /// [`ToolError`].
    pub fn commit(&self, context: BuildContext, deadline: Deadline<'_>) -> Result<(), ToolError> {
        let mut import = task(self.path(), &["fast-import", "--quiet"], deadline);
        import.input = commit_stream(context);
        GIT.run(import).map(drop)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The input of `git fast-import` for one commit with the context's files.
fn commit_stream(context: BuildContext) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let commit = format!(
        "commit {BRANCH}\nauthor {AUTHOR} {now} +0000\ncommitter {AUTHOR} {now} +0000\ndata {}\n{MESSAGE}",
        MESSAGE.len()
    );
    let mut stream = vec![commit.into_bytes()];
    for (name, content) in context.into_files() {
        let file = format!("M 100644 inline {name}\ndata {}\n", content.len());
        stream.extend([file.into_bytes(), content, b"\n".to_vec()]);
    }
    stream.push(b"done\n".to_vec());
    stream
}
