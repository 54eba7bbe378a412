//! Files that are written and read thousands of times a second; `tests/fuzz/run` keeps them in memory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for files of this process");
    folder
});

/// Where this process's files are. A fuzzer ends without a word, so that they are left behind for
/// whoever started it.
#[must_use]
pub fn folder() -> &'static Path {
    &FOLDER
}

/// Writes a file of this process's own, and says where it is.
///
/// # Panics
/// When it can't be written.
#[must_use]
pub fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    fs::write(&path, content).expect("the file can be written");
    path
}
