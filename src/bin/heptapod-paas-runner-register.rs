use std::process::ExitCode;

fn main() -> ExitCode {
    heptapod_paas_runner::register::main(std::env::args_os().skip(1))
}
