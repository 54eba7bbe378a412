//! The manual tells of every key and every option, and of none that is not there.
//!
//! What the program knows is in its tables, which are its own as well: a change there which the manual
//! does not follow is noticed here.

use std::fs;
use std::path::Path;
use std::process::Command;

use heptapod_paas_runner::config::Config;
use heptapod_paas_runner::config::keys::{KEYS, Key, Kind, Unwritten, Whose};
use heptapod_paas_runner::options::CommandLine;
use heptapod_paas_runner::{cli, install, register};
use toml::{Table, Value};

pub const SERVICE: &str = include_str!("../../man/heptapod-paas-runner.1");
const REGISTER: &str = include_str!("../../man/heptapod-paas-runner-register.1");

/// Under which heading the manual has whose keys; those of the watch are in a list within a list.
const HEADINGS: [(&str, &[Whose]); 5] = [
    ("Global keys", &[Whose::Service]),
    ("The table quota_computation", &[Whose::Quota]),
    (
        "Keys of every runner",
        &[Whose::Shared, Whose::Runner, Whose::TraceWatch],
    ),
    ("Keys of clever-docker runners", &[Whose::CleverDocker]),
    ("Keys of local-docker runners", &[Whose::LocalDocker]),
];

/// A page as a reader sees it: without the escapes, and with the words of a line of macros.
pub fn plain(page: &str) -> String {
    let page = page.replace(r"\-", "-").replace(r"\e", r"\");
    let lines = page.lines().map(|line| {
        let inline = ["Va", "Ql", "Ev", "Pa", "Em", "Fl", "Dv", "Pq Va", "Pq Ql"];
        let words = inline
            .iter()
            .find_map(|name| line.strip_prefix(&format!(".{name} ")));
        let line = words.unwrap_or(line).to_owned();
        [" .", " ,", " ;", " :"]
            .iter()
            .fold(line, |line, end| match line.strip_suffix(end) {
                Some(start) if words.is_some() => format!("{start}{}", end.trim_start()),
                _ => line,
            })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The part of a text behind a heading, up to the next one of its kind.
pub fn part_of<'a>(text: &'a str, macro_name: &str, heading: &str) -> &'a str {
    let head = format!("\n{macro_name} {heading}\n");
    let (_, part) = text.split_once(head.as_str()).expect("no such heading");
    let end = part.find(&format!("\n{macro_name} ")).unwrap_or(part.len());
    &part[..end]
}

pub fn section_of(page: &str, name: &str) -> String {
    part_of(&plain(page), ".Sh", name).to_owned()
}

/// What the manual explains of these: the key and its other spellings, then the text on one line.
fn entries_under(heading: &str) -> Vec<(Vec<String>, String)> {
    let section = section_of(SERVICE, "CONFIGURATION");
    let parts = part_of(&section, ".Ss", heading).split(".It Va ").skip(1);
    let entries = parts.map(|part| {
        let (head, text) = part.split_once('\n').unwrap();
        let keys = head.split_whitespace().filter(|word| *word != ",");
        (keys.map(str::to_owned).collect(), text.replace('\n', " "))
    });
    entries.collect()
}

fn keys_of(whose: &[Whose]) -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
        .copied()
        .filter(|key| whose.contains(&key.whose))
}

/// How the explanation of a key begins.
fn beginning_of(key: &Key) -> String {
    match (key.unwritten, key.kind) {
        (Unwritten::Required, _) => "Required".to_owned(),
        (Unwritten::Value(value), Kind::Pause | Kind::Spacing | Kind::Patience) => {
            format!("Default: {value} seconds")
        }
        (Unwritten::Value(text) | Unwritten::Words(text), _) => format!("Default: {text}"),
    }
}

/// The key's help as a sentence, without its end.
fn sentence(help: &str) -> String {
    let (first, rest) = help.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn every_key_that_the_program_knows_is_in_the_manual_with_its_default_and_no_other() {
    for (heading, whose) in HEADINGS {
        let entries = entries_under(heading);
        let documented: Vec<_> = entries.iter().map(|(names, _)| names.clone()).collect();
        let known: Vec<_> = keys_of(whose).map(Key::names).collect();
        assert_eq!(documented, known, "{heading}");
        for (key, (_, text)) in keys_of(whose).zip(entries) {
            assert!(
                text.starts_with(&beginning_of(key)),
                "{}: {text}",
                key.name()
            );
            assert!(text.contains(&sentence(key.help)), "{}: {text}", key.name());
        }
    }
    let all: Vec<_> = HEADINGS
        .iter()
        .flat_map(|(_, whose)| keys_of(whose))
        .collect();
    assert_eq!(all.len(), KEYS.len());
}

#[test]
fn every_line_of_the_log_that_the_symptoms_quote_is_one_that_the_program_says() {
    let texts = crate::readme::texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let section = section_of(SERVICE, "TROUBLE BY SYMPTOM");
    let section = section.replace(r"\(ga", "`").replace(r"\(aq", "'");
    let heads = section
        .lines()
        .filter_map(|line| line.strip_prefix(".It Ql "));
    let parts = heads.flat_map(|head| head.split("...").flat_map(|part| part.split(": ")));
    let said = parts.map(|part| part.trim_matches([' ', ':', ';', ',']));
    let said: Vec<_> = said.filter(|part| part.contains(' ')).collect();
    assert!(said.len() > 30, "{said:?}");
    for part in said {
        // What is put in there.
        let is_made = ["300 s", "3 days", "try 5", "(oauth)", "s behind that"];
        let is_made = is_made.iter().any(|made| part.contains(made));
        assert!(
            is_made || texts.contains(part),
            "the program never says {part:?}"
        );
    }
}

#[test]
fn the_manual_says_of_every_secret_that_it_may_be_a_reference() {
    let section = section_of(SERVICE, "CONFIGURATION");
    let secrets = part_of(&section, ".Ss", "Secrets");
    for key in KEYS.iter().filter(|key| key.kind == Kind::Secret) {
        assert!(secrets.contains(key.name()), "{}", key.name());
    }
}

#[test]
fn a_key_that_is_mentioned_anywhere_is_one_that_the_program_knows() {
    for page in [SERVICE, REGISTER] {
        let page = page.replace(r"\-", "-");
        let mentioned = page.lines().filter_map(|line| {
            let words = line.strip_prefix(".Va ").or(line.strip_prefix(".Pq Va "))?;
            words.split_whitespace().next()
        });
        for name in mentioned {
            assert!(KEYS.iter().any(|key| key.names().contains(&name)), "{name}");
        }
    }
}

/// The heads of the manual's paragraphs about options, `Fl l Ar level , Fl -level Ar level`.
fn options_of_manual(page: &str, section: &str) -> Vec<String> {
    let section = part_of(&plain(page), ".Sh", section).to_owned();
    let heads = section.lines().filter_map(|line| line.strip_prefix(".It "));
    let heads = heads.filter(|head| head.starts_with("Fl "));
    heads.map(str::to_owned).collect()
}

/// What the manual must have of a program's options, in the same order.
fn heads<A: Default>(command_line: &CommandLine<A>) -> Vec<String> {
    let options = command_line.options().map(|option| {
        let value = option
            .value()
            .map(|name| format!(" Ar {}", name.to_lowercase()));
        let value = value.unwrap_or_default();
        let long = format!("Fl -{}{value}", option.long);
        let short = option.short.map(|short| format!("Fl {short}{value} , "));
        short.unwrap_or_default() + &long
    });
    options.collect()
}

#[test]
fn every_option_of_every_command_is_in_its_manual_and_no_other() {
    let documented = options_of_manual(SERVICE, "OPTIONS");
    assert_eq!(documented, heads(&cli::COMMAND_LINE));
    let documented = options_of_manual(SERVICE, "INSTALLING");
    assert_eq!(documented, heads(&install::COMMAND_LINE));
    let documented = options_of_manual(REGISTER, "OPTIONS");
    assert_eq!(documented, heads(&register::COMMAND_LINE));
}

#[test]
fn the_commands_of_the_registration_are_in_its_manual_with_their_options() {
    let section = section_of(REGISTER, "COMMANDS");
    for command in &register::COMMANDS {
        let line = &command.command_line;
        let name = line.program.rsplit(' ').next().unwrap();
        let head = section.split(".It Cm ").find(|part| part.starts_with(name));
        let head = head.unwrap_or_else(|| panic!("{name} is missing"));
        for option in line.options().filter(|option| option.long != "help") {
            assert!(
                head.contains(&format!("Fl -{}", option.long)),
                "{name}: {}",
                option.long
            );
        }
        assert!(
            line.help().lines().all(|line| line.chars().count() <= 100),
            "{name}"
        );
    }
}

#[test]
fn the_help_of_every_command_fits_a_terminal() {
    for help in [
        cli::COMMAND_LINE.help(),
        register::COMMAND_LINE.help(),
        install::COMMAND_LINE.help(),
    ] {
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}

/// Whose keys may stand in a table of this name within a table of these.
fn tables_in(whose: &[Whose], name: &str) -> &'static [Whose] {
    match name {
        "quota_computation" => &[Whose::Quota],
        "runners" => &[Whose::Shared, Whose::Runner, Whose::CleverDocker],
        "paas_job_trace_watch" => &[Whose::TraceWatch],
        _ => panic!("{name} in {whose:?}"),
    }
}

/// Fails unless all keys of a table are ours, but for the tables of the inner runner.
fn check_keys(table: &Table, whose: &[Whose]) {
    for (name, value) in table {
        let Some(key) = keys_of(whose).find(|key| key.name() == name) else {
            assert!(["cache", "docker"].contains(&name.as_str()), "{name}");
            continue;
        };
        match value {
            Value::Table(_) if key.name() == "cc_extra_env" => {}
            Value::Table(table) => check_keys(table, tables_in(whose, name)),
            Value::Array(tables) => {
                for table in tables.iter().filter_map(Value::as_table) {
                    check_keys(table, tables_in(whose, name));
                }
            }
            _ => {}
        }
    }
}

/// What the program makes of a configuration that is written down as an example.
fn check_loads(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paas-runner.toml");
    fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

/// The configuration in the manual's examples, with secrets instead of references.
fn example() -> String {
    let section = section_of(SERVICE, "EXAMPLES");
    let (_, literal) = section.split_once(".Bd -literal -offset indent\n").unwrap();
    let (example, _) = literal.split_once("\n.Ed").unwrap();
    example.replace("\"file:", "\"")
}

/// The recipes for the quota, each with what it leaves out.
fn recipes() -> Vec<String> {
    let section = section_of(SERVICE, "FLAVORS AND THE QUOTA");
    let recipes = part_of(&section, ".Ss", "Recipes");
    let literals = recipes.split(".Bd -literal -offset indent\n").skip(1);
    let literals = literals.map(|part| part.split_once("\n.Ed").unwrap().0);
    literals.map(completed).collect()
}

fn completed(recipe: &str) -> String {
    let rest = r#"
        state_file = "/var/lib/heptapod-runner/state.json"
        [quota_computation]
        reference_runner = "ci"
        reference_flavor = "M"
        reference_jobs_count = 8
        [[runners]]
        name = "ci"
        url = "https://heptapod.example.com"
        token = "the runner's name"
        executor = "clever-docker"
        cc_orga_id = "orga_1"
        cc_token = "t0ken"
    "#;
    let rest: Table = rest.parse().unwrap();
    let mut whole: Table = recipe.parse().unwrap();
    for (key, value) in &rest {
        whole.entry(key).or_insert_with(|| value.clone());
    }
    let usual = rest["runners"][0].as_table().unwrap();
    for runner in whole["runners"].as_array_mut().unwrap() {
        for (key, value) in usual {
            let runner = runner.as_table_mut().unwrap();
            let is_token = key == "token";
            let own = if is_token { &runner["name"] } else { value }.clone();
            runner.entry(key).or_insert(own);
        }
    }
    whole.to_string()
}

#[test]
fn every_recipe_for_the_quota_is_accepted() {
    let recipes = recipes();
    assert!(recipes.len() > 5, "{recipes:?}");
    for text in recipes {
        check_keys(&text.parse().unwrap(), &[Whose::Service]);
        check_loads(&text);
    }
}

/// With what an operator knows instead of what stands in it to be replaced.
fn filled_in(text: &str) -> String {
    [
        ("REPLACE-ME", "t0ken"),
        ("orga_00000000-0000-0000-0000-000000000000", "orga_1"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (placeholder, known)| {
        text.replace(placeholder, known)
    })
}

#[test]
fn the_examples_use_known_keys_in_their_places_and_are_accepted_once_they_are_filled_in() {
    let sample = Command::new(crate::service::program())
        .arg("--print-config")
        .output()
        .unwrap();
    let sample = String::from_utf8(sample.stdout).unwrap();
    for text in [sample, example()] {
        check_keys(&text.parse().unwrap(), &[Whose::Service]);
        check_loads(&filled_in(&text));
    }
}
