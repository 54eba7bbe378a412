//! What has happened since the start, counted for whoever watches the service: jobs that ended, requests, seconds.
//!
//! One registry for the process, for what is counted happens everywhere. Names and labels follow Prometheus'
//! rules. It knows nothing of what its numbers are about, and nobody decides by them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use crate::foreign::{Keep, one_line};
use crate::thread::lock;

/// Before the name of everything that is ours.
pub const PREFIX: &str = "heptapod_paas_runner_";

/// A number that only grows, in series that differ in these labels.
pub struct Counter {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

pub static JOBS_ENDED: Counter = Counter {
    name: "jobs_ended_total",
    help: "Jobs of which nothing is left.",
    labels: &["runner", "flavor", "result", "reason"],
};
pub static MACHINE_SECONDS: Counter = Counter {
    name: "machine_seconds_total",
    help: "Seconds of machines, from the push until they were gone.",
    labels: &["runner"],
};
pub static COST: Counter = Counter {
    name: "cost_total",
    help: "What machines have cost, by the prices that are known.",
    labels: &["runner", "group", "currency"],
};
pub static REQUESTS: Counter = Counter {
    name: "requests_total",
    help: "Requests to the services that jobs need, by what came of them.",
    labels: &["service", "endpoint", "outcome"],
};
static COUNTERS: [&Counter; 4] = [&JOBS_ENDED, &MACHINE_SECONDS, &COST, &REQUESTS];

/// How long each of these took.
pub const PHASES: [&str; 5] = ["waited", "provisioned", "booted", "ran", "deleted"];
const PHASE_SECONDS: &str = "job_phase_seconds";
const PHASE_HELP: &str = "How long the phases of jobs took that have ended.";
/// Seconds, from a quick answer to a long job.
const BOUNDS: [u32; 13] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400];

/// Names that others choose must not fill the memory: what is more of one counter is one series.
const SERIES: usize = 1000;
const OTHER: &str = "other";
/// As much of a label's value as a person reads.
const SHOWN: usize = 80;

#[derive(Clone, Copy)]
struct Histogram {
    /// How many were at most as long as each bound.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

const NONE: Histogram = Histogram {
    buckets: [0; BOUNDS.len()],
    count: 0,
    sum: 0.0,
};

struct Meters {
    counters: BTreeMap<(&'static str, String), f64>,
    phases: [Histogram; PHASES.len()],
}

static METERS: Mutex<Meters> = Mutex::new(Meters {
    counters: BTreeMap::new(),
    phases: [NONE; PHASES.len()],
});

impl Counter {
    /// Adds to the series with these labels, in the order in which the counter has them.
    pub fn add(&self, values: &[&str], by: f64) {
        let mut meters = lock(&METERS);
        let mut key = (self.name, self.series(values));
        if !meters.counters.contains_key(&key) {
            let own = meters.counters.range((self.name, String::new())..);
            if own.take_while(|((name, _), _)| *name == self.name).count() >= SERIES {
                key.1 = self.series(&vec![OTHER; self.labels.len()]);
            }
        }
        *meters.counters.entry(key).or_default() += by;
    }

    fn series(&self, values: &[&str]) -> String {
        let pairs = self.labels.iter().copied().zip(values.iter().copied());
        labels(pairs)
    }
}

/// A job's phase took so long; which one, by its place in [`PHASES`].
pub fn observe(phase: usize, took: Duration) {
    let mut meters = lock(&METERS);
    let Some(histogram) = meters.phases.get_mut(phase) else {
        return;
    };
    let seconds = took.as_secs_f64();
    for (bound, count) in BOUNDS.iter().zip(&mut histogram.buckets) {
        *count += u64::from(seconds <= f64::from(*bound));
    }
    histogram.count += 1;
    histogram.sum += seconds;
}

/// Labels as they are written, in braces, unless there is none.
pub fn labels<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(name);
        text.push_str("=\"");
        for c in one_line(value, Keep::Start(SHOWN)).chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// The head of a family.
pub fn write_head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = write!(
        text,
        "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n"
    );
}

/// All that was counted, in Prometheus' text format.
pub fn write(text: &mut String) {
    let meters = lock(&METERS);
    for counter in COUNTERS {
        write_head(text, counter.name, counter.help, "counter");
        for ((name, series), value) in &meters.counters {
            if *name == counter.name {
                let _ = writeln!(text, "{PREFIX}{name}{series} {value}");
            }
        }
    }
    write_head(text, PHASE_SECONDS, PHASE_HELP, "histogram");
    for (phase, histogram) in PHASES.iter().zip(&meters.phases) {
        let bounds = BOUNDS.iter().map(u32::to_string);
        let infinite = ("+Inf".to_owned(), histogram.count);
        let buckets = bounds.zip(histogram.buckets).chain([infinite]);
        for (bound, count) in buckets {
            let _ = writeln!(
                text,
                "{PREFIX}{PHASE_SECONDS}_bucket{{phase=\"{phase}\",le=\"{bound}\"}} {count}"
            );
        }
        let (sum, count) = (histogram.sum, histogram.count);
        let _ = write!(
            text,
            "{PREFIX}{PHASE_SECONDS}_sum{{phase=\"{phase}\"}} {sum}\n\
             {PREFIX}{PHASE_SECONDS}_count{{phase=\"{phase}\"}} {count}\n"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counter, OTHER, SERIES, labels, observe, write};
    use crate::thread::lock;

    static TEST: Counter = Counter {
        name: "test_total",
        help: "",
        labels: &["who"],
    };

    #[test]
    fn names_that_others_choose_neither_break_a_line_nor_fill_the_memory() {
        let strange = labels([("a", "x\"} 1\n\\"), ("b", "")].into_iter());
        assert_eq!(strange, r#"{a="x\"} 1 \\",b=""}"#);
        for number in 0..SERIES + 10 {
            TEST.add(&[&number.to_string()], 1.0);
        }
        let others = (TEST.name, format!("{{who=\"{OTHER}\"}}"));
        assert_eq!(lock(&super::METERS).counters.get(&others), Some(&10.0));
    }

    #[test]
    fn a_phase_is_counted_in_every_bucket_that_has_room_for_it() {
        observe(4, Duration::from_millis(5500));
        let mut text = String::new();
        write(&mut text);
        for line in [
            "phase_seconds_bucket{phase=\"deleted\",le=\"5\"} 0",
            "phase_seconds_bucket{phase=\"deleted\",le=\"10\"} 1",
            "phase_seconds_bucket{phase=\"deleted\",le=\"+Inf\"} 1",
            "phase_seconds_sum{phase=\"deleted\"} 5.5",
            "phase_seconds_count{phase=\"deleted\"} 1",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
