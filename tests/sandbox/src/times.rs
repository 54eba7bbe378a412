//! Times as the services write them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, as the API gives times.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// As GitLab writes them: `2026-08-20T09:00:01Z`.
pub(crate) fn iso_of(at: Instant) -> String {
    let since = (SystemTime::now() - at.elapsed()).duration_since(UNIX_EPOCH);
    format!("{}Z", iso(since.map_or(0, |since| since.as_secs())))
}

/// As version 4 of Clever Cloud's API does, of milliseconds: `2026-05-28T20:27:11.123Z`. Such texts are in
/// order as their times are.
pub(crate) fn iso_of_ms(ms: u64) -> String {
    format!("{}.{:03}Z", iso(ms / 1000), ms % 1000)
}

fn iso(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
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
        assert_eq!(iso(1_709_251_199), "2024-02-29T23:59:59");
        assert_eq!(iso(1_709_251_200), "2024-03-01T00:00:00");
        assert_eq!(iso_of_ms(1_780_000_031_123), "2026-05-28T20:27:11.123Z");
    }
}
