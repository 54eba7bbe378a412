//! What the coordinator sent with a grant, and the few things we read in it.
//!
//! A payload belongs to the inner runner. It is kept as the text that came, so that key order,
//! big numbers and unknown keys pass through unchanged, and a payload that is nested too deeply
//! for a tree can still be refused in proper form. GitLab page, 1.7. Only what is no JSON by a hair
//! is mended, and what can't be used at all is told apart by whether its job can be failed.

mod damage;
mod dependency_proxy;
mod origin;
mod reason;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::value::RawValue;

pub use self::reason::FailureReason;
use crate::json::Fields;
use crate::names::{JobId, ProjectId};
use crate::secret::Secret;

/// What every call about a job needs: the job's own token is all that its coordinator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCredentials {
    pub id: JobId,
    pub token: Secret,
}

/// A granted job.
#[derive(Clone)]
pub struct Payload {
    text: Box<RawValue>,
    pub credentials: JobCredentials,
    /// Where the job's log can be read with a user's token.
    pub project: Option<ProjectId>,
    timeout: Option<Duration>,
    /// Those of ours that its coordinator knows.
    failure_reasons: Vec<FailureReason>,
    queued: Option<Duration>,
    variables: Vec<Variable>,
}

/// A grant of which no job can be made.
#[derive(Debug)]
pub struct Unusable {
    /// A sentence's end, without anything that the payload says.
    pub why: String,
    /// With these its job can be failed, at least.
    pub credentials: Option<JobCredentials>,
}

#[derive(Clone)]
struct Variable {
    key: String,
    value: String,
}

/// Its text, and what its variables say, are the job's secrets.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload(job {})", self.credentials.id)
    }
}

impl Variable {
    fn read(written: &RawValue) -> Option<Self> {
        let fields = Fields::of(written).ok()?;
        Some(Self {
            key: fields.text("key")?,
            value: fields.text("value")?,
        })
    }
}

/// The variables that we act on; the others stay in the text alone.
const READ_VARIABLES: [&str; 5] = [
    FLAVOR,
    origin::ROOT_NAMESPACE,
    origin::PROJECT_PATH,
    origin::USER,
    dependency_proxy::PREFIX,
];
/// GitLab allows a month; a year is as good as no limit, and far from where times end.
const LONGEST_TIMEOUT: u64 = 365 * 24 * 3600;
const FLAVOR: &str = "CI_CLEVER_CLOUD_FLAVOR";

impl Payload {
    /// # Errors
    /// What is missing: without a numeric `id` and a `token` nobody can speak for the job. Anything
    /// else may be absent or strange.
    pub fn parse(text: &[u8]) -> Result<Self, Unusable> {
        let text = damage::mended(text);
        let payload = serde_json::from_str(&text)
            .map_err(|error| not_json(&error))
            .and_then(Self::from_raw)
            .and_then(|payload| {
                let token = payload.credentials.token.reveal();
                let is_token = damage::is_token(token);
                is_token
                    .then_some(payload)
                    .ok_or_else(|| NO_TOKEN.to_owned())
            });
        payload.map_err(|why| Unusable {
            why,
            credentials: damage::credentials(&text),
        })
    }

