use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;

/// The C library's allocator keeps a store for every thread, and most of ours wait for hours.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    heptapod_paas_runner::cli::main(std::env::args_os().skip(1))
}
