//! What an operator may write: it is understood or refused, and neither a refusal nor a warning tells
//! a token. Behind a line `=== secrets` comes the content of a secrets file; `@FOLDER@` is where it is,
//! as `secrets.toml`.
//!
//! `tests/fuzz/run configuration`; the sample that the program prints is among its seeds.

#![no_main]

use fuzz::files;
use fuzz::secrecy::{TOKEN, assert_untold, plant, watch_log};
use heptapod_paas_runner::config::Config;
use libfuzzer_sys::fuzz_target;
use toml::{Table, Value};

const SECRETS: &str = "=== secrets\n";
/// How keys begin whose values nobody may be told.
const SECRET_KEYS: [&str; 2] = ["token = \"", "cc_auth_user = \""];

fuzz_target!(|text: &str| {
    watch_log();
    let (written, secrets) = text.split_once(SECRETS).unwrap_or((text, ""));
    let _ = files::file("secrets.toml", &plant(secrets.as_bytes(), " = \""));
    let folder = files::folder().display().to_string();
    let written = SECRET_KEYS
        .iter()
        .fold(written.replace("@FOLDER@", &folder), |text, key| {
            String::from_utf8(plant(text.as_bytes(), key)).expect("a text in a text")
        });
    if written.parse().is_ok_and(|table| is_elsewhere(&table)) {
        return;
    }
    let said = match Config::load(&files::file("paas-runner.toml", written.as_bytes())) {
        Ok(config) => format!("{:?}", config.warnings),
        Err(error) => error.to_string(),
    };
    assert_untold(&said);
});

/// Whether the token stands where none belongs: in a name or an address, which may be told.
fn is_elsewhere(table: &Table) -> bool {
    table.iter().any(|(key, value)| {
        let secret = key.ends_with("token") || key == "cc_auth_user";
        key.contains(TOKEN) || is_in_plain_value(value, secret)
    })
}

fn is_in_plain_value(value: &Value, secret: bool) -> bool {
    match value {
        Value::String(text) => !secret && text.contains(TOKEN),
        Value::Array(values) => values.iter().any(|value| is_in_plain_value(value, secret)),
        Value::Table(table) => is_elsewhere(table),
        _ => false,
    }
}