    /// # Errors
    /// Why there is no `id` and no `token` in it.
    pub fn from_raw(text: Box<RawValue>) -> Result<Self, String> {
        // Another program may have written it down as it came.
        let text = match damage::mended(text.get().as_bytes()) {
            Cow::Owned(mended) => {
                RawValue::from_string(mended).map_err(|error| not_json(&error))?
            }
            Cow::Borrowed(_) => text,
        };
        let fields = Fields::of(&text).map_err(|error| not_json(&error))?;
        let id = fields.get("id").ok_or("it has no numeric `id`")?;
        let token = fields.text("token").ok_or(NO_TOKEN)?;
        let about = fields.object("job_info");
        let project = about.get("project_id").map(ProjectId);
        let queued: Option<f64> = about.get("time_in_queue_seconds");
        let timeout: Option<u64> = fields.object("runner_info").get("timeout");
        let timeout = timeout.filter(|seconds| *seconds > 0);
        let reasons = fields.object("features").list("failure_reasons");
        let reasons = reasons.into_iter();
        let failure_reasons = reasons
            .filter_map(|reason| serde_json::from_str(reason.get()).ok())
            .collect();
        let variables = fields.list("variables").into_iter();
        let variables = variables
            .filter_map(Variable::read)
            .filter(|variable| READ_VARIABLES.contains(&variable.key.as_str()))
            .collect();
        drop(fields);
        Ok(Self {
            credentials: JobCredentials {
                id: JobId(id),
                token: Secret::new(token),
            },
            project,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.min(LONGEST_TIMEOUT))),
            failure_reasons,
            queued: queued.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            variables,
            text,
        })
    }

    /// How long the job may take, if that is limited.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long it was in the coordinator's queue, if that was said.
    #[must_use]
    pub const fn queued(&self) -> Option<Duration> {
        self.queued
    }

    /// The text as it came.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.text
    }

    /// The machine size that the job asks for; a later variable of the same name wins.
    #[must_use]
    pub fn flavor(&self) -> Option<&str> {
        self.variable(FLAVOR).filter(|flavor| !flavor.is_empty())
    }

    fn variable(&self, key: &str) -> Option<&str> {
        let last = self
            .variables
            .iter()
            .rev()
            .find(|variable| variable.key == key)?;
        Some(&last.value)
    }

    /// The job as it is handed on: as it came, but for images that come through the dependency
    /// proxy.
    #[must_use]
    pub fn for_machine(&self) -> String {
        let as_it_came = || self.text.get().to_owned();
        // A tree takes many times the memory of its text: only where it is needed.
        if self
            .variable(dependency_proxy::PREFIX)
            .is_none_or(str::is_empty)
        {
            return as_it_came();
        }
        let rewritten = serde_json::from_str(self.text.get())
            .ok()
            .and_then(|mut tree| dependency_proxy::rewrite(&mut tree).then(|| tree.to_string()));
        rewritten.unwrap_or_else(as_it_came)
    }

    /// Whether programs that build a tree of it can read the payload: most stop at some depth.
    ///
    /// # Errors
    /// How deeply it is nested.
    pub fn check(&self) -> Result<(), String> {
        match nesting(self.text.get()) {
            depth if depth > DEEPEST => Err(format!("it is nested {depth} levels deep")),
            _ => Ok(()),
        }
    }
}

const NO_TOKEN: &str = "it has no `token`";

/// The error's own words may quote what it met.
fn not_json(error: &serde_json::Error) -> String {
    format!(
        "it is no JSON object (line {}, column {})",
        error.line(),
        error.column()
    )
}

/// What `serde_json` and most others of its kind accept.
const DEEPEST: usize = 127;

