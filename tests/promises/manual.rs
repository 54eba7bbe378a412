//! The manual tells of every key and every option, and of none that is not there.
//!
//! What the program knows is taken from its sources and from itself, so that a change there which
//! the manual does not follow is noticed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use heptapod_paas_runner::config::{Config, ExecutorSettings};
use toml::{Table, Value};

const SERVICE: &str = include_str!("../../man/heptapod-paas-runner.1");
const REGISTER: &str = include_str!("../../man/heptapod-paas-runner-register.1");

/// Tables of the inner runner, and tables whose keys are the operator's own.
const OPEN_TABLES: [&str; 3] = ["cache", "cc_extra_env", "docker"];

/// The ways in which `src/config` asks a section for a key; the last two are short forms there.
const READERS: [&str; 13] = [
    "string(",
    "required_string(",
    "secret(",
    "required_secret(",
    "flag(",
    "count(",
    "seconds(",
    "pause(",
    "share(",
    "section(",
    "sections(",
    "text(",
    "attribute(",
];

type Words = BTreeSet<String>;

/// The keys that the sources ask for.
fn known_keys() -> Words {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    let mut keys = Words::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for reader in READERS {
            for (_, behind) in calls(code, reader) {
                keys.extend(literals(behind.trim_start()).into_iter().take(1));
            }
        }
        // Several spellings of one key.
        for list in ["&[", "keys = ["] {
            for (at, _) in code.match_indices(list) {
                keys.extend(literals(code[at + list.len()..].trim_start()));
            }
        }
    }
    keys
}

/// Where `name` is called, and what stands behind its parenthesis.
fn calls<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(name)
        .filter(move |(at, _)| !code[..*at].ends_with(is_name))
        .map(|(at, _)| (at, &code[at + name.len()..]))
}

