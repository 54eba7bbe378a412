//! Reading the pushed `Dockerfile`. Clever page, 4.6.
//!
//! It may say four things and no more: anything else in it came from where it should not have.

const FOLDER: &str = "/etc/heptapod-runner/";
const ENTRYPOINT: [&str; 5] = [
    "/usr/bin/gitlab-runner",
    "exec-fetched-job",
    "--config",
    "/etc/heptapod-runner/runner.toml",
    "/etc/heptapod-runner/job.json",
];

/// # Errors
/// With the first thing that is wrong.
pub(super) fn check(text: &str) -> Result<(), String> {
    let (mut from, mut debug, mut entrypoint) = (false, false, false);
    let mut copied = Vec::new();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match instruction {
            "FROM" if from => return Err("a second FROM".to_owned()),
            "FROM" if rest.is_empty() || rest.contains(char::is_whitespace) => {
                return Err(format!("`{line}` names no image"));
            }
            "FROM" => from = true,
            _ if !from => return Err(format!("`{line}` before FROM")),
            "COPY" => copied.extend(copy(rest)?),
            "ENV" if matches!(rest, "DEBUG=\"true\"" | "DEBUG=true") => debug = true,
            "ENTRYPOINT" if is_entrypoint(rest) => entrypoint = true,
            _ => return Err(format!("unexpected: `{line}`")),
        }
    }
    copied.sort_unstable();
    if copied != ["job.json", "runner.toml"] {
        return Err(format!("copies {copied:?} to {FOLDER}"));
    }
    match (from, debug, entrypoint) {
        (true, true, true) => Ok(()),
        (_, false, _) => Err("no DEBUG".to_owned()),
        _ => Err("no ENTRYPOINT".to_owned()),
    }
}

fn copy(rest: &str) -> Result<Vec<&str>, String> {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    match words.pop() {
        Some(FOLDER) if !words.is_empty() => Ok(words),
        _ => Err(format!("COPY {rest}")),
    }
}

fn is_entrypoint(rest: &str) -> bool {
    serde_json::from_str::<Vec<String>>(rest).is_ok_and(|words| words == ENTRYPOINT)
}

#[cfg(test)]
mod tests {
    use super::check;

    const GOOD: &str = r#"FROM registry.example/heptapod-runner:0.7.0
COPY runner.toml job.json /etc/heptapod-runner/
ENV DEBUG="true"
ENTRYPOINT ["/usr/bin/gitlab-runner", "exec-fetched-job", "--config", "/etc/heptapod-runner/runner.toml", "/etc/heptapod-runner/job.json"]
"#;

    #[test]
    fn only_the_four_things_may_be_said() {
        assert_eq!(check(GOOD), Ok(()));
        let bad = |from: &str, to: &str| check(&GOOD.replace(from, to)).unwrap_err();
        bad(":0.7.0", ":0.7.0\nRUN curl evil");
        bad(":0.7.0", ":0.7.0 AS base");
        bad(" job.json /etc", " /etc");
        bad("--config", "--konfig");
        bad("ENV DEBUG=\"true\"\n", "");
        bad("FROM", "FORM");
        assert!(check("").is_err());
    }
}
