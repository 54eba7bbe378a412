//! Reading the pushed `Dockerfile`. Clever page, 4.6.
//!
//! A runner's may say four things and no more: anything else in it came from where it should not have.
//! On a machine for all purposes it may be anybody's.

/// What a runner pushes besides it.
pub(super) const FILES: [&str; 2] = ["job.json", "runner.toml"];
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
    if copied != FILES {
        return Err(format!("copies {copied:?} to {FOLDER}"));
    }
    match (from, debug, entrypoint) {
        (true, true, true) => Ok(()),
        (_, false, _) => Err("no DEBUG".to_owned()),
        _ => Err("no ENTRYPOINT".to_owned()),
    }
}

/// Some to the folder, or one to its own name there.
fn copy(rest: &str) -> Result<Vec<&str>, String> {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    match (words.pop(), words.as_slice()) {
        (Some(FOLDER), [_, ..]) => Ok(words),
        (Some(to), &[name]) if to.strip_prefix(FOLDER) == Some(name) => Ok(words),
        _ => Err(format!("COPY {rest}")),
    }
}

/// # Errors
/// When no image can be built of it.
pub(super) fn check_any(text: &str) -> Result<(), String> {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.find(|line| !line.starts_with("ARG "));
    match first.and_then(|line| line.split_once(' ')) {
        Some((from, image)) if from.eq_ignore_ascii_case("FROM") && !image.trim().is_empty() => {
            Ok(())
        }
        _ => Err(format!("no FROM before {first:?}")),
    }
}

fn is_entrypoint(rest: &str) -> bool {
    serde_json::from_str::<Vec<String>>(rest).is_ok_and(|words| words == ENTRYPOINT)
}

#[cfg(test)]
mod tests {
    use super::{check, check_any};

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
        bad(
            "COPY runner.toml job.json /etc/heptapod-runner/",
            "COPY runner.toml /etc/heptapod-runner/job.json",
        );
        assert!(check("").is_err());
    }

    #[test]
    fn each_file_may_be_copied_on_a_line_of_its_own() {
        let each = "COPY runner.toml /etc/heptapod-runner/runner.toml\n\
                    COPY job.json /etc/heptapod-runner/job.json\n";
        let both = "COPY runner.toml job.json /etc/heptapod-runner/\n";
        assert_eq!(check(&GOOD.replace(both, each)), Ok(()));
    }

    #[test]
    fn a_machine_for_all_purposes_takes_anybodys() {
        assert_eq!(
            check_any("# mine\nARG V=1\nfrom alpine:$V AS base\nRUN true\n"),
            Ok(())
        );
        assert!(check_any("RUN true\nFROM alpine").is_err());
        assert!(check_any("").is_err());
    }
}
