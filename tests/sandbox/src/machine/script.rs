//! From the lines of a job to something `sh` can run, as the inner runner writes it: each line is
//! shown before it runs, and the first that fails ends the script.

use std::iter;

/// The text of a script.
pub(super) fn render(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| {
        let mut shown = line.lines();
        let first = shown.next().unwrap_or_default();
        let more = if shown.next().is_some() {
            " # collapsed multi-line command"
        } else {
            ""
        };
        let echo = format!("\x1b[32;1m$ {first}{more}\x1b[0;m");
        format!("printf '%s\\n' {}\n{line}\n", quote(&echo))
    });
    iter::once("set -e\n".to_owned()).chain(lines).collect()
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Hides secrets in a script's output, line by line.
pub(super) struct Mask {
    secrets: Vec<String>,
    /// The beginning of a line that has not ended yet.
    partial: Vec<u8>,
}

impl Mask {
    pub fn new(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| !secret.is_empty());
        // The longest first: a secret may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            secrets,
            partial: Vec::new(),
        }
    }

    /// What of the output so far can be shown.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.partial.extend_from_slice(bytes);
        let end = self.partial.iter().rposition(|&b| b == b'\n');
        let rest = self.partial.split_off(end.map_or(0, |end| end + 1));
        let lines = std::mem::replace(&mut self.partial, rest);
        self.hide(&lines)
    }

    /// The rest, when there will be no more.
    pub fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.partial);
        self.hide(&rest)
    }

    fn hide(&self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = bytes.to_vec();
        for secret in &self.secrets {
            let secret = secret.as_bytes();
            let mut from = 0;
            while let Some(at) = find(&shown[from..], secret) {
                shown.splice(from + at..from + at + secret.len(), *b"[MASKED]");
                from += at + b"[MASKED]".len();
            }
        }
        shown
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::{Mask, render};

    #[test]
    fn lines_are_shown_as_they_were_written() {
        let script = render(&["echo 'a b'".to_owned(), "if true\nthen :\nfi".to_owned()]);
        assert!(script.contains("$ echo '\\''a b'\\''"), "{script}");
        assert!(script.contains("$ if true # collapsed"), "{script}");
        assert!(script.ends_with("\nif true\nthen :\nfi\n"), "{script}");
    }

    #[test]
    fn secrets_are_hidden_even_when_output_comes_in_pieces() {
        let mut mask = Mask::new(vec![
            "pass".to_owned(),
            "password".to_owned(),
            String::new(),
        ]);
        assert_eq!(mask.pass(b"a\nmy pas"), b"a\n");
        assert_eq!(mask.pass(b"sword\xff\n"), b"my [MASKED]\xff\n");
        assert_eq!(mask.pass(b"pass"), b"");
        assert_eq!(mask.finish(), b"[MASKED]");
    }
}
