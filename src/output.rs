//! What is said on standard output and standard error, where saying it may fail.
//!
//! The macros of the standard library panic when an output is closed or full. A reader that has
//! read enough (`--print-config | head`) is a normal end; a full disk is told and is an exit code.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::foreign::plain_lines;

/// Prints what was asked for, all of it, on standard output; the exit code says whether it got
/// there.
#[must_use]
pub fn print(text: &str) -> ExitCode {
    show(&plain_lines(text)).err().unwrap_or(ExitCode::SUCCESS)
}

/// The same as it is: what is foreign in it was made plain, and the rest may speak to a terminal.
///
/// # Errors
/// The exit code, when nothing more can be shown: nobody reads it, or it could not be written.
pub fn show(text: &str) -> Result<(), ExitCode> {
    let mut out = io::stdout().lock();
    // The buffer would be written at the end of the process, where a failure is not heard of.
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ExitCode::SUCCESS),
        Err(error) => {
            complain(format_args!("cannot write to standard output: {error}"));
            Err(ExitCode::FAILURE)
        }
    }
}

/// A line on standard error. Where it can't be written the exit code has to do.
pub fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", plain_lines(&text.to_string()));
}
