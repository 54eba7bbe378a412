//! A string that never prints.
//!
//! Tokens, passwords and whatever else opens a door live in [`Secret`] from the moment they are
//! read. It has no `Display`, and its `Debug` says `[redacted]`, so that no log line, error or
//! panic message can show one by accident. [`Secret::reveal`] is called on the few lines that
//! build a header, a body, or the state file.

use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one line that hands it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without any of these.
    #[must_use]
    pub fn scrub_all<'a>(secrets: impl IntoIterator<Item = &'a Self>, text: &str) -> String {
        let secrets = secrets.into_iter();
        secrets.fold(text.to_owned(), |text, secret| secret.scrub(&text))
    }

    /// `text` without this secret: remote services like to quote what they were sent.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.0, "[redacted]")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_never_prints_and_is_scrubbed_from_foreign_texts() {
        let secret = Secret::new("s3same");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(secret.scrub("bad token s3same!"), "bad token [redacted]!");
        assert_eq!(Secret::new("").scrub("text"), "text");
    }
}
