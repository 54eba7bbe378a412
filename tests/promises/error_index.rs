//! Whoever meets an error in the log finds its words in the manual: there is no line of that level without an
//! entry.

use std::fs;
use std::path::{Path, PathBuf};

const MANUAL: &str = include_str!("../../man/heptapod-paas-runner.1");

/// As many letters tell one line from others.
const TELLING: usize = 6;

/// Where an error without words of its own ends the program, or keeps it from starting.
const LAST_WORDS: [&str; 2] = ["cli.rs", "register/mod.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The first string literal of `code`, as the compiler reads it.
fn literal(code: &str) -> String {
    let start = code.find('"').unwrap() + 1;
    let mut text = String::new();
    let mut rest = code[start..].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => return text,
            '\\' if rest.peek() == Some(&'\n') => {
                while rest.peek().is_some_and(|c| c.is_whitespace()) {
                    rest.next();
                }
            }
            '\\' => text.extend(rest.next()),
            c => text.push(c),
        }
    }
    panic!("no end of a literal in {code}");
}

/// The parts of a line that are always the same.
fn constant_parts(text: &str) -> Vec<String> {
    let parts = text.split('{').enumerate().map(|(number, part)| {
        let behind = part.split_once('}').map(|(_, rest)| rest);
        if number == 0 {
            part
        } else {
            behind.unwrap_or(part)
        }
    });
    let trim = |part: &str| part.trim_matches([' ', ';', ',', '`']).to_owned();
    parts.map(trim).filter(|part| !part.is_empty()).collect()
}

/// The manual's list of errors, as a reader sees it.
fn index() -> String {
    let (_, part) = MANUAL.split_once("\n.Ss Errors\n").unwrap();
    let (part, _) = part.split_once("\n.Sh ").unwrap();
    let words = part.lines().filter_map(|line| line.strip_prefix(".It Ql "));
    let words: Vec<_> = words.collect();
    words.join("\n").replace("\\(ga", "`").replace("\\-", "-")
}

#[test]
fn every_line_of_the_level_error_has_its_entry_in_the_manual() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let index = index();
    let mut seen = 0;
    for path in files {
        let code = fs::read_to_string(&path).unwrap();
        let macros = code.split("log::error!(").skip(1).map(literal);
        // A line of which the level depends on something.
        let levels = code.split("log::log!(").skip(1).map(literal);
        let levels: Vec<_> = levels.filter(|_| code.contains("Level::Error")).collect();
        for text in macros.chain(levels) {
            seen += 1;
            let parts = constant_parts(&text);
            let is_telling = |part: &&String| part.len() >= TELLING;
            let parts: Vec<_> = parts.iter().filter(is_telling).collect();
            if parts.is_empty() {
                let is_last = LAST_WORDS.iter().any(|end| path.ends_with(end));
                let is_told = index.contains("failed to launch:") && path.ends_with("life.rs");
                assert!(is_last || is_told, "{}: {text}", path.display());
                continue;
            }
            let has_entry = parts.iter().any(|part| {
                index.lines().any(|entry| {
                    part.contains(entry.trim_matches([' ', ';', '`']))
                        || entry.contains(part.as_str())
                })
            });
            assert!(
                has_entry,
                "{}: {parts:?} is not in\n{index}",
                path.display()
            );
        }
    }
    assert!(seen >= 15, "only {seen} lines were found");
}

#[test]
fn a_line_is_taken_apart_as_the_compiler_reads_it() {
    let code = "(\"can't be {what:?} \\\n      here; {why} is \\\"odd\\\"\", x)";
    assert_eq!(literal(code), "can't be {what:?} here; {why} is \"odd\"");
    assert_eq!(
        constant_parts(&literal(code)),
        ["can't be", "here", "is \"odd\""]
    );
}
