//! Text from outside, made fit for one line of a log, of a job's log, or of a terminal.
//!
//! Whatever a coordinator, Clever Cloud, `git`, `docker` or a certificate says ends before somebody's
//! eyes. A line break in it would forge a line of the log, an escape sequence would talk to the
//! terminal, and a mark that turns the direction of writing shows something else than is there.
//! This knows of no secrets: they are taken out before, since a part of one is none that can be
//! found.

/// How much of a text is kept, in characters, and which end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    All,
    Start(usize),
    /// Programs warn first and fail last.
    End(usize),
}

/// Stands where something was left out, and counts as one of the characters that are kept.
const CUT: char = '…';

/// The words of `text` with one space between them; what must not reach a line is a space, too.
#[must_use]
pub fn one_line(text: &str, keep: Keep) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control() || turns_writing(c));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let length = line.chars().count();
    match keep {
        Keep::Start(most) if length > most => {
            let kept = line.chars().take(most.saturating_sub(1));
            kept.chain(most.checked_sub(1).map(|_| CUT)).collect()
        }
        Keep::End(most) if length > most => {
            let cut = most.checked_sub(1).map(|_| CUT).into_iter();
            let skipped = length - most.saturating_sub(1);
            cut.chain(line.chars().skip(skipped)).collect()
        }
        Keep::All | Keep::Start(_) | Keep::End(_) => line,
    }
}

/// A text of many lines, in which what must not reach a terminal is a space.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' => c,
        _ if c.is_control() || turns_writing(c) || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
        _ => c,
    };
    text.chars().map(plain).collect()
}

/// Lines of at most `width` characters, but for words that are longer.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > width {
            lines.push(String::new());
            length = 0;
        }
        let Some(line) = lines.last_mut() else {
            continue;
        };
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += more;
    }
    lines
}

/// An address without what may be secret in it: login, query and fragment.
#[must_use]
pub fn bare_address(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match address.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => {
            (format!("{scheme}://"), rest.trim_start_matches('/'))
        }
        _ => (String::new(), address),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

/// The title of an HTML page, as it stands there; empty, where it has none.
#[must_use]
pub fn page_title(page: &str) -> &str {
    let find = |text: &str, tag: &str| text.to_ascii_lowercase().find(tag);
    let title = find(page, "<title").and_then(|at| page[at..].split_once('>'));
    title.map_or("", |(_, rest)| {
        find(rest, "</title").map_or("", |end| &rest[..end])
    })
}

/// The characters with Unicode's property `Bidi_Control`.
const fn turns_writing(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_oneof, proptest};

    use super::{Keep, bare_address, one_line, page_title, plain_lines};

    #[test]
    fn a_text_is_cut_where_its_reader_misses_least() {
        let said = "warning: old\n\u{1b}[31merror:\u{202e}\tno\r\n";
        assert_eq!(one_line(said, Keep::All), "warning: old [31merror: no");
        assert_eq!(one_line(said, Keep::Start(9)), "warning:…");
        assert_eq!(one_line(said, Keep::End(10)), "…error: no");
        assert_eq!(one_line("whole", Keep::Start(5)), "whole");
        assert_eq!(one_line("whole", Keep::End(5)), "whole");
        assert_eq!(one_line("nothing", Keep::End(0)), "");
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_speaks_to_a_terminal() {
        let text = "a\tb\n\u{1b}[31m\u{202e}c\u{9b}d\r\u{2028}e\n";
        assert_eq!(plain_lines(text), "a\tb\n [31m c d  e\n");
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let address = bare_address("https://user:word@git.example.org/api/v4/runners?token=1");
        assert_eq!(address, "https://git.example.org/api/v4/runners");
        assert_eq!(bare_address("https:/user:word@there/x"), "https://there/x");
        assert_eq!(bare_address("/users/sign_in?a=b#c"), "/users/sign_in");
    }

    #[test]
    fn a_page_is_known_by_its_title() {
        for (page, title) in [
            (
                "<!DOCTYPE html><html><TITLE lang=en>Sign in</TITLE>",
                "Sign in",
            ),
            ("<head><title>İ\u{130} down</title></head>", "İ\u{130} down"),
            ("<title>never ends", ""),
            ("<h1>502</h1>", ""),
        ] {
            assert_eq!(page_title(page), title);
        }
    }

    fn foreign_text() -> impl Strategy<Value = String> {
        let awkward = prop::sample::select(
            "\u{1b}\u{9b}\n\r\t\0\u{85}\u{2028}\u{202e}\u{2066}\u{61c}"
                .chars()
                .collect::<Vec<_>>(),
        );
        let any_character = prop_oneof![any::<char>(), awkward, prop::char::range(' ', '~')];
        prop::collection::vec(any_character, 0..80)
            .prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_line_speaks_to_a_terminal_or_is_too_long(text in foreign_text(), most in 0_usize..60) {
            for keep in [Keep::All, Keep::Start(most), Keep::End(most)] {
                let line = one_line(&text, keep);
                let odd = |c: char| {
                    c.is_control()
                        || matches!(c as u32, 0x61c | 0x200e | 0x200f | 0x2028..=0x202e | 0x2066..=0x2069)
                };
                prop_assert!(!line.contains(odd), "{line:?}");
                prop_assert!(keep == Keep::All || line.chars().count() <= most, "{line:?}");
                prop_assert!(!line.starts_with(' ') && !line.ends_with("  "), "{line:?}");
            }
        }

        #[test]
        fn plain_words_stay_as_they_are(text in "[!-~]{1,9}( [!-~]{1,9}){0,5}") {
            for keep in [Keep::All, Keep::Start(80), Keep::End(80)] {
                prop_assert!(one_line(&text, keep) == text);
            }
        }
    }
}
