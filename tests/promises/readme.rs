//! What the README quotes is what the program says, and what it tells to write is understood.
//!
//! A newcomer searches for the line that they see, by its very words: a message that changes and a
//! README that does not follow are noticed here.

use std::fs;
use std::path::Path;

use heptapod_paas_runner::config::keys::KEYS;

const README: &str = include_str!("../../README.md");

/// All texts of the program, those that go on in the next line in one piece.
pub fn texts(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("the program's source") {
        let path = entry.expect("the program's source").path();
        if path.is_dir() {
            all.push_str(&texts(&path));
            continue;
        }
        let source = fs::read_to_string(&path).expect("the program's source");
        let mut pieces = source.split("\\\n");
        all.push_str(pieces.next().unwrap_or_default());
        pieces.for_each(|piece| all.push_str(piece.trim_start()));
    }
    all.replace("\\\"", "\"")
}

/// What stands between two marks, each in one line.
fn quoted(text: &str) -> Vec<String> {
    let between = text.split('`').skip(1).step_by(2);
    between
        .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn section<'a>(begin: &str, end: &str) -> &'a str {
    let (_, behind) = README.split_once(begin).expect("no such beginning");
    behind.split_once(end).expect("no such end").0
}

#[test]
fn every_line_of_the_log_that_it_explains_is_one_that_the_program_says() {
    let texts = texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let symptoms = section("\n## When it does not work\n", "\n## ");
    let mut lines: Vec<_> = (symptoms.split("\n- `").skip(1))
        .map(|symptom| quoted(&format!("`{symptom}")).swap_remove(0))
        .collect();
    assert!(lines.len() > 10, "{lines:?}");
    lines.extend(quoted(section("In the log you read", "; meanwhile")));
    lines.extend(quoted(section("When the job has ended, ", "\n")));
    for line in lines {
        for part in line.split('…').map(str::trim) {
            assert!(
                texts.contains(part),
                "the program never says {part:?} of {line:?}"
            );
        }
    }
}

#[test]
fn every_key_of_ours_that_it_names_is_there() {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = README.split(|c| !is_part(c));
    let named: Vec<_> = words
        .filter(|word| word.starts_with("cc_") || word.starts_with("paas_"))
        .collect();
    assert!(named.contains(&"cc_auth"), "{named:?}");
    for name in named {
        assert!(
            KEYS.iter().any(|key| key.name() == name),
            "the README tells of a key {name:?}, which is not there"
        );
    }
}
