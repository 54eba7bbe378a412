//! Numbers of the configuration: each in the range of its key's [`Kind`](super::keys::Kind), so that no time is
//! endless, no pause a flood, and nothing that follows from one overflows.

use std::time::Duration;

use toml::de::DeValue;

use super::keys::{Key, Unwritten};
use super::written::Section;

/// Nobody means to ask without a pause at all.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const MOST_MONEY: f64 = 1e9;
const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 24 * 3600);

impl Section<'_> {
    /// A number of what must not be none. A missing one without a default is a problem, too.
    pub fn count(&self, key: &Key) -> u64 {
        if !self.has(key) && key.unwritten == Unwritten::Required {
            let (name, title, wanted) = (key.name(), self.title(), key.kind.wanted());
            self.problem_at(key, format!("`{name}` is missing in {title}: {wanted}"));
        }
        self.read_or_default(key, |value| whole(value).filter(|count| *count > 0))
    }

    /// A number that may be 0.
    pub fn limit(&self, key: &Key) -> u64 {
        self.read_or_default(key, whole)
    }

    /// A pause between two requests, of which too short a one means a short moment.
    pub fn pause(&self, key: &Key) -> Duration {
        let written = self.read(key, |value| seconds(value, LONGEST_PAUSE));
        let written = written.filter(|pause| !pause.is_zero());
        written
            .or_else(|| default_of(key))
            .unwrap_or_default()
            .max(SHORTEST_PAUSE)
    }

    /// The least time between two deeds.
    pub fn spacing(&self, key: &Key) -> Duration {
        let written = self.read(key, |value| seconds(value, LONGEST_PAUSE));
        written.or_else(|| default_of(key)).unwrap_or_default()
    }

    /// How long something may take; with no time at all it would be over before it began.
    pub fn patience(&self, key: &Key) -> Duration {
        let written = self.read(key, |value| {
            seconds(value, LONGEST_PATIENCE).filter(|time| !time.is_zero())
        });
        written.or_else(|| default_of(key)).unwrap_or_default()
    }

    /// After what time something is taken anew: a number of seconds, or as gitlab-runner writes it.
    pub fn age(&self, key: &Key) -> Duration {
        let written = self.read(key, |value| match value.as_str() {
            Some(text) => humantime::parse_duration(text)
                .ok()
                .filter(|age| *age <= LONGEST_PATIENCE),
            None => seconds(value, LONGEST_PATIENCE),
        });
        let default = || humantime::parse_duration(&key.default::<String>()?).ok();
        written.or_else(default).unwrap_or_default()
    }

    /// A sum of money, if one is written.
    pub fn money(&self, key: &Key) -> Option<f64> {
        self.read(key, |value| {
            number(value).filter(|sum| *sum > 0.0 && *sum <= MOST_MONEY)
        })
    }

    /// A number above 0 and at most 1.
    pub fn share(&self, key: &Key) -> f64 {
        self.read_or_default(key, |value| {
            number(value).filter(|share| *share > 0.0 && *share <= 1.0)
        })
    }
}

fn default_of(key: &Key) -> Option<Duration> {
    Duration::try_from_secs_f64(key.default()?).ok()
}

fn seconds(value: &DeValue<'_>, longest: Duration) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(number(value)?).ok()?;
    (time <= longest).then_some(time)
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => {
            let whole = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            Some(whole as f64)
        }
        _ => None,
    }
}
