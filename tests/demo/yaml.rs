//! YAML values as a `.gitlab-ci.yml` uses them: lists that may be a single string, strings that may
//! be numbers, merged mappings; and the remarks about what was left out.

use std::collections::HashMap;

use sandbox::Variable;
use saphyr::{Scalar, Yaml};

/// What was left out, each once.
#[derive(Default)]
pub struct Remarks(Vec<String>);

impl Remarks {
    pub fn say(&mut self, line: String) {
        if !self.0.contains(&line) {
            self.0.push(line);
        }
    }

    /// `path` is a key with those above it: `tests.cache`.
    pub fn ignored(&mut self, path: &str) {
        self.say(format!(
            "`{path}` means nothing in this demo; going on without it"
        ));
    }

    pub fn into_lines(self) -> Vec<String> {
        self.0
    }
}

/// The keys and values of a mapping, in order, those of `<<` included. `None` when it is none.
pub fn entries<'a, 'y>(value: &'a Yaml<'y>) -> Option<Vec<(String, &'a Yaml<'y>)>> {
    let mut all: Vec<(String, &Yaml<'y>)> = Vec::new();
    let mut merged = Vec::new();
    for (key, value) in value.as_mapping()? {
        let key = scalar(key)?;
        if key == "<<" {
            let list = value
                .as_sequence()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            merged.extend(list.iter().filter_map(entries).flatten());
        } else {
            all.push((key, value));
        }
    }
    for (key, value) in merged {
        if !all.iter().any(|(known, _)| *known == key) {
            all.push((key, value));
        }
    }
    Some(all)
}

/// Any scalar as text. Numbers lose their spelling, as they do in GitLab.
pub fn scalar(value: &Yaml<'_>) -> Option<String> {
    match value {
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        Yaml::Value(Scalar::Null) => Some(String::new()),
        _ => None,
    }
}

/// # Errors
/// When it is something else, with `label` for what it is.
pub fn string(label: &str, value: &Yaml<'_>) -> Result<String, String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("`{label}` must be a string"))
}

/// # Errors
/// When it is no list of strings.
pub fn strings(label: &str, value: &Yaml<'_>) -> Result<Vec<String>, String> {
    let list = value.as_sequence();
    let list = list.ok_or_else(|| format!("`{label}` must be a list of strings"))?;
    list.iter().map(|item| string(label, item)).collect()
}

/// A script: one string, or lists of strings in each other.
///
/// # Errors
/// When there is anything else in it, as GitLab says it.
pub fn script(label: &str, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<Vec<String>, String> {
    if let Yaml::Tagged(tag, _) = value {
        let tag = &tag.suffix;
        remarks.say(format!(
            "`{label}`: `!{tag}` is not understood in this demo; left out"
        ));
        return Ok(Vec::new());
    }
    if let Some(line) = value.as_str() {
        return Ok(vec![line.to_owned()]);
    }
    let list = value.as_sequence().ok_or_else(|| {
        format!("`{label}` must be a string or lists of strings; is a line with `: ` in quotes?")
    })?;
    let mut lines = Vec::new();
    for item in list {
        lines.extend(script(label, item, remarks)?);
    }
    Ok(lines)
}

/// The parts of something, by their keys.
pub type Parts<'a, 'y> = HashMap<String, &'a Yaml<'y>>;

/// What may be written short, as one value, or as a mapping in which that one is called `main`.
/// Other parts than that and those that are `known` are named in a remark and left out.
pub fn parts<'a, 'y>(
    label: &str,
    value: &'a Yaml<'y>,
    main: &str,
    known: &[&str],
    remarks: &mut Remarks,
) -> Parts<'a, 'y> {
    let short = || vec![(main.to_owned(), value)];
    let mut parts = Parts::new();
    for (key, value) in entries(value).unwrap_or_else(short) {
        if key == main || known.contains(&key.as_str()) {
            parts.insert(key, value);
        } else {
            remarks.ignored(&format!("{label}.{key}"));
        }
    }
    parts
}

/// # Errors
/// When the part is not there, or no string.
pub fn text(label: &str, parts: &Parts<'_, '_>, key: &str) -> Result<String, String> {
    let part = parts.get(key);
    string(
        label,
        part.ok_or_else(|| format!("`{label}` has no `{key}`"))?,
    )
}

/// # Errors
/// When it is no mapping of names to values.
pub fn variables(
    label: &str,
    value: &Yaml<'_>,
    remarks: &mut Remarks,
) -> Result<Vec<Variable>, String> {
    let written = entries(value).ok_or_else(|| format!("`{label}` must map names to values"))?;
    let mut variables = Vec::new();
    for (name, value) in written {
        let label = format!("{label}.{name}");
        // The description is for people.
        let parts = parts(&label, value, "value", &["expand", "description"], remarks);
        let text = (parts.get("value")).map_or(Some(String::new()), |it| scalar(it));
        let text = text.ok_or_else(|| format!("`{label}` must have a value"))?;
        let mut variable = Variable::user(name, text);
        variable.raw = parts.get("expand").and_then(|it| it.as_bool()) == Some(false);
        variables.push(variable);
    }
    Ok(variables)
}