/// The string literals at the beginning of `code`, separated by commas.
fn literals(mut code: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((literal, rest)) = code.strip_prefix('"').and_then(|s| s.split_once('"')) {
        found.push(literal.to_owned());
        code = rest.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// A page's source without the escapes that matter to a typesetter only.
fn plain(page: &str) -> String {
    page.replace(r"\-", "-").replace(r"\e", r"\")
}

fn section_of(page: &str, name: &str) -> String {
    let page = plain(page);
    let head = format!("\n.Sh {name}\n");
    let (_, section) = page.split_once(head.as_str()).expect("no such section");
    section
        .split("\n.Sh ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What the manual explains: the key and its other spellings, then the text.
fn entries() -> Vec<(Vec<String>, String)> {
    let section = section_of(SERVICE, "CONFIGURATION");
    let parts = section.split(".It Va ").skip(1);
    let entries = parts.map(|part| {
        let (head, text) = part.split_once('\n').unwrap();
        let keys = head.split_whitespace().filter(|word| *word != ",");
        (keys.map(str::to_owned).collect(), text.to_owned())
    });
    entries.collect()
}

fn documented_keys() -> Words {
    entries().into_iter().flat_map(|(keys, _)| keys).collect()
}

#[test]
fn every_key_that_the_program_knows_is_in_the_manual_and_no_other() {
    let (known, documented) = (known_keys(), documented_keys());
    // Were the sources written in another way, nothing would be found in them.
    assert!(known.len() > 50, "{known:#?}");
    let missing: Vec<_> = known.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty(), "not in the manual: {missing:?}");
    assert!(invented.is_empty(), "only in the manual: {invented:?}");
}

#[test]
fn a_key_that_is_mentioned_anywhere_is_one_that_the_program_knows() {
    let known = known_keys();
    for page in [SERVICE, REGISTER] {
        let page = plain(page);
        let mentioned = page.lines().filter_map(|line| {
            let words = line.strip_prefix(".Va ").or(line.strip_prefix(".Pq Va "))?;
            words.split_whitespace().next()
        });
        for key in mentioned {
            assert!(known.contains(key), "{key}");
        }
    }
}

fn help(program: &str) -> String {
    let output = Command::new(program).arg("--help").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The options in a line such as `  -l, --level LEVEL   what it is for`.
fn options_of_help(help: &str) -> Words {
    let lines = help.lines().map(str::trim_start);
    let heads = lines.filter(|line| line.starts_with('-'));
    let words = heads.flat_map(|line| line.split("  ").next().unwrap_or_default().split(' '));
    words
        .filter(|word| word.starts_with('-'))
        .map(|word| word.trim_end_matches(',').to_owned())
        .collect()
}

/// The options at the head of the manual's paragraphs, `.It Fl l Ar level , Fl -level Ar level`.
fn options_of_manual(page: &str) -> Words {
    let section = section_of(page, "OPTIONS");
    let heads = section
        .lines()
        .filter_map(|line| line.strip_prefix(".It Fl "));
    let options = heads.flat_map(|head| head.split("Fl "));
    options
        .filter_map(|option| option.split_whitespace().next())
        .map(|option| format!("-{option}"))
        .collect()
}

#[test]
fn every_option_of_both_programs_is_in_its_manual_and_no_other() {
    for (program, page) in [
        (env!("CARGO_BIN_EXE_heptapod-paas-runner"), SERVICE),
        (
            env!("CARGO_BIN_EXE_heptapod-paas-runner-register"),
            REGISTER,
        ),
    ] {
        let options = options_of_help(&help(program));
        assert!(options.contains("--help"), "{options:?}");
        assert_eq!(options, options_of_manual(page), "{program}");
    }
}

fn check_keys(table: &Table, documented: &Words) {
    for (key, value) in table {
        if OPEN_TABLES.contains(&key.as_str()) {
            continue;
        }
        assert!(documented.contains(key), "{key} is not in the manual");
        let tables = match value {
            Value::Table(table) => vec![table],
            Value::Array(list) => list.iter().filter_map(Value::as_table).collect(),
            _ => Vec::new(),
        };
        for table in tables {
            check_keys(table, documented);
        }
    }
}

/// What the program makes of a configuration that is written down as an example.
fn load(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    config
}

/// The configuration in the manual's examples, with secrets instead of references.
fn example() -> String {
    let section = section_of(SERVICE, "EXAMPLES");
    let (_, literal) = section.split_once(".Bd -literal -offset indent\n").unwrap();
    let (example, _) = literal.split_once("\n.Ed").unwrap();
    example.replace("\"file:", "\"")
}

#[test]
fn the_examples_use_documented_keys_and_are_accepted_as_they_are() {
    let sample = Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner"))
        .arg("--print-config")
        .output()
        .unwrap();
    let sample = String::from_utf8(sample.stdout).unwrap();
    for text in [sample, example()] {
        check_keys(&text.parse().unwrap(), &documented_keys());
        load(&text);
    }
}

/// The manual's default of a key, up to the end of its sentence.
fn default_of(key: &str) -> String {
    let entries = entries();
    let (_, text) = entries.iter().find(|(keys, _)| keys[0] == key).unwrap();
    let behind = text.strip_prefix("Default: ");
    let line = behind.and_then(|text| text.lines().next()).unwrap_or(text);
    line.trim_end_matches('.').to_owned()
}

#[test]
fn the_defaults_in_the_manual_are_the_programs() {
    let config = load(
        "state_file = \"s\"\n[quota_computation]\nreference_runner = \"r\"\n\
         reference_flavor = \"M\"\nreference_jobs_count = 1\n[[runners]]\nname = \"r\"\n\
         url = \"https://x\"\ntoken = \"t\"\nexecutor = \"clever-docker\"\n\
         cc_orga_id = \"o\"\ncc_token = \"t\"\n",
    );
    let runner = &config.runners[0];
    let ExecutorSettings::CleverDocker(clever) = &runner.executor else {
        panic!("another executor");
    };
    let seconds = |time: Duration| format!("{} seconds", time.as_secs_f64());
    for (key, default) in [
        ("concurrent", config.concurrent.to_string()),
        ("check_interval", seconds(config.check_interval)),
        (
            "paas_max_concurrent_provisioning",
            config.max_launching.to_string(),
        ),
        (
            "paas_min_seconds_between_launches",
            seconds(config.launch_spacing),
        ),
        (
            "paas_repoll_same_runner_immediately",
            config.repoll_immediately.to_string(),
        ),
        (
            "paas_finished_jobs_keep_resources",
            config.keep_finished.to_string(),
        ),
        (
            "paas_decommission_launch_failures",
            config.decommission_launch_failures.to_string(),
        ),
        ("paas_log_statistics", config.log_statistics.to_string()),
        (
            "allowed_fraction_per_runner",
            config.quota.allowed_fraction_per_runner.to_string(),
        ),
        ("log_level", config.log_level.as_str().to_ascii_lowercase()),
        ("quota_max_fraction", runner.quota_max_fraction.to_string()),
        ("timeout_seconds", seconds(runner.trace_watch.timeout)),
        ("heptapod_runner_main_image", runner.main_image.clone()),
        ("cc_api_url", clever.api_url.clone()),
        ("cc_zone", clever.zone.clone()),
        ("cc_default_flavor", clever.default_flavor.clone()),
        ("cc_auth_user", clever.git_user.reveal().to_owned()),
        ("cc_flavor_context", clever.flavor_context.clone()),
        ("cc_instance_variant_uuid", clever.instance_variant.clone()),
        (
            "cc_deployment_repo_timeout",
            seconds(clever.repository_timeout),
        ),
        (
            "cc_deployment_repo_wait_step",
            seconds(clever.repository_step),
        ),
    ] {
        assert_eq!(default_of(key), default, "{key}");
    }
    for (key, begin) in [
        ("paas_max_machine_age", seconds(config.max_machine_age)),
        (
            "log_format",
            format!("{:?}", config.log_format).to_lowercase(),
        ),
    ] {
        assert!(default_of(key).starts_with(&begin), "{key}: {begin}");
    }
    let progress = format!("default: {}", seconds(config.progress_interval));
    let limit = format!("default: {}", seconds(config.limit_interval));
    let times = default_of("job_progress_poll_interval");
    let text = times.replace('\n', " ");
    assert!(text.contains(&progress) && text.contains(&limit), "{text}");
}
