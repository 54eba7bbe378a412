use std::process::ExitCode;

/// glibc's allocator keeps a store for every thread, and most of ours wait for hours. The figures are
/// in Cargo.toml.
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    heptapod_paas_runner::cli::main(std::env::args_os())
}
