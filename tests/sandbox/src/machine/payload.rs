//! `job.json` as the inner runner reads it: the types are as strict as those of the Go program,
//! which refuses a job whose payload does not fit. GitLab page, 1.7.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

#[derive(Debug, Deserialize)]
pub(super) struct Job {
    pub id: u64,
    pub token: String,
    #[serde(default, rename = "job_info")]
    info: Option<JobInfo>,
    #[serde(default)]
    pub git_info: Option<GitInfo>,
    #[serde(default)]
    runner_info: Option<RunnerInfo>,
    #[serde(default)]
    pub variables: Vec<Variable>,
    #[serde(default)]
    steps: Option<Vec<Step>>,
    /// CI steps: an array of JSON in a string.
    #[serde(default)]
    run: Option<String>,
    #[serde(default)]
    pub image: Option<Image>,
    #[serde(default)]
    pub services: Option<Vec<Image>>,
    #[serde(default)]
    features: Features,
    #[serde(default, rename = "artifacts")]
    _artifacts: Option<Vec<Value>>,
    #[serde(default, rename = "cache")]
    _cache: Option<Vec<Value>>,
    #[serde(default, rename = "credentials")]
    _credentials: Option<Vec<Value>>,
    #[serde(default, rename = "dependencies")]
    _dependencies: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
struct JobInfo {
    #[serde(default)]
    project_id: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GitInfo {
    #[serde(default)]
    pub r#ref: String,
    #[serde(default)]
    pub sha: Option<String>,
    /// Heptapod's: `hg` or `git`.
    #[serde(default)]
    pub repo_type: Option<String>,
    #[serde(default)]
    pub hgsha: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RunnerInfo {
    #[serde(default)]
    timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    pub key: String,
    pub value: String,
    #[serde(default, rename = "public")]
    _public: bool,
    #[serde(default)]
    pub masked: bool,
    #[serde(default)]
    pub file: bool,
    #[serde(default)]
    raw: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub name: String,
    #[serde(default)]
    pub script: Option<Vec<String>>,
}

/// The job's image or a service's.
#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub name: String,
    #[serde(default)]
    pub alias: Option<String>,
    #[serde(default, rename = "entrypoint")]
    _entrypoint: Option<Vec<String>>,
    #[serde(default, rename = "command")]
    _command: Option<Vec<String>>,
    #[serde(default, rename = "pull_policy")]
    _pull_policy: Option<Vec<String>>,
    #[serde(default, rename = "variables")]
    _variables: Option<Vec<Variable>>,
}

#[derive(Debug, Default, Deserialize)]
struct Features {
    #[serde(default)]
    failure_reasons: Vec<String>,
}

impl Job {
    /// # Errors
    /// With what does not fit.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let job: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        match (&job.steps, &job.run) {
            (None, None) => Err("neither `steps` nor `run`".to_owned()),
            (_, Some(run)) => match serde_json::from_str(run) {
                Ok(Value::Array(_)) => Ok(job),
                _ => Err("`run` is no array of JSON in a string".to_owned()),
            },
            (Some(_), None) => Ok(job),
        }
    }

    pub fn project(&self) -> u64 {
        let info = self.info.as_ref();
        info.and_then(|info| info.project_id).unwrap_or_default()
    }

    pub fn timeout(&self) -> Duration {
        let info = self.runner_info.as_ref();
        let seconds = info.and_then(|info| info.timeout);
        seconds
            .filter(|&seconds| seconds > 0)
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs)
    }

    /// The lines of everything that runs before `after_script`.
    pub fn main_script(&self) -> Vec<String> {
        let steps = self.steps.iter().flatten();
        let mut lines: Vec<String> = steps
            .filter(|step| step.name != "after_script")
            .flat_map(|step| step.script.iter().flatten().cloned())
            .collect();
        let run: Option<Value> = (self.run.as_ref()).and_then(|run| serde_json::from_str(run).ok());
        let run = run.as_ref().and_then(Value::as_array).into_iter().flatten();
        lines.extend(run.filter_map(|step| step["script"].as_str().map(str::to_owned)));
        lines
    }

    pub fn after_script(&self) -> Vec<String> {
        let steps = self.steps.iter().flatten();
        steps
            .filter(|step| step.name == "after_script")
            .flat_map(|step| step.script.iter().flatten().cloned())
            .collect()
    }

    /// A reason that this coordinator knows.
    pub fn known_reason<'a>(&self, reason: &'a str) -> &'a str {
        let known = &self.features.failure_reasons;
        if known.is_empty() || known.iter().any(|known| known == reason) {
            reason
        } else {
            "unknown_failure"
        }
    }

    /// The variables with their references to each other resolved; later ones win.
    pub fn resolved_variables(&self) -> Vec<(&Variable, String)> {
        let plain: HashMap<&str, &str> = (self.variables.iter())
            .map(|variable| (variable.key.as_str(), variable.value.as_str()))
            .collect();
        let mut seen = HashSet::new();
        let mut resolved: Vec<_> = (self.variables.iter().rev())
            .filter(|variable| seen.insert(variable.key.as_str()))
            .map(|variable| {
                let value = if variable.raw {
                    variable.value.clone()
                } else {
                    expand(&variable.value, &plain)
                };
                (variable, value)
            })
            .collect();
        resolved.reverse();
        resolved
    }

    pub fn expand(&self, text: &str) -> String {
        let resolved = self.resolved_variables();
        let variables = resolved
            .iter()
            .map(|(variable, value)| (variable.key.as_str(), value.as_str()))
            .collect();
        expand(text, &variables)
    }
}

/// Resolves `$NAME` and `${NAME}` once; what is not known is empty.
fn expand(text: &str, variables: &HashMap<&str, &str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let braced = after.strip_prefix('{').and_then(|it| it.split_once('}'));
        let (name, tail) = braced
            .unwrap_or_else(|| after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())));
        if name.is_empty() {
            expanded.push('$');
        }
        expanded.push_str(variables.get(name).copied().unwrap_or_default());
        rest = tail;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::Job;

    fn read(json: &str) -> Result<Job, String> {
        Job::read(json.as_bytes())
    }

    #[test]
    fn what_the_go_program_refuses_is_refused() {
        read(r#"{"id": 9007199254740993, "token": "t", "steps": [], "image": null}"#).unwrap();
        read(r#"{"id": 1, "token": "t", "run": "[]"}"#).unwrap();
        for bad in [
            r#"{"id": "1", "token": "t", "steps": []}"#,
            r#"{"id": 1, "token": "t"}"#,
            r#"{"id": 1, "token": "t", "run": []}"#,
            r#"{"id": 1, "token": "t", "steps": {}}"#,
            r#"{"id": 1, "token": "t", "steps": [{"name": "script", "script": "make"}]}"#,
            r#"{"id": 1, "token": "t", "steps": [], "image": {"name": "a", "entrypoint": "sh"}}"#,
            r#"{"id": 1, "token": "t", "steps": [], "variables": [{"key": "A", "value": 1}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_refer_to_each_other_unless_raw_and_the_last_wins() {
        let job = read(
            r#"{"id": 1, "token": "t", "steps": [], "variables": [
                {"key": "A", "value": "old"}, {"key": "B", "value": "<$A${A}$NONE$>"},
                {"key": "A", "value": "new"}, {"key": "C", "value": "$A", "raw": true}]}"#,
        )
        .unwrap();
        let values: Vec<String> = (job.resolved_variables().into_iter())
            .map(|(variable, value)| format!("{}={value}", variable.key))
            .collect();
        assert_eq!(values, ["B=<newnew$>", "A=new", "C=$A"]);
    }
}
