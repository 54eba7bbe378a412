//! Images from Docker Hub come through the coordinator's dependency proxy.
//!
//! Machines are fresh, so each pulls its images anew; the proxy of the job's group keeps that from
//! Docker Hub's limits. If the job names a prefix, the main image and the services that live on
//! Docker Hub are renamed, and nothing else of the payload changes. Whatever is not understood is
//! passed through. GitLab page, 1.7 and 1.8; names follow the rules of Docker's references.

use std::collections::HashMap;

use serde_json::Value;

pub(super) const PREFIX: &str = "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX";
const DOCKER_HUB: [&str; 2] = ["docker.io", "index.docker.io"];
/// No image name is longer, and no sane one refers to as many variables: definitions that refer to
/// others many times can be made to explode.
const LONGEST_NAME: usize = 4096;
const MOST_REFERENCES: usize = 1000;

/// Renames what lives on Docker Hub. False when there is nothing to rename.
pub fn rewrite(payload: &mut Value) -> bool {
    let variables = Variables::of(payload);
    let Some(prefix) = variables
        .values
        .get(PREFIX)
        .filter(|prefix| !prefix.is_empty())
        .cloned()
    else {
        return false;
    };
    let mut renamed = false;
    if let Some(image) = payload.get_mut("image") {
        renamed |= rename(image, &prefix, &variables).is_some();
    }
    let services = payload.get_mut("services").and_then(Value::as_array_mut);
    for service in services.into_iter().flatten() {
        if let Some(original) = rename(service, &prefix, &variables) {
            renamed = true;
            give_alias(service, &original);
        }
    }
    renamed
}

/// Renames one image; gives back its name as it was, with variables expanded.
fn rename(image: &mut Value, prefix: &str, variables: &Variables) -> Option<String> {
    let written = image.get("name")?.as_str()?;
    let name = variables.expand(written).filter(|name| !name.is_empty())?;
    // Renamed before, by a process that is gone.
    if name
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with('/'))
    {
        return None;
    }
    let on_hub = path_on_docker_hub(&name)?;
    image["name"] = Value::from(format!("{prefix}/{on_hub}"));
    Some(name)
}

/// A service that is reached by its image's name must keep that name.
fn give_alias(service: &mut Value, original: &str) {
    let has_alias = service
        .get("alias")
        .and_then(Value::as_str)
        .is_some_and(|a| !a.is_empty());
    if !has_alias {
        let without_digest = original.split_once('@').map_or(original, |(name, _)| name);
        let without_tag = match without_digest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => without_digest,
        };
        service["alias"] = Value::from(without_tag.replace('/', "-"));
    }
}

/// The normalised path of an image that lives on Docker Hub; nothing for other registries.
fn path_on_docker_hub(name: &str) -> Option<String> {
    let path = match name.split_once('/') {
        Some((first, rest)) if is_domain(first) => DOCKER_HUB.contains(&first).then_some(rest)?,
        _ => name,
    };
    if path.contains('/') {
        Some(path.to_owned())
    } else {
        Some(format!("library/{path}"))
    }
}

fn is_domain(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first
}

/// The job's variables; a later one of the same name wins.
struct Variables {
    values: HashMap<String, String>,
}

impl Variables {
    fn of(payload: &Value) -> Self {
        let list = payload.get("variables").and_then(Value::as_array);
        let pair = |variable: &Value| {
            let key = variable.get("key")?.as_str()?;
            Some((key.to_owned(), variable.get("value")?.as_str()?.to_owned()))
        };
        Self {
            values: list.into_iter().flatten().filter_map(pair).collect(),
        }
    }

