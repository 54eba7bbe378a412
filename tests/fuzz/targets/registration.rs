//! A configuration to which a runner is to be added: nothing of what an operator wrote in it is lost
//! or changed, whatever shape it has, and a coordinator is never asked before it is sure that its
//! runner can be written down. The first byte chooses between the two executors.
//!
//! `tests/fuzz/run registration`; it shares its seeds with `configuration`.

#![no_main]

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuzz::service::{Service, answer};
use fuzz::{files, secrecy};
use heptapod_paas_runner::register;
use libfuzzer_sys::fuzz_target;
use toml::{Table, Value};

/// Of the new runner.
const NAME: &str = "the new \"one\"";
/// What may be added beside the runner, where it is missing.
const GLOBALS: [&str; 3] = ["state_file", "concurrent", "quota_computation"];

/// How often the coordinator was asked: first whether it is there, then whether it knows the token.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// A coordinator that knows each token, and a Clever Cloud that offers nothing.
static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    secrecy::watch_log();
    // Whatever is not answered by an option stays unanswered.
    let silence = File::open("/dev/null").expect("nothing can be read");
    rustix::stdio::dup2_stdin(silence).expect("in place of the terminal");
    let service = Service::start();
    service.behave(|request| {
        let verifies = request.starts_with("POST /api/v4/runners/verify ");
        ASKED.fetch_add(usize::from(verifies), Ordering::SeqCst);
        answer(if verifies { 200 } else { 404 }, &[], b"{\"id\": 1}")
    });
    service
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, before)) = input.split_first() else {
        return;
    };
    let path = files::file("added-to.toml", before);
    ASKED.store(0, Ordering::SeqCst);
    let exit_code = register::main(arguments(&path, choice % 2 == 0));
    let after = fs::read(&path).expect("the file is still there");
    if exit_code == ExitCode::SUCCESS {
        check_addition(before, &after);
        return;
    }
    assert!(after == before, "nothing is written without consent");
    if ASKED.load(Ordering::SeqCst) > 1 {
        let is_taken = |runner: &Value| runner.get("name").and_then(Value::as_str) == Some(NAME);
        assert!(runners(&mut table(before)).iter().any(is_taken));
    }
});

fn arguments(path: &Path, clever: bool) -> Vec<OsString> {
    let url = SERVICE.url.as_str();
    let executor = if clever {
        "clever-docker"
    } else {
        "local-docker"
    };
    let options = [
        ("--name", NAME),
        ("--coordinator-url", url),
        ("--registration-token", secrecy::TOKEN),
        ("--executor", executor),
        ("--organization", "orga_1"),
        ("--clever-token", "the-other-token"),
        ("--default-flavor", "M"),
        ("--cc-api-url", url),
        ("--state-file-path", "/nowhere/state.json"),
        ("--max-concurrency", "3"),
        ("--reference-jobs-count", "5"),
    ];
    let options = options
        .into_iter()
        .flat_map(|(option, value)| [option, value]);
    options
        .map(OsString::from)
        .chain([path.as_os_str().to_owned()])
        .collect()
}

fn check_addition(before: &[u8], after: &[u8]) {
    assert!(after.starts_with(before), "not a byte is touched");
    let (mut before, mut after) = (table(before), table(after));
    let (old, mut new) = (runners(&mut before), runners(&mut after));
    let added = new.pop().expect("a runner");
    assert_eq!(added["token"].as_str(), Some(secrecy::TOKEN));
    assert_eq!(added["name"].as_str(), Some(NAME));
    assert_eq!(old, new);
    for key in GLOBALS {
        if !before.contains_key(key) {
            after.remove(key);
        }
    }
    assert_eq!(before, after);
}

fn table(text: &[u8]) -> Table {
    let text = str::from_utf8(text).expect("a text");
    text.parse().expect("TOML")
}

/// Takes them out.
fn runners(table: &mut Table) -> Vec<Value> {
    match table.remove("runners") {
        Some(Value::Array(runners)) => runners,
        _ => Vec::new(),
    }
}
