//! Stands in a build's folder for the link that an installation has: there is one program, and this is
//! its second name.
//!
//! It uses nothing of the library, so that it costs a build nothing.

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

const PROGRAM: &str = "heptapod-paas-runner";

fn main() -> ExitCode {
    let beside = |path: std::path::PathBuf| path.with_file_name(PROGRAM);
    let program = env::current_exe().map_or_else(|_| PROGRAM.into(), beside);
    // It returns only when it fails.
    let error = Command::new(&program)
        .arg0(env!("CARGO_BIN_NAME"))
        .args(env::args_os().skip(1))
        .exec();
    let _ = writeln!(
        io::stderr(),
        "cannot start {}: {error}; build it, too",
        program.display()
    );
    ExitCode::FAILURE
}
