//! Whether GitLab would start a job by itself when somebody pushes to the branch `main`: what
//! `rules`, `only`, `except` and `when` say.
//!
//! Scripts run on the visitor's computer, so a job starts only if that is certain: what can't be
//! judged here does not.

use sandbox::Variable;
use serde_json::Value;

use crate::expression::{Truth, judge};
use crate::pipeline::When;
use crate::yaml::{Keys, list};

/// What the sandbox's coordinator says of every pipeline, as far as anybody asks in a rule.
const PREDEFINED: [(&str, &str); 11] = [
    ("CI", "true"),
    ("GITLAB_CI", "true"),
    ("CI_PIPELINE_SOURCE", "push"),
    ("CI_COMMIT_BRANCH", BRANCH),
    ("CI_COMMIT_REF_NAME", BRANCH),
    ("CI_COMMIT_REF_SLUG", BRANCH),
    ("CI_DEFAULT_BRANCH", BRANCH),
    ("CI_COMMIT_MESSAGE", "Fix the valve\n\nIt leaked.\n"),
    ("CI_PROJECT_NAMESPACE", "acme/space"),
    ("CI_PROJECT_PATH", "acme/space/rocket"),
    ("CI_PROJECT_ROOT_NAMESPACE", "acme"),
];
pub const BRANCH: &str = "main";
/// Conditions about changed and existing files, and about clusters.
const UNJUDGED: [&str; 3] = ["changes", "exists", "kubernetes"];

/// What became of the question.
#[derive(Debug, PartialEq)]
pub enum Start {
    /// A part of the pipeline; the keys are those that a rule adds.
    Part(When, Keys),
    /// Not a part of this pipeline.
    Absent(&'static str),
}

/// # Errors
/// Why that can't be told, in words that follow the job's name.
pub fn of(job: &Keys, variables: &[Variable]) -> Result<Start, String> {
    if let Some(rules) = job.get("rules") {
        return by_rules(rules, job, variables);
    }
    let only = job.get("only").map(|it| refs(it, variables, Truth::and));
    let except = job.get("except").map(|it| refs(it, variables, Truth::or));
    let is_wanted = only.transpose()?.unwrap_or(Truth::Yes);
    let is_unwanted = except.transpose()?.unwrap_or(Truth::No);
    match is_wanted.and(is_unwanted.not()) {
        Truth::Yes => Ok(Start::Part(when(job, false)?, Keys::new())),
        Truth::No => Ok(Start::Absent("`only` or `except` rules it out")),
        Truth::Unknown => Err("has an `only` or `except` that the demo can't judge".to_owned()),
    }
}

/// The first rule that holds.
fn by_rules(rules: &Value, job: &Keys, variables: &[Variable]) -> Result<Start, String> {
    for rule in flat(rules) {
        let rule = rule.as_object().ok_or("has a rule without keys")?;
        let mut truth = match rule.get("if").map(Value::as_str) {
            Some(Some(text)) => judge(text, |name| value_of(name, variables))?,
            Some(None) => Truth::Unknown,
            None => Truth::Yes,
        };
        if UNJUDGED.iter().any(|key| rule.contains_key(*key)) {
            truth = truth.and(Truth::Unknown);
        }
        match truth {
            Truth::No => continue,
            Truth::Unknown => {
                let what = rule.get("if").and_then(Value::as_str);
                let what = what.map_or_else(String::new, |text| format!(" ({text})"));
                return Err(format!("has a rule that the demo can't judge{what}"));
            }
            Truth::Yes => {}
        }
        if rule.get("when").and_then(Value::as_str) == Some("never") {
            return Ok(Start::Absent("a rule says `never`"));
        }
        let mut decided = job.clone();
        decided.extend(rule.clone());
        let wanted = ["variables", "allow_failure"];
        let added = rule
            .iter()
            .filter(|(key, _)| wanted.contains(&key.as_str()));
        let added = added
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        return Ok(Start::Part(when(&decided, true)?, added));
    }
    Ok(Start::Absent("none of its `rules` holds"))
}

/// Anchors put lists of rules into each other.
fn flat(rules: &Value) -> Vec<&Value> {
    match rules {
        Value::Array(rules) => rules.iter().flat_map(flat).collect(),
        rule => vec![rule],
    }
}

/// A manual job stops those after it only where it stands in a rule, or says that it may not fail.
fn when(job: &Keys, has_rules: bool) -> Result<When, String> {
    let may_fail = job.get("allow_failure").map(|it| it != &Value::Bool(false));
    let held = |why: &str, blocks| When::Held {
        why: format!("not started: {why}"),
        blocks,
    };
    Ok(
        match job.get("when").map_or(Some("on_success"), Value::as_str) {
            Some("on_success") => When::OnSuccess,
            Some("on_failure") => When::OnFailure,
            Some("always") => When::Always,
            Some("manual") => held("`when: manual`", !may_fail.unwrap_or(!has_rules)),
            Some("delayed") => held("`when: delayed`", true),
            Some("never") => held("`when: never`", false),
            _ => return Err("has a `when` that GitLab does not know".to_owned()),
        },
    )
}

/// `only` and `except`: refs, or a mapping whose conditions are joined.
fn refs(
    value: &Value,
    variables: &[Variable],
    join: fn(Truth, Truth) -> Truth,
) -> Result<Truth, String> {
    let Some(conditions) = value.as_object() else {
        return Ok(any(list(value).iter().map(is_this)));
    };
    let mut joined = None;
    for (key, value) in conditions {
        let truth = match key.as_str() {
            "refs" => any(list(value).iter().map(is_this)),
            "variables" => {
                let texts = list(value).iter().filter_map(Value::as_str);
                let truths = texts.map(|text| judge(text, |name| value_of(name, variables)));
                any(truths.collect::<Result<Vec<_>, _>>()?.into_iter())
            }
            _ => Truth::Unknown,
        };
        joined = Some(joined.map_or(truth, |before| join(before, truth)));
    }
    Ok(joined.unwrap_or(Truth::Yes))
}

fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    truths.fold(Truth::No, Truth::or)
}

/// Whether a push to this branch is meant.
fn is_this(written: &Value) -> Truth {
    match written.as_str().unwrap_or_default() {
        "branches" | "pushes" | BRANCH => Truth::Yes,
        pattern if pattern.starts_with('/') || pattern.contains('@') => Truth::Unknown,
        _ => Truth::No,
    }
}

fn value_of(name: &str, variables: &[Variable]) -> Option<String> {
    let own = variables.iter().rev().find(|it| it.key == name);
    let predefined = PREDEFINED.iter().find(|(key, _)| *key == name);
    own.map(|it| it.value.clone())
        .or_else(|| predefined.map(|(_, value)| (*value).to_owned()))
}
