//! Something that a runner needs and that ends, as plain data, to be shown in any form.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// For people: what it is, whose, and in which key of the configuration it stands.
    pub what: String,
    pub ends: Timestamp,
    /// What to do about it, as the end of a sentence.
    pub remedy: String,
}

impl Expiry {
    /// What ends when.
    #[must_use]
    pub fn text(&self) -> String {
        let (what, date) = (&self.what, self.ends.date());
        match self.ends.rest() {
            Some(rest) => format!("{what} ends in {}, at {date}", in_words(rest)),
            None => format!("{what} ended at {date}"),
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text(), self.remedy)
    }
}

/// In whole days, or hours of the last one.
fn in_words(rest: Duration) -> String {
    let hours = rest.as_secs() / 3600;
    match (hours / 24, hours) {
        (0, 0) => "less than an hour".to_owned(),
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::in_words;

    #[test]
    fn a_rest_is_told_in_days_and_its_last_day_in_hours() {
        for (hours, words) in [
            (0, "less than an hour"),
            (1, "1 hour"),
            (23, "23 hours"),
            (24, "1 day"),
            (49, "2 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(hours * 3600 + 59)), words);
        }
    }
}