    /// `text` with `$NAME` and `${anything up to the first brace}` replaced, over and over in what
    /// they stand for. Unknown is empty, and so is a variable within itself. Nothing, when the
    /// result would be absurdly long.
    fn expand<'a>(&'a self, text: &'a str) -> Option<String> {
        let mut expansion = Expansion::default();
        self.expand_into(text, &mut expansion)?;
        Some(expansion.text)
    }

    fn expand_into<'a>(&'a self, mut text: &'a str, so_far: &mut Expansion<'a>) -> Option<()> {
        while let Some((before, after)) = text.split_once('$') {
            so_far.text.push_str(before);
            let Some((key, rest)) = reference(after) else {
                so_far.text.push('$');
                text = after;
                continue;
            };
            text = rest;
            so_far.references += 1;
            let sane = so_far.text.len() <= LONGEST_NAME && so_far.references <= MOST_REFERENCES;
            let value = self
                .values
                .get(key)
                .filter(|_| !so_far.within.contains(&key));
            if let Some(value) = sane.then_some(value)? {
                so_far.within.push(key);
                self.expand_into(value, so_far)?;
                so_far.within.pop();
            }
        }
        so_far.text.push_str(text);
        (so_far.text.len() <= LONGEST_NAME).then_some(())
    }
}

/// A text that grows while references in it are followed.
#[derive(Default)]
struct Expansion<'a> {
    text: String,
    references: usize,
    /// The variables that are being expanded.
    within: Vec<&'a str>,
}

