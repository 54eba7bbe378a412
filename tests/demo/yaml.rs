//! A `.gitlab-ci.yml` as plain values, and the readings that its keys share: lists that may be a
//! single string, strings that may be numbers; and the remarks about what was left out.

use std::collections::BTreeMap;
use std::slice;

use sandbox::Variable;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

pub type Keys = Map<String, Value>;

/// What was left out, each once.
#[derive(Default)]
pub struct Remarks {
    lines: Vec<String>,
    /// Keys on which nothing here acts, each with where it stands.
    ignored: BTreeMap<String, Vec<String>>,
}

impl Remarks {
    pub fn say(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// `label` is where the key stands, with those above it: `tests.cache`.
    pub fn ignored(&mut self, label: &str) {
        let (place, key) = label.split_once('.').unwrap_or(("", label));
        let places = self.ignored.entry(key.to_owned()).or_default();
        if !place.is_empty() && !places.iter().any(|it| it == place) {
            places.push(place.to_owned());
        }
    }

    pub fn into_lines(self) -> Vec<String> {
        let mut lines = self.lines;
        let ignored = self.ignored.into_iter().map(|(key, places)| {
            if places.is_empty() {
                return format!("`{key}`");
            }
            format!("`{key}` ({})", places.join(", "))
        });
        let ignored: Vec<_> = ignored.collect();
        if !ignored.is_empty() {
            lines.push(format!(
                "left out, since the demo does nothing about it: {}",
                ignored.join(", ")
            ));
        }
        lines
    }
}

/// The top level of a file; of one with a header (`spec`), what stands below it.
///
/// # Errors
/// In words, when it has no keys.
pub fn read(text: &str) -> Result<Keys, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("not YAML: {error}"))?;
    match plain(documents.last().ok_or("the file is empty")?) {
        Value::Object(keys) => Ok(keys),
        _ => Err("the top level must have keys".to_owned()),
    }
}

/// Merged mappings (`<<`) are merged; `!tag value` becomes a mapping with the key `!tag`.
fn plain(value: &Yaml<'_>) -> Value {
    match value {
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::Boolean(truth)) => Value::from(*truth),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(_) => Value::Object(mapping(value)),
        Yaml::Tagged(tag, value) => {
            let key = format!("!{}", tag.suffix);
            Value::Object(Keys::from_iter([(key, plain(value))]))
        }
        _ => Value::Null,
    }
}

fn mapping(value: &Yaml<'_>) -> Keys {
    let mut keys = Keys::new();
    let mut merged = Vec::new();
    for (key, value) in value.as_mapping().into_iter().flatten() {
        match scalar(&plain(key)) {
            Some(key) if key == "<<" => {
                let list = value
                    .as_sequence()
                    .map_or(slice::from_ref(value), Vec::as_slice);
                merged.extend(list.iter().flat_map(mapping));
            }
            Some(key) => {
                keys.insert(key, plain(value));
            }
            None => {}
        }
    }
    for (key, value) in merged {
        keys.entry(key).or_insert(value);
    }
    keys
}

/// The first tag anywhere in a value: what stands behind it is not known.
pub fn tag(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(tag),
        Value::Object(keys) => keys.iter().find_map(|(key, value)| {
            let own = key.starts_with('!').then_some(key.as_str());
            own.or_else(|| tag(value))
        }),
        _ => None,
    }
}

/// Any scalar as text. Numbers lose their spelling, as they do in GitLab.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// # Errors
/// When it is something else, with `label` for what it is.
pub fn string(label: &str, value: &Value) -> Result<String, String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("`{label}` must be a string"))
}

/// # Errors
/// When it is no list of strings.
pub fn strings(label: &str, value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array();
    let list = list.ok_or_else(|| format!("`{label}` must be a list of strings"))?;
    list.iter().map(|item| string(label, item)).collect()
}

/// What is a list, or a single one of what could be in it.
pub fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(slice::from_ref(value), Vec::as_slice)
}

/// A script: one string, or lists of strings in each other.
///
/// # Errors
/// When there is anything else in it, as GitLab says it.
pub fn script(label: &str, value: &Value) -> Result<Vec<String>, String> {
    if let Some(line) = value.as_str() {
        return Ok(vec![line.to_owned()]);
    }
    let list = value.as_array().ok_or_else(|| {
        format!("`{label}` must be a string or lists of strings; is a line with `: ` in quotes?")
    })?;
    let mut lines = Vec::new();
    for item in list {
        lines.extend(script(label, item)?);
    }
    Ok(lines)
}

/// What may be written short, as one value, or as a mapping in which that one is called `main`.
/// Other parts than that and those that are `known` are named in a remark and left out.
pub fn parts(
    label: &str,
    value: &Value,
    main: &str,
    known: &[&str],
    remarks: &mut Remarks,
) -> Keys {
    let short = || Keys::from_iter([(main.to_owned(), value.clone())]);
    let mut parts = value.as_object().cloned().unwrap_or_else(short);
    parts.retain(|key, _| {
        let is_known = key == main || known.contains(&key.as_str());
        if !is_known {
            remarks.ignored(&format!("{label}.{key}"));
        }
        is_known
    });
    parts
}

/// # Errors
/// When the part is not there, or no string.
pub fn text(label: &str, parts: &Keys, key: &str) -> Result<String, String> {
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
    value: &Value,
    remarks: &mut Remarks,
) -> Result<Vec<Variable>, String> {
    let written = value.as_object();
    let written = written.ok_or_else(|| format!("`{label}` must map names to values"))?;
    let mut variables = Vec::new();
    for (name, value) in written {
        let label = format!("{label}.{name}");
        // The description is for people.
        let parts = parts(&label, value, "value", &["expand", "description"], remarks);
        let text = parts.get("value").map_or(Some(String::new()), scalar);
        let text = text.ok_or_else(|| format!("`{label}` must have a value"))?;
        let mut variable = Variable::user(name, text);
        variable.raw = parts.get("expand") == Some(&Value::Bool(false));
        variables.push(variable);
    }
    Ok(variables)
}
