//! Keys that nobody reads: probably misspelt.
//!
//! A runner's section is mostly the inner runner's, so only keys that look like ours are reported
//! there: the ones with our prefixes, and near misses. They are warnings, since a key that a later
//! version knows must not keep this one from starting.

use super::written::Section;

/// Global keys of gitlab-runner that mean nothing here, but often stand there.
const FOREIGN: [&str; 6] = [
    "connection_max_age",
    "listen_address",
    "sentry_dsn",
    "session_server",
    "shutdown_timeout",
    "user",
];

/// Keys of the inner runner that look like a key of ours without being one.
const INNER: [&str; 3] = ["id", "limit", "labels"];

/// Warnings about the keys of a section that is ours alone.
pub(super) fn in_our_section(section: &Section<'_>) -> Vec<String> {
    let unknown = section.unknown_keys();
    let unknown = unknown
        .iter()
        .filter(|(key, _)| !FOREIGN.contains(&key.as_str()));
    unknown
        .map(|(key, line)| warning(section, key, *line))
        .collect()
}

/// Warnings about the keys of a section that we share with the inner runner.
pub(super) fn in_shared_section(section: &Section<'_>) -> Vec<String> {
    let unknown = section.unknown_keys();
    let suspicious = unknown.iter().filter(|(key, _)| {
        let ours = key.starts_with("cc_") || key.starts_with("paas_");
        ours || !INNER.contains(&key.as_str()) && suggestion(key, &section.known_keys()).is_some()
    });
    suspicious
        .map(|(key, line)| warning(section, key, *line))
        .collect()
}

fn warning(section: &Section<'_>, key: &str, line: usize) -> String {
    let hint = suggestion(key, &section.known_keys())
        .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    format!(
        "line {line}: unknown key `{key}` in {}{hint}",
        section.title()
    )
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
