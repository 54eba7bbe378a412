//! What was found while the file was read: all of it, to be told at once.

use std::cell::RefCell;
use std::ops::Range;
use std::path::PathBuf;

use crate::fact::{Fact, Verdict};

/// The whole file, and what was found in it so far.
pub struct Written<'a> {
    text: &'a str,
    /// Whether secrets are fetched from where the file says that they are.
    pub fetches_secrets: bool,
    found: RefCell<Vec<Fact>>,
    secret_files: RefCell<Vec<SecretFile>>,
}

/// A file that a key names, with secrets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Of the key.
    pub line: usize,
    pub path: PathBuf,
}

impl<'a> Written<'a> {
    #[must_use]
    pub const fn new(text: &'a str, fetches_secrets: bool) -> Self {
        Self {
            text,
            fetches_secrets,
            found: RefCell::new(Vec::new()),
            secret_files: RefCell::new(Vec::new()),
        }
    }

    /// Counted from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        line_and_column(self.text, span.start).0
    }

    pub fn note(&self, span: &Range<usize>, fact: Fact) {
        let fact = fact.at(self.line(span));
        self.found.borrow_mut().push(fact);
    }

    pub fn has_secrets_in(&self, file: SecretFile) {
        self.secret_files.borrow_mut().push(file);
    }

    /// All that was found, in the order of the file, and the files of secrets.
    #[must_use]
    pub fn into_found(self) -> (Vec<Fact>, Vec<SecretFile>) {
        let mut found = self.found.into_inner();
        found.sort_by_key(|fact| fact.line);
        found.dedup();
        (found, self.secret_files.into_inner())
    }
}

/// A file's text as if it came from here: a line ends with a line feed, and nothing marks the beginning.
pub(super) fn as_lines(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", "\n")
}

/// Both counted from 1, the column in characters.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Something that must be changed.
pub fn wrong(subject: &str, text: impl Into<String>) -> Fact {
    Fact::new(subject, Verdict::Bad, text)
}
