//! Facts for people: a line for each, and the remedy under it, as wide as any terminal.

use std::env;
use std::fmt::Write;

use super::{About, Section};
use crate::fact::{Fact, Verdict};
use crate::foreign::{Keep, one_line, wrapped};

const WIDTH: usize = 80;
/// Of the column of subjects, if they are shorter.
const SUBJECTS: usize = 22;

/// How a verdict is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Signs,
    Ascii,
}

impl Marks {
    /// As the locale says (setlocale(3)).
    pub fn of_environment() -> Self {
        let names = ["LC_ALL", "LC_CTYPE", "LANG"];
        let mut values = names.iter().filter_map(|name| env::var(name).ok());
        let locale = values.find(|value| !value.is_empty()).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Signs
        } else {
            Self::Ascii
        }
    }

    const fn of(self, verdict: Verdict) -> char {
        match (self, verdict) {
            (Self::Signs, Verdict::Good) => '✓',
            (Self::Signs, Verdict::BadForSome | Verdict::Bad) => '✗',
            (Self::Ascii, Verdict::Good) => '+',
            (Self::Ascii, Verdict::BadForSome | Verdict::Bad) => 'x',
            (_, Verdict::Doubtful) => '!',
            (_, Verdict::Unknown) => '?',
        }
    }
}

/// All of it, with a line at the end that says how it stands.
pub fn render(sections: &[Section], marks: Marks) -> String {
    let mut text = String::new();
    for section in sections {
        let title = match &section.about {
            About::File(path) => path.clone(),
            About::Computer => "this computer".to_owned(),
            About::Runner(name) => format!("runner {}", one_line(name, Keep::All)),
            About::Quota => "the quota".to_owned(),
        };
        let _ = writeln!(text, "{title}");
        let widths = section
            .facts
            .iter()
            .map(|fact| subject(fact).chars().count());
        let width = widths.max().unwrap_or_default().min(SUBJECTS);
        for fact in &section.facts {
            write_fact(&mut text, fact, width, marks);
        }
    }
    let count = |is: fn(Verdict) -> bool| {
        let facts = sections.iter().flat_map(|section| &section.facts);
        facts.filter(|fact| is(fact.verdict)).count()
    };
    let bad = count(Verdict::is_bad);
    let doubtful = count(|verdict| verdict == Verdict::Doubtful);
    let unknown = count(|verdict| verdict == Verdict::Unknown);
    let verdict = match bad {
        0 => "nothing was found that won't work".to_owned(),
        1 => "1 thing won't work".to_owned(),
        _ => format!("{bad} things won't work"),
    };
    let _ = writeln!(text, "{verdict}; {doubtful} doubtful, {unknown} unknown");
    text
}

fn subject(fact: &Fact) -> String {
    match fact.line {
        Some(line) => format!("line {line}"),
        None => fact.subject.clone(),
    }
}

fn write_fact(text: &mut String, fact: &Fact, width: usize, marks: Marks) {
    let mark = marks.of(fact.verdict);
    let indent = " ".repeat(width + 6);
    let mut before = format!("  {mark} {:width$}  ", subject(fact));
    let remedy = fact.remedy.iter().map(String::as_str);
    for part in std::iter::once(fact.text.as_str()).chain(remedy) {
        for line in wrapped(part, WIDTH.saturating_sub(width + 6)) {
            let _ = writeln!(text, "{before}{line}");
            before.clone_from(&indent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{About, Marks, Section, render};
    use crate::fact::{Fact, Verdict};

    #[test]
    fn a_table_fits_a_terminal_and_has_the_remedy_under_the_fact() {
        let long = "word ".repeat(30);
        let sections = [
            Section {
                about: About::File("/etc/x.toml".to_owned()),
                facts: vec![Fact::bad("url", long, "mend it").at(12)],
            },
            Section {
                about: About::Runner("ci".to_owned()),
                facts: vec![
                    Fact::good("git", "git 2.39"),
                    Fact::unknown("role", "can't be learnt"),
                    Fact::new("clock", Verdict::Doubtful, "slow"),
                ],
            },
        ];
        let signs = render(&sections, Marks::Signs);
        assert!(
            signs.lines().all(|line| line.chars().count() <= 80),
            "{signs}"
        );
        for line in [
            "/etc/x.toml",
            "             mend it",
            "runner ci",
            "  ✓ git    git 2.39",
            "  ? role   can't be learnt",
            "  ! clock  slow",
            "1 thing won't work; 1 doubtful, 1 unknown",
        ] {
            assert!(
                signs.lines().any(|shown| shown == line),
                "{line:?}\n{signs}"
            );
        }
        assert!(signs.contains("  ✗ line 12  word"), "{signs}");
        let ascii = render(&sections, Marks::Ascii);
        assert!(ascii.is_ascii(), "{ascii}");
    }
}