/// How many objects and lists of a valid JSON text are inside each other, at most.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{Payload, nesting};

    #[test]
    fn a_job_needs_an_id_and_a_token_and_nothing_else() {
        for (text, expected) in [
            (r#"{"id": 1, "token": "t"}"#, None),
            (
                r#"{"id": 1, "token": "t", "variables": null, "job_info": 3, "image": null}"#,
                None,
            ),
            (r#"{"id": 18446744073709551615, "token": "t"}"#, None),
            (r#"{"id": "../1", "token": "t"}"#, Some("no numeric `id`")),
            (r#"{"id": -1, "token": "t"}"#, Some("no numeric `id`")),
            (r#"{"id": 1}"#, Some("no `token`")),
            (r#"{"id": 1, "token": "t"}{}"#, Some("no JSON object")),
            (r#"{"id": 1, "token": "\ud800"}"#, Some("no `token`")),
            ("[1]", Some("no JSON object")),
            ("<html>", Some("no JSON object")),
        ] {
            let problem = Payload::parse(text.as_bytes()).err();
            let problem = problem.map(|unusable| unusable.why);
            let as_expected = match (&problem, expected) {
                (None, None) => true,
                (Some(problem), Some(expected)) => problem.contains(expected),
                _ => false,
            };
            assert!(as_expected, "{text}: {problem:?}");
        }
    }

    #[test]
    fn the_last_variable_of_a_name_counts_and_strange_ones_don_t_matter() {
        let text = r#"{"id": 1, "token": "t", "variables": [
            {"key": "CI_CLEVER_CLOUD_FLAVOR", "value": "S"}, 3, {"key": "X"}, {"value": "y"},
            {"key": "CI_CLEVER_CLOUD_FLAVOR", "value": "M", "value": "XL", "future": {}}]}"#;
        assert_eq!(
            Payload::parse(text.as_bytes()).unwrap().flavor(),
            Some("XL")
        );
    }

    #[test]
    fn a_jobs_author_can_not_choose_who_pays() {
        let text = r#"{"id": 1, "token": "t", "variables": [
            {"key": "CI_PROJECT_ROOT_NAMESPACE", "value": "acme"},
            {"key": "CI_PROJECT_ROOT_NAMESPACE", "value": "somebody-else"}]}"#;
        let payload = Payload::parse(text.as_bytes()).unwrap();
        assert_eq!(payload.tenant(), Some("acme"));
    }

    #[test]
    fn a_payload_without_a_bottom_can_be_refused_in_proper_form() {
        let deep = format!(
            r#"{{"id": 1, "token": "t", "x": {}{}}}"#,
            "[".repeat(9999),
            "]".repeat(9999)
        );
        let payload = Payload::parse(deep.as_bytes()).unwrap();
        assert_eq!(
            payload.check(),
            Err("it is nested 10000 levels deep".to_owned())
        );
        assert_eq!(payload.for_machine(), deep);
    }

    proptest! {
        #[test]
        fn nesting_is_what_a_reader_counts(text in r#"[\[\]{}",a:\\1 ]{0,40}"#) {
            if let Ok(tree) = serde_json::from_str::<serde_json::Value>(&text) {
                fn depth(tree: &serde_json::Value) -> usize {
                    match tree {
                        serde_json::Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
                        serde_json::Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
                        _ => 0,
                    }
                }
                // A key that stands twice hides what its first value held.
                prop_assert!(nesting(&text) >= depth(&tree));
            }
        }

        /// Run, or failed at its coordinator: never forgotten.
        #[test]
        fn a_grant_that_shows_its_id_and_token_is_not_lost_however_garbled_it_is(
            front in prop::sample::select(vec!["", "\u{feff}", " \n", "\0", ")]}'\n", "<p>\"\"</p>"]),
            damage in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..6),
        ) {
            const SHOWN: &str = r#"{"id": 4711, "token": "glcbt-64_x","#;
            const REST: &str = r#" "job_info": {"id": 4711, "project_id": 42}, "variables": [
                {"key": "CI_CLEVER_CLOUD_FLAVOR", "value": "S\u00e9\ud83d\ude00", "masked": false}],
                "image": null, "dependencies": [{"id": 9, "token": "another"}]} "#;
            let mut rest = REST.as_bytes().to_vec();
            for (place, kind, byte) in damage {
                if rest.is_empty() {
                    break;
                }
                let place = place.index(rest.len());
                match kind {
                    0 => rest[place] = byte,
                    1 => rest.insert(place, byte),
                    2 => drop(rest.remove(place)),
                    _ => rest.truncate(place),
                }
            }
            let text = [front.as_bytes(), SHOWN.as_bytes(), &rest].concat();
            let job = match Payload::parse(&text) {
                Ok(payload) => Some(payload.credentials),
                Err(unusable) => unusable.credentials,
            };
            let known = job.as_ref().map(|job| (job.id.0, job.token.reveal()));
            prop_assert_eq!(known, Some((4711, "glcbt-64_x")));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,200}") {
            let _ = Payload::parse(text.as_bytes());
            let _ = serde_json::from_str::<Box<RawValue>>(&text).map(Payload::from_raw);
        }
    }
}
