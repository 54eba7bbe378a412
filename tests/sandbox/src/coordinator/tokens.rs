//! Tokens in their usual shapes, each given out once; and times as GitLab writes them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids;

/// A short one, or a JWT of this size.
pub fn job_token(bytes: Option<usize>) -> String {
    let Some(bytes) = bytes else {
        return format!("glcbt-64_{}", word(20));
    };
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
    let mut token = format!("glcbt-{head}.");
    while token.len() < bytes {
        token.push_str(&word(24));
    }
    token.truncate(bytes - 1);
    token.insert(bytes / 4 * 3, '.');
    token
}

/// As `POST /runners` gives it to a runner that registers.
pub fn runner_token() -> String {
    format!("t1_{}", word(20))
}

fn word(length: usize) -> String {
    let seed = [ids::uuid(), ids::uuid()].concat();
    let mut word = URL_SAFE_NO_PAD.encode(seed.replace('-', ""));
    word.truncate(length);
    word
}

/// `2026-08-20T09:00:01Z`
pub fn iso_of(at: Instant) -> String {
    let since = (SystemTime::now() - at.elapsed()).duration_since(UNIX_EPOCH);
    iso(since.map_or(0, |since| since.as_secs()))
}

/// The same, of seconds since 1970.
pub(crate) fn iso(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970 as a date: Howard Hinnant's `civil_from_days`, for years that begin in March.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_right_around_a_leap_day() {
        assert_eq!(iso(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(iso(1_709_251_200), "2024-03-01T00:00:00Z");
    }

    #[test]
    fn job_tokens_differ_within_their_first_letters() {
        let (one, other) = (job_token(Some(1536)), job_token(Some(1536)));
        assert_eq!(one.len(), 1536);
        assert_ne!(one[..80], other[..80]);
    }
}
