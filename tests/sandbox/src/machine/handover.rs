//! What the inner runner is handed over in files: its configuration and its job.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::payload::Job;

/// Keys of the outer runner, which an inner one has no use for.
const FOREIGN_PREFIXES: [&str; 2] = ["cc_", "paas_"];
const FOREIGN_KEYS: [&str; 4] = [
    "heptapod_runner_main_image",
    "job_trace_watch",
    "quota_max_fraction",
    "secrets_file",
];

pub(super) struct Handover {
    /// The coordinator's.
    pub url: String,
    /// The inner runner's, for its banner.
    pub name: String,
    pub runner_token: String,
    pub job: Job,
    /// What works, but should not be there.
    pub oddities: Vec<String>,
}

/// # Errors
/// With what keeps the inner runner from beginning.
pub(super) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Handover, String> {
    let file = |name: &str| files.get(name).ok_or_else(|| format!("no {name}"));
    let text = String::from_utf8_lossy(file("runner.toml")?);
    let configuration: Table = text
        .parse()
        .map_err(|error| format!("runner.toml: {error}"))?;
    let runner = only_runner(&configuration).ok_or("runner.toml: not exactly one [[runners]]")?;
    let text = |key: &str| runner.get(key).and_then(Value::as_str);
    if text("executor") != Some("docker") {
        return Err(format!(
            "runner.toml: executor {:?}",
            runner.get("executor")
        ));
    }
    let url = text("url").ok_or("runner.toml: no url")?;
    let job = Job::read(file("job.json")?).map_err(|error| format!("job.json: {error}"))?;
    Ok(Handover {
        url: url.trim_end_matches('/').to_owned(),
        name: text("name").unwrap_or("inner").to_owned(),
        runner_token: text("token").unwrap_or_default().to_owned(),
        oddities: oddities(&configuration, runner),
        job,
    })
}

fn only_runner(configuration: &Table) -> Option<&Table> {
    match configuration.get("runners")?.as_array()?.as_slice() {
        [runner] => runner.as_table(),
        _ => None,
    }
}

fn oddities(configuration: &Table, runner: &Table) -> Vec<String> {
    let is_foreign = |key: &str| {
        FOREIGN_PREFIXES
            .iter()
            .any(|prefix| key.starts_with(prefix))
            || FOREIGN_KEYS.contains(&key)
    };
    let keys = configuration.keys().chain(runner.keys());
    let foreign = keys.filter(|key| is_foreign(key));
    let foreign = foreign.map(|key| format!("runner.toml holds `{key}`"));
    let unresolved = runner.iter().filter(|(_, value)| {
        let text = value.as_str();
        text.is_some_and(|text| text.starts_with("secret:"))
    });
    let unresolved = unresolved.map(|(key, _)| format!("runner.toml: `{key}` is a reference"));
    foreign.chain(unresolved).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Handover, read};

    fn hand_over(runner_toml: &str) -> Result<Handover, String> {
        let job = r#"{"id": 1, "token": "t", "steps": []}"#;
        let files = [("runner.toml", runner_toml), ("job.json", job)];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        read(&BTreeMap::from(files))
    }

    #[test]
    fn what_provisions_machines_is_odd_in_one() {
        let good = "[[runners]]\nurl = \"http://c/\"\nexecutor = \"docker\"\n";
        let handover = hand_over(good).unwrap();
        assert_eq!(
            (handover.url.as_str(), handover.oddities.len()),
            ("http://c", 0)
        );
        let odd = format!("{good}cc_token = \"x\"\npaas_x = 1\ntoken = \"secret:y\"\n");
        assert_eq!(hand_over(&odd).unwrap().oddities.len(), 3);
        assert!(hand_over(&format!("{good}{good}")).is_err());
        assert!(hand_over(&good.replace("docker", "clever-docker")).is_err());
        assert!(hand_over("[[runners]]\nexecutor = \"docker\"").is_err());
    }
}
