//! The file that remembers the running jobs, of ours or of the Python runner, damaged or made up: it
//! is read or refused, and a refusal has no job's token in it. It goes in where an operator asks for
//! machines without a job, which is all that reads the file and does nothing else.
//!
//! `tests/fuzz/run state_file`; the recordings of the Python runner are its seeds.

#![no_main]

use std::path::PathBuf;
use std::time::Duration;

use fuzz::{files, secrecy};
use heptapod_paas_runner::config::{Config, QuotaSettings};
use heptapod_paas_runner::dispatcher;
use heptapod_paas_runner::logger::Format;
use libfuzzer_sys::fuzz_target;
use log::LevelFilter;

fuzz_target!(|text: &[u8]| {
    secrecy::watch_log();
    let text = secrecy::plant(&secrecy::plant(text, "\"token\": \""), "\"token\":\"");
    let path = files::file("state.json", &text);
    match dispatcher::orphans(configuration(path), false) {
        Ok(report) => assert_eq!(report, "no machine without a job\n"),
        Err(refusal) => secrecy::assert_untold(&refusal.to_string()),
    }
});

/// Without runners nobody is asked for machines.
fn configuration(state_file: PathBuf) -> Config {
    Config {
        concurrent: 1,
        check_interval: Duration::ZERO,
        progress_interval: Duration::ZERO,
        limit_interval: Duration::ZERO,
        quota: QuotaSettings {
            reference_runner: String::new(),
            reference_flavor: String::new(),
            reference_jobs_count: 1,
            allowed_fraction_per_runner: 1.0,
        },
        state_file,
        max_launching: 1,
        launch_spacing: Duration::ZERO,
        repoll_immediately: false,
        keep_finished: false,
        decommission_launch_failures: true,
        log_statistics: false,
        max_machine_age: Duration::ZERO,
        log_level: LevelFilter::Off,
        log_format: Format::Text,
        runners: Vec::new(),
        warnings: Vec::new(),
    }
}
