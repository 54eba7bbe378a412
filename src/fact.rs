//! What was found out about one thing that must work: for a person who can mend it.
//!
//! The configuration, an executor and the checks all tell what they find as a [`Fact`], so that a
//! check before the start, the start itself and the service later say the same of the same thing. How
//! facts are shown, and what follows from them, is for others.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about: a key, a service, a program. A word or two.
    pub subject: String,
    /// Where it is written in the configuration, counted from 1.
    pub line: Option<usize>,
    pub verdict: Verdict,
    /// What was seen, as a sentence without its end.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// It works, but may not be what was meant, or is not wise.
    Doubtful,
    /// It could not be found out.
    Unknown,
    /// It won't work for some jobs; others are not concerned.
    BadForSome,
    /// Nothing can work.
    Bad,
}

impl Fact {
    #[must_use]
    pub fn new(subject: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            subject: subject.to_owned(),
            line: None,
            verdict,
            text: text.into(),
            remedy: None,
        }
    }

    #[must_use]
    pub fn good(subject: &str, text: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Good, text)
    }

    #[must_use]
    pub fn bad(subject: &str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Bad, text).remedy(remedy)
    }

    #[must_use]
    pub fn unknown(subject: &str, text: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Unknown, text)
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    #[must_use]
    pub const fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl Verdict {
    /// Whether something won't work.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::BadForSome | Self::Bad)
    }
}

/// On one line, without the subject: `12: text; remedy`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        f.write_str(&self.text)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
