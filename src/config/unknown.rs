//! Keys that nobody reads: probably misspelt.
//!
//! A runner's section is mostly the inner runner's, so only keys that look like ours are reported
//! there: the ones with our prefixes, and near misses. They are warnings, since a key that a later
//! version knows must not keep this one from starting.

use super::keys::{self, Whose};
use super::values::ExecutorKind;
use super::written::Section;

/// Warnings about the keys of a section that is ours alone.
pub(super) fn in_our_section(section: &Section<'_>, whose: Whose) -> Vec<String> {
    unknown(section, &[whose], |_, _| true)
}

/// Warnings about the keys of a runner's section, which we share with the inner runner.
pub(super) fn in_runner(section: &Section<'_>, executor: Option<ExecutorKind>) -> Vec<String> {
    unknown(section, &Whose::in_runner_with(executor), |key, meant| {
        keys::has_our_prefix(key) || meant.is_some()
    })
}

/// `is_suspicious`: whether to tell of a key, which may be a misspelt one of ours.
fn unknown(
    section: &Section<'_>,
    whose: &[Whose],
    is_suspicious: fn(&str, Option<&str>) -> bool,
) -> Vec<String> {
    let known: Vec<_> = keys::names_of(whose).collect();
    let unknown = section
        .written_keys()
        .filter(|(key, _)| !known.contains(key) && !keys::is_gitlab_runners(key, whose));
    let warnings = unknown.filter_map(|(key, line)| {
        let meant = suggestion(key, &known);
        let hint = meant.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let title = section.title();
        is_suspicious(key, meant)
            .then(|| format!("line {line}: unknown key `{key}` in {title}{hint}"))
    });
    warnings.collect()
}

/// The known key that is nearest, when it is near.
fn suggestion(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = 1 + key.len() / 6;
    let distances = known.iter().map(|known| (distance(key, known), *known));
    let (distance, nearest) = distances.min()?;
    (distance <= near).then_some(nearest)
}

/// How many letters have to be added, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn misspelt_keys_get_a_suggestion_and_strange_ones_none() {
        let known = ["concurrent", "state_file", "cc_token"];
        assert_eq!(suggestion("concurent", &known), Some("concurrent"));
        assert_eq!(suggestion("statefile", &known), Some("state_file"));
        assert_eq!(suggestion("cc_tokn", &known), Some("cc_token"));
        assert_eq!(suggestion("environment", &known), None);
    }
}
