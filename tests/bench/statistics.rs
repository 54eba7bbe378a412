//! A few numbers for many. It may not know what they are of.

use std::time::{Duration, Instant};

/// The smallest value that so large a part of all values does not exceed; none, where there are none.
pub fn percentile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let exceeded_by_none = values.len() as f64 * part;
    let at = (0..values.len()).find(|at| (at + 1) as f64 >= exceeded_by_none)?;
    values.get(at).copied()
}

pub fn median(values: Vec<f64>) -> Option<f64> {
    percentile(values, 0.5)
}

pub fn largest(values: Vec<f64>) -> Option<f64> {
    percentile(values, 1.0)
}

/// How many of these moments there are at most within such a time.
pub fn most_within(window: Duration, mut moments: Vec<Instant>) -> usize {
    moments.sort();
    let mut first = 0;
    let mut most = 0;
    for (last, at) in moments.iter().enumerate() {
        while moments[first] + window <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// How many of these spans there are at most at the same time.
pub fn most_at_once(spans: &[(Instant, Instant)]) -> usize {
    let at_begin = spans.iter().map(|(begin, _)| {
        let covers = |span: &&(Instant, Instant)| span.0 <= *begin && *begin < span.1;
        spans.iter().filter(covers).count()
    });
    at_begin.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = || (1..=20).rev().map(f64::from).collect::<Vec<_>>();
        assert_eq!(percentile(values(), 0.95), Some(19.0));
        assert_eq!(median(values()), Some(10.0));
        assert_eq!(largest(values()), Some(20.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_window_ends_before_the_moment_that_is_as_far_away_as_it_is_long() {
        let begin = Instant::now();
        let at = |ms: &[u64]| -> Vec<_> {
            let ms = ms.iter().map(|ms| begin + Duration::from_millis(*ms));
            ms.collect()
        };
        let second = Duration::from_secs(1);
        assert_eq!(most_within(second, at(&[0, 999, 500, 1000])), 3);
        assert_eq!(most_within(second, at(&[0, 1000, 2000])), 1);
        assert_eq!(most_within(second, Vec::new()), 0);
    }

    #[test]
    fn spans_that_only_touch_are_not_at_once() {
        let begin = Instant::now();
        let span = |from, until| {
            let at = |ms| begin + Duration::from_millis(ms);
            (at(from), at(until))
        };
        assert_eq!(most_at_once(&[span(0, 10), span(10, 20)]), 1);
        assert_eq!(most_at_once(&[span(0, 11), span(10, 20), span(5, 12)]), 3);
        assert_eq!(most_at_once(&[]), 0);
    }
}
