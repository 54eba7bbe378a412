//! What a typed answer must be to stand in a configuration. Each says what is wrong with it.

use crate::config::values;

pub fn plain_text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("it must not be empty".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("there must be no control characters in it".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// TOML's own integers end there.
pub fn positive(text: &str) -> Result<u64, String> {
    let number: Option<i64> = text.parse().ok().filter(|number| *number > 0);
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is not a whole number above 0"))
}

pub fn address(text: &str) -> Result<String, String> {
    values::address(text).map_err(|why| format!("it {why}"))
}

pub fn id(text: &str) -> Result<String, String> {
    values::id(text).map_err(|why| format!("it {why}"))
}

#[cfg(test)]
mod tests {
    use super::{plain_text, positive};

    #[test]
    fn answers_that_would_make_no_configuration_are_refused() {
        assert_eq!(positive("12"), Ok(12));
        for bad in ["", "0", "-1", "abc", "1.5", "99999999999999999999"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
        assert!(plain_text("my runner").is_ok() && plain_text("a\u{7f}").is_err());
    }
}