/// The key of a reference, and what comes behind it; nothing, when a `$` is just that.
fn reference(after_dollar: &str) -> Option<(&str, &str)> {
    if let Some(inner) = after_dollar.strip_prefix('{') {
        let first = inner.chars().next()?.len_utf8();
        let end = first + inner.get(first..)?.find('}')?;
        let key = &inner[..end];
        (!key.contains('\n')).then(|| (key.trim_matches(['{', '}']), &inner[end + 1..]))
    } else {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = after_dollar
            .find(|c| !is_name(c))
            .unwrap_or(after_dollar.len());
        (end > 0).then(|| after_dollar.split_at(end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::rewrite;

    const VARIABLES: [(&str, &str); 14] = [
        ("IMG", "python"),
        ("TAG", "3.11"),
        ("NS", "bitnami"),
        ("FULL", "quay.io/x/y:1"),
        ("HUBFULL", "docker.io/a/b:1"),
        ("NEST", "$IMG:$TAG"),
        ("EMPTY", ""),
        ("A-B", "dash"),
        ("1", "one"),
        ("DOLLAR", "$$IMG"),
        ("REG", "my.reg:5000"),
        ("BR{ACE", "brace2"),
        ("SELF", "x$SELF"),
        ("PING", "$PONG"),
    ];

    fn payload(name: &str) -> Value {
        let mut variables: Vec<_> = VARIABLES
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value, "public": true}))
            .collect();
        variables.push(json!({"key": "PONG", "value": "$PING-pong"}));
        variables.push(json!({"key": "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", "value": "old"}));
        variables
            .push(json!({"key": "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", "value": "h:1/g/p"}));
        json!({"image": {"name": name}, "services": [{"name": name}], "variables": variables})
    }

    #[test]
    fn images_of_docker_hub_and_their_aliases_are_as_with_the_python_runner() {
        for (name, renamed, alias) in [
            ("python", "library/python", "python"),
            ("python:3.11", "library/python:3.11", "python"),
            ("bitnami/redis:7", "bitnami/redis:7", "bitnami-redis"),
            ("docker.io/python", "library/python", "docker.io-python"),
            ("index.docker.io/a/b", "a/b", "index.docker.io-a-b"),
            ("localhost", "library/localhost", "localhost"),
            ("myhost/x", "myhost/x", "myhost-x"),
            ("PYTHON:3", "library/PYTHON:3", "PYTHON"),
            ("a.b:1", "library/a.b:1", "a.b"),
            ("my_ns/x-y.z:1.2", "my_ns/x-y.z:1.2", "my_ns-x-y.z"),
            ("${IMG}:${TAG}", "library/python:3.11", "python"),
            ("$HUBFULL", "a/b:1", "docker.io-a-b"),
            ("$NEST", "library/python:3.11", "python"),
            ("${UNKNOWN}x", "library/x", "x"),
            ("$$IMG", "library/$python", "$python"),
            ("$DOLLAR", "library/$python", "$python"),
            ("${}", "library/${}", "${}"),
            ("${IMG", "library/${IMG", "${IMG"),
            ("$IMG-slim", "library/python-slim", "python-slim"),
            ("${A-B}", "library/dash", "dash"),
            ("$1", "library/one", "one"),
            ("$(IMG)", "library/$(IMG)", "$(IMG)"),
            ("${{IMG}}", "library/python}", "python}"),
            ("${BR{ACE}", "library/brace2", "brace2"),
            ("$É", "library/$É", "$É"),
            // Its faults: a digest is no tag, and a reference to itself has an end.
            ("redis@sha256:abc", "library/redis@sha256:abc", "redis"),
            ("redis:7@sha256:abc", "library/redis:7@sha256:abc", "redis"),
            ("$SELF", "library/x", "x"),
            ("$PING", "library/-pong", "-pong"),
        ] {
            let mut job = payload(name);
            assert!(rewrite(&mut job), "{name}");
            assert_eq!(job["image"]["name"], format!("h:1/g/p/{renamed}"), "{name}");
            assert_eq!(job["services"][0]["alias"], alias, "{name}");
        }
    }

    #[test]
    fn other_registries_and_what_is_not_understood_pass_through() {
        for name in [
            "quay.io/x/y:1",
            "localhost/x",
            "myhost:5000/x",
            "MyHost/x",
            "$FULL",
            "$REG/$IMG",
            "docker.io:443/x/y",
            "registry-1.docker.io/library/python",
            "h:1/g/p/library/python",
            "",
            "$UNKNOWN",
        ] {
            let mut job = payload(name);
            let before = job.clone();
            assert!(!rewrite(&mut job), "{name}");
            assert_eq!(job, before, "{name}");
        }
        for odd in [
            json!(null),
            json!({}),
            json!("text"),
            json!({"name": null}),
            json!(3),
        ] {
            let mut job = payload("quay.io/x");
            job["image"] = odd.clone();
            job["services"] = json!([odd.clone(), odd]);
            let before = job.clone();
            assert!(!rewrite(&mut job));
            assert_eq!(job, before);
        }
    }

    #[test]
    fn names_that_explode_are_left_alone() {
        let mut job = payload("$V0");
        let variables = job["variables"].as_array_mut().unwrap();
        for level in 0..40 {
            let next = format!("$V{0}$V{0}", level + 1);
            variables.push(json!({"key": format!("V{level}"), "value": next}));
        }
        variables.push(json!({"key": "V40", "value": "x"}));
        assert!(!rewrite(&mut job));
    }

    /// The rules once more, as simple as they can be told: for names without variables.
    fn model(name: &str) -> Option<String> {
        let parts: Vec<_> = name.splitn(2, '/').collect();
        let domain = |part: &str| {
            part.contains('.')
                || part.contains(':')
                || part == "localhost"
                || part.chars().any(char::is_uppercase)
        };
        let rest = match parts.as_slice() {
            [] | [""] => return None,
            ["docker.io" | "index.docker.io", rest] => (*rest).to_owned(),
            [first, _] if domain(first) => return None,
            _ => name.to_owned(),
        };
        Some(if rest.contains('/') {
            rest
        } else {
            format!("library/{rest}")
        })
    }

    proptest! {
        #[test]
        fn every_name_is_renamed_as_the_rules_say(name in "[a-zA-Z0-9.:/@_-]{0,24}") {
            let mut job = payload(&name);
            let renamed = rewrite(&mut job);
            let expected = model(&name).map(|rest| format!("h:1/g/p/{rest}"));
            prop_assert_eq!(renamed, expected.is_some());
            prop_assert_eq!(job["image"]["name"].as_str(), expected.as_deref().or(Some(&name)));
            prop_assert!(!rewrite(&mut job), "a second time changes nothing");
        }

        #[test]
        fn nothing_else_changes_and_nothing_panics(name in "\\PC{0,40}", extra in "[0-9]{1,40}") {
            let number = extra.trim_start_matches('0');
            let number: Value =
                serde_json::from_str(if number.is_empty() { "0" } else { number }).unwrap();
            let mut job = payload(&name);
            job["big"] = number;
            let before = job.clone();
            rewrite(&mut job);
            job["image"] = before["image"].clone();
            job["services"] = before["services"].clone();
            prop_assert_eq!(job.to_string(), before.to_string());
        }
    }
}
