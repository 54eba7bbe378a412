//! The file that remembers the running jobs, of ours or of the Python runner, damaged or made up: it
//! is read or refused, and a refusal has no job's token in it.
//!
//! `tests/fuzz/run state_file`; the recordings of the Python runner are its seeds.

#![no_main]

use fuzz::{files, secrecy};
use heptapod_paas_runner::state::file::StateFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    secrecy::watch_log();
    let text = secrecy::plant(&secrecy::plant(text, "\"token\": \""), "\"token\":\"");
    let path = files::file("state.json", &text);
    match StateFile::read(&path) {
        Ok(state) => secrecy::assert_untold(&format!("{state:?}")),
        Err(refusal) => secrecy::assert_untold(&refusal),
    }
});
