//! The computer's clock: for people, and for what must survive a restart.
//!
//! What this program decides while it runs it decides by [`Instant`], which can't be set. A
//! [`Timestamp`] can be wrong by as much as the clock is.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::fact::{Fact, Verdict};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

/// Longer than any machine lives: a timestamp that is farther away comes from a clock that was wrong.
const FARTHEST: Duration = Duration::from_secs(400 * 24 * 3600);
/// Certificates and signatures bear with less than so many seconds.
const BORNE: u64 = 60;

/// The end of the year 9999, behind which dates are not written any more.
const LATEST: u64 = 253_402_300_799;

impl Timestamp {
    #[must_use]
    pub fn now() -> Self {
        Self(since_1970().as_secs())
    }

    /// How much later than `earlier` it is; nothing, if it isn't.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// So much earlier.
    #[must_use]
    pub const fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time.as_secs()))
    }

    /// What the clock will show at `moment`; now, if that is over.
    #[must_use]
    pub fn of(moment: Instant) -> Self {
        let rest = moment.saturating_duration_since(Instant::now());
        Self((since_1970() + rest).as_secs())
    }

    /// As Clever Cloud counts.
    #[must_use]
    pub const fn of_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds / 1000)
    }

    /// Since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Out of a text like `2026-12-01T09:30:00.000+02:00`. Without a zone it is universal time; a
    /// zone's name in brackets says nothing that the rest doesn't.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.split('[').next()?;
        let (moment, rest) = text.split_at_checked("2026-12-01T09:30:00".len())?;
        let moment = humantime::parse_rfc3339_weak(moment).ok()?;
        let moment = moment.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let digit = |c: char| c == '.' || c.is_ascii_digit();
        let zone = rest.trim_start_matches(digit).replace(':', "");
        if zone.is_empty() || zone == "Z" {
            return Some(Self(moment));
        }
        let (sign, zone) = zone.split_at_checked(1)?;
        let (hours, minutes) = zone.split_at_checked(2)?;
        let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
        let ahead = hours
            .checked_mul(3600)?
            .checked_add(minutes.checked_mul(60)?)?;
        match sign {
            "+" => moment.checked_sub(ahead),
            "-" => moment.checked_add(ahead),
            _ => None,
        }
        .map(Self)
    }

    /// How long until then; none, if it is over.
    #[must_use]
    pub fn rest(self) -> Option<Duration> {
        Duration::from_secs(self.0).checked_sub(since_1970())
    }

    /// For people, to the minute and in universal time.
    #[must_use]
    pub fn date(self) -> String {
        let moment = UNIX_EPOCH + Duration::from_secs(self.0.min(LATEST));
        let text = humantime::format_rfc3339_seconds(moment).to_string();
        let minute = text.get(.."2026-12-01T09:30".len()).unwrap_or(&text);
        format!("{} UTC", minute.replace('T', " "))
    }

    /// Its year and month, `2026-11`, in universal time.
    #[must_use]
    pub fn month(self) -> String {
        let date = self.date();
        date.get(.."2026-11".len()).unwrap_or(&date).to_owned()
    }

    /// When the clock shows this; now, if it has shown it already.
    #[must_use]
    pub fn moment(self) -> Instant {
        let rest = Duration::from_secs(self.0).saturating_sub(since_1970());
        Instant::now() + rest.min(FARTHEST)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`. The older ways are not understood.
#[must_use]
pub fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|known| known == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// How far the clock here is off from that of a service; none, where it is right.
#[must_use]
pub fn skew(there: SystemTime, service: &str) -> Option<Fact> {
    let off = there.duration_since(SystemTime::now());
    let (off, direction) = match off {
        Ok(ahead) => (ahead.as_secs(), "behind"),
        Err(behind) => (behind.duration().as_secs(), "ahead of"),
    };
    (off > BORNE).then(|| {
        let text = format!("the clock here is {off} s {direction} that of {service}");
        Fact::new("clock", Verdict::BadForSome, text)
            .remedy("set it by a time server: certificates and signatures depend on it")
    })
}

/// A clock that was never set may be before all that can be written.
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FARTHEST, Timestamp, http_date};

    #[test]
    fn the_moment_of_an_answer_is_read() {
        let moment = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let written = humantime::format_rfc3339_seconds(moment).to_string();
        assert_eq!(written, "1994-11-06T08:49:37Z");
        for other in [
            "",
            "now",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(other), None, "{other}");
        }
    }

    #[test]
    fn moments_of_services_are_read_and_shown() {
        let nine_thirty = Timestamp(1_796_117_400);
        for text in [
            "2026-12-01T09:30:00Z",
            "2026-12-01T09:30:00.000Z",
            "2026-12-01 09:30:00",
            "2026-12-01T11:30:00.123+02:00",
            "2026-12-01T04:00:00-0530",
            "2026-12-01T09:30:00.123456789Z[UTC]",
        ] {
            assert_eq!(Timestamp::read(text), Some(nine_thirty), "{text}");
        }
        for text in [
            "",
            "never",
            "2026-12-01",
            "2026-13-01T09:30:00Z",
            "2026-12-01T09:30:00+",
            "2026-12-01T09:30:00+ä9",
            "2026-12-01T09:30:00*0200",
            "1970-01-01T00:00:00+02:00",
        ] {
            assert_eq!(Timestamp::read(text), None, "{text}");
        }
        assert_eq!(nine_thirty.date(), "2026-12-01 09:30 UTC");
        assert_eq!(Timestamp::of_milliseconds(1_796_117_400_999), nine_thirty);
        assert_eq!(Timestamp(u64::MAX).date(), "9999-12-31 23:59 UTC");
        assert_eq!(Timestamp(0).rest(), None);
    }

    #[test]
    fn a_moment_survives_a_restart_and_none_is_farther_away_than_machines_live() {
        let in_an_hour = Instant::now() + Duration::from_secs(3600);
        let again = Timestamp::of(in_an_hour).moment();
        let off = again.max(in_an_hour) - again.min(in_an_hour);
        assert!(off <= Duration::from_secs(2), "{off:?}");
        assert!(Timestamp(0).moment() <= Instant::now());
        assert!(Timestamp(u64::MAX).moment() <= Instant::now() + FARTHEST);
    }
}
