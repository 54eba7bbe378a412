//! Keys that nobody reads: probably misspelt, or gitlab-runner's and of no effect here.
//!
//! A runner's section is mostly the inner runner's, so only keys that look like ours are reported
//! there: the ones with our prefixes, and near misses. They are doubts, since a key that a later
//! version knows must not keep this one from starting.

use super::keys::{self, Whose};
use super::values::ExecutorKind;
use super::written::Section;

/// Keys of gitlab-runner that have no effect here, in the tables in which it has them, and what to use
/// instead. Those without a word on that are written by programs. What the inner runner obeys is not
/// among them.
const GITLAB_RUNNERS: [(Whose, &[Foreign]); 2] = [
    (
        Whose::Service,
        &[
            ("experimental", Some("take it out")),
            ("labels", Some("take it out")),
            (
                "sentry_dsn",
                Some("errors are in the log, from which a shipper may take them"),
            ),
            (
                "session_server",
                Some("the terminals of jobs can't be reached on their machines"),
            ),
            (
                "shutdown_timeout",
                Some(
                    "a stop waits for no job: their machines go on, and so does the next start; \
                     take it out",
                ),
            ),
            ("user", Some("`User=` in the unit says as whom it runs")),
        ],
    ),
    (
        Whose::Shared,
        &[
            ("id", None),
            ("labels", None),
            ("token_obtained_at", None),
            ("token_expires_at", None),
            (
                "strict_check_interval",
                Some(
                    "`paas_repoll_same_runner_immediately`, a global key, says whether a runner asks \
                     again at once after a grant",
                ),
            ),
            ("unhealthy_requests_limit", Some(BACKOFF)),
            ("unhealthy_interval", Some(BACKOFF)),
            ("monitoring", Some(NO_METRICS)),
            ("referees", Some(NO_METRICS)),
            ("machine", Some(MACHINES)),
            ("autoscaler", Some(MACHINES)),
            ("autoscaling", Some(MACHINES)),
            ("instance", Some(MACHINES)),
            ("kubernetes", Some(MACHINES)),
            ("ssh", Some(MACHINES)),
            ("virtualbox", Some(MACHINES)),
            ("parallels", Some(MACHINES)),
            ("custom", Some(MACHINES)),
        ],
    ),
];
type Foreign = (&'static str, Option<&'static str>);
const NO_METRICS: &str = "`listen_address`, a global key, serves what is known of all runners";
const BACKOFF: &str =
    "a coordinator in trouble is asked less and less often by itself, every 30 s at least";
const MACHINES: &str = "every job has a machine of its own here, on which the executor is docker: \
                        [runners.docker] is what counts";

/// Notes the keys of a section that is ours alone.
pub(super) fn in_our_section(section: &Section<'_>, whose: Whose) {
    note(section, &[whose], |_, _| true);
}

/// Notes the keys of a runner's section, which we share with the inner runner.
pub(super) fn in_runner(section: &Section<'_>, executor: Option<ExecutorKind>) {
    note(section, &Whose::in_runner_with(executor), |key, meant| {
        keys::has_our_prefix(key) || meant.is_some()
    });
}

/// `is_suspicious`: whether to tell of a key, which may be a misspelt one of ours.
fn note(section: &Section<'_>, whose: &[Whose], is_suspicious: fn(&str, Option<&str>) -> bool) {
    let known: Vec<_> = keys::names_of(whose).collect();
    let title = section.title();
    for key in section.written_keys().filter(|key| !known.contains(key)) {
        match gitlab_runners(key, whose) {
            Some((_, Some(instead))) => {
                let what = format!("`{key}` in {title} has no effect here");
                section.doubt_at(key, what, *instead);
            }
            Some((_, None)) => {}
            None => {
                let meant = suggestion(key, &known);
                if is_suspicious(key, meant) {
                    let what = format!("unknown key `{key}` in {title}");
                    let remedy = meant.map_or_else(
                        || "take it out, or see the manual for what there is".to_owned(),
                        |known| format!("did you mean `{known}`?"),
                    );
                    section.doubt_at(key, what, remedy);
                }
            }
        }
    }
}

/// The key of gitlab-runner that this is, if it is one in these tables.
fn gitlab_runners(name: &str, whose: &[Whose]) -> Option<&'static Foreign> {
    let tables = GITLAB_RUNNERS.iter();
    let tables = tables.filter(|(table, _)| whose.contains(table));
    let mut all = tables.flat_map(|(_, keys)| *keys);
    all.find(|(key, _)| *key == name)
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
