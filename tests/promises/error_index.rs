//! Whoever meets an error in the log finds its words in the manual, with what to do: there is no line of that
//! level without an entry, and no entry without its line.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manual::{SERVICE, part_of, section_of};

/// The levels of these lines are always the same.
const ERROR: &str = "log::error!(";
/// Here the level depends on something.
const BY_LEVEL: &str = "log::log!(";

/// Lines without words of their own, and the words of the manual that tell of them.
const WORDLESS: [(&str, &str); 3] = [
    ("src/cli.rs", ENDS),
    ("src/register/mod.rs", ENDS),
    ("src/job/life.rs", "failed to launch: ..."),
];
const ENDS: &str = "An error without such words ends the program, or keeps it from starting";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

/// A line as the manual quotes it: `...` for what differs.
fn quoted(format: &str) -> String {
    let mut parts = format.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, behind) = part.split_once('}').expect("no end of a placeholder");
        text.push_str("...");
        text.push_str(behind);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is the same in every such line, at most in one piece.
fn longest_part(quoted: &str) -> &str {
    let parts = quoted.split("...").map(str::trim);
    parts.max_by_key(|part| part.len()).unwrap_or_default()
}

/// A line of the level ERROR that the program may say.
struct Line {
    /// From the root of the repository.
    file: String,
    quoted: String,
}

impl Line {
    fn has_words(&self) -> bool {
        longest_part(&self.quoted).chars().any(char::is_alphabetic)
    }
}

/// All lines of the level ERROR. Fails when one might have escaped.
fn lines() -> Vec<Line> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut lines, mut expected) = (Vec::new(), 0);
    for path in files {
        let code = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        let plain = code.matches("error!(").count();
        assert_eq!(code.matches(ERROR).count(), plain, "{file}: by its path");
        let is_expected = |line: &&str| line.contains("log::error!");
        expected += code.lines().filter(is_expected).count();
        let behind = |name: &'static str| code.split(name).skip(1);
        let by_level = behind(BY_LEVEL).filter(|_| code.contains("Level::Error"));
        lines.extend(behind(ERROR).chain(by_level).map(|code| Line {
            file: file.clone(),
            quoted: quoted(&literal(code)),
        }));
    }
    assert!(expected > 10, "only {expected} lines were found");
    assert!(lines.len() >= expected, "{} of {expected}", lines.len());
    lines
}

/// The manual's list of errors, as a reader sees it.
fn index() -> String {
    let section = section_of(SERVICE, "LOG");
    let index = part_of(&section, ".Ss", "Errors");
    index.replace(r"\(ga", "`").replace(r"\(aq", "'")
}

/// What the list quotes, and what it says of it.
fn entries(index: &str) -> Vec<(&str, &str)> {
    let parts = index.split("\n.It Ql ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn every_line_of_the_level_error_has_its_entry_in_the_manual() {
    let index = index();
    let entries = entries(&index);
    let words = index.split_whitespace().collect::<Vec<_>>().join(" ");
    for Line { file, quoted } in lines().iter().filter(|line| line.has_words()) {
        let part = longest_part(quoted);
        assert!(words.contains(part), "{file}: {part:?} is not in\n{index}");
        let entry = entries.iter().find(|(head, _)| head == quoted);
        let (_, text) = entry.unwrap_or_else(|| panic!("{file}: no entry {quoted:?} in\n{index}"));
        assert!(
            !text.starts_with('.'),
            "{file}: {quoted:?} is not explained"
        );
    }
}

#[test]
fn a_line_of_the_level_error_without_words_of_its_own_is_a_known_one() {
    let index = index();
    for line in lines().iter().filter(|line| !line.has_words()) {
        let known = WORDLESS.iter().find(|(file, _)| line.file == *file);
        let (_, words) = known.unwrap_or_else(|| panic!("{}: {}", line.file, line.quoted));
        assert!(index.contains(words), "{words:?} is not in\n{index}");
    }
}

#[test]
fn every_entry_is_one_of_a_line_that_the_program_says() {
    let lines = lines();
    let index = index();
    for (head, _) in entries(&index) {
        let is_said = lines.iter().any(|line| line.quoted == head);
        let is_wordless = WORDLESS.iter().any(|(_, words)| *words == head);
        assert!(is_said || is_wordless, "the program never says {head:?}");
    }
}

#[test]
fn a_line_is_taken_apart_as_the_compiler_reads_it() {
    let code = "(\"can't be {what:?} \\\n      here; {why} is \\\"odd\\\"\", x)";
    assert_eq!(literal(code), "can't be {what:?} here; {why} is \"odd\"");
    let quoted = quoted("can't  be found {what:?} here; {}");
    assert_eq!(quoted, "can't be found ... here; ...");
    assert_eq!(longest_part(&quoted), "can't be found");
}
