//! The machine sizes that a person can choose from.
//!
//! The API's list is public: no token is sent. It is a help and no condition: when it can't be
//! had, whatever is typed has to do.

use serde_json::Value;

use crate::http::{Call, Http};

/// The family of sizes that is made for runners.
const FAMILY: &str = "heptapod-runner";
/// A person waits for it.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

#[derive(Debug, PartialEq, Eq)]
pub struct Flavor {
    /// As users say it: `M`.
    pub name: String,
    /// In MiB.
    memory: u64,
}

/// The flavors on offer at `api`, smallest first.
///
/// # Errors
/// A text that says what was tried and what came back.
pub fn fetch(http: &Http, api: &str) -> Result<Vec<Flavor>, String> {
    let api = api.trim_end_matches('/');
    let url = format!("{api}/products/flavors?context={FAMILY}");
    let call = Call::get(&url).within(TIMEOUT);
    let answer = http
        .send(&call)
        .map_err(|error| format!("{url}: {error}"))?;
    if !answer.is_success() {
        return Err(format!("{url}: {}", answer.describe(&call)));
    }
    let listed: Vec<Value> = serde_json::from_slice(&answer.body)
        .map_err(|_| format!("{url}: the answer is not a JSON list"))?;
    let mut flavors: Vec<_> = listed.iter().filter_map(Flavor::read).collect();
    if flavors.is_empty() {
        return Err(format!("{url}: there is no flavor for runners in the list"));
    }
    flavors.sort_by_key(|flavor| flavor.memory);
    Ok(flavors)
}

/// The list as a person reads it.
pub fn table(flavors: &[Flavor]) -> String {
    let lines: Vec<_> = flavors.iter().map(Flavor::line).collect();
    lines.join("\n")
}

impl Flavor {
    /// Foreign and unavailable flavors can be in the list, and most fields may be missing.
    fn read(listed: &Value) -> Option<Self> {
        let name = listed.get("name")?.as_str()?;
        let name = name.strip_prefix(FAMILY)?.strip_prefix('-')?;
        let available = listed.get("available").and_then(Value::as_bool);
        let mebibytes = listed.get("mem").and_then(Value::as_u64);
        let bytes = listed.pointer("/memory/value").and_then(Value::as_u64);
        let memory = mebibytes.or_else(|| Some(bytes? >> 20))?;
        (available != Some(false) && !name.is_empty()).then(|| Self {
            name: name.to_owned(),
            memory,
        })
    }

    fn line(&self) -> String {
        let gibibytes = self.memory as f64 / 1024.0;
        format!("  {:<4} {gibibytes:>5} GiB of memory", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Flavor, table};
    use serde_json::json;

    #[test]
    fn the_list_shows_what_can_be_had_with_its_memory() {
        let listed = [
            json!({"name": "heptapod-runner-M", "mem": 8192}),
            json!({"name": "heptapod-runner-XS", "memory": {"value": 1_610_612_736_u64}}),
            json!({"name": "heptapod-runner-XL", "mem": 16384, "available": false}),
            json!({"name": "jenkins-runner-M", "mem": 8192}),
            json!({"mem": 1}),
        ];
        let flavors: Vec<_> = listed.iter().filter_map(Flavor::read).collect();
        let expected = "  M        8 GiB of memory\n  XS     1.5 GiB of memory";
        assert_eq!(table(&flavors), expected);
    }
}
