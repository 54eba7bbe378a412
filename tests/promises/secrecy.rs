//! No secret is ever where it does not belong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sandbox::{Fault, JobSpec, JobStatus, Rule, Variable};

use crate::town::{CLEVER_TOKEN, PATIENCE, RUNNER_TOKEN, Town};

/// All command lines of this computer that mention `needle`.
fn command_lines_with(needle: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(needle)).collect()
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

#[test]
fn no_secret_is_logged_whatever_goes_wrong() {
    let town = Town::new();
    town.clever
        .faults()
        .inject(Rule::on("DELETE", "*").times(1).with(Fault::status(403)));
    let echo = |secret: &str| Fault::Status {
        code: 500,
        headers: Vec::new(),
        body: format!("{{\"message\": \"bad token {secret}!\"}}").into_bytes(),
    };
    town.clever.faults().inject(
        Rule::on("POST", "*/applications")
            .times(1)
            .with(echo(CLEVER_TOKEN)),
    );
    town.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .times(1)
            .with(echo(RUNNER_TOKEN)),
    );
    let service = town.start_with(&["-l", "debug", "--debug-signal"]);
    let job = town.coordinator.submit(JobSpec {
        variables: vec![Variable::secret("DEPLOY_KEY", "d3ploy-s3cret")],
        ..JobSpec::new("secret", ["true"]).flavor("XS")
    });
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Success);
    town.await_no_machines();
    service.signal(rustix::process::Signal::USR1);
    service.await_log("tracked: ");
    let (_, log) = service.stop();
    assert!(log.contains("[redacted]"), "{log}");
    for secret in [CLEVER_TOKEN, RUNNER_TOKEN, &ended.token, "d3ploy-s3cret"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_push_shows_no_secret_in_the_process_list_and_leaves_nothing_behind() {
    let town = Town::new();
    let gate = town.hold_push();
    let service = town.start();
    let job = town.submit("watched", "true");
    assert!(gate.wait_reached(PATIENCE));
    let pushes = command_lines_with(&town.clever.git_url());
    assert!(
        pushes.iter().any(|line| line.contains("git push")),
        "{pushes:?}"
    );
    assert_eq!(command_lines_with(CLEVER_TOKEN), Vec::<String>::new());
    let folder = town.folder.path().join("state.json.pushes");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for file in files_below(&folder) {
        let content = fs::read(&file).unwrap();
        let found = content
            .windows(CLEVER_TOKEN.len())
            .any(|part| part == CLEVER_TOKEN.as_bytes());
        assert!(!found, "{file:?} has the token");
    }
    gate.open();
    assert_eq!(town.await_end(job).status, JobStatus::Success);
    town.await_no_machines();
    assert_eq!(files_below(&folder), Vec::<std::path::PathBuf>::new());
    service.stop();
    assert!(!folder.exists());
}

#[test]
fn what_a_killed_push_leaves_is_removed_at_the_next_start() {
    let town = Town::new();
    let gate = town.hold_push();
    let service = town.start();
    let job = town.submit("killed", "true");
    assert!(gate.wait_reached(PATIENCE));
    service.kill();
    let folder = town.folder.path().join("state.json.pushes");
    assert!(!files_below(&folder).is_empty());
    gate.open();
    let service = town.start();
    town.await_end(job);
    town.await_no_machines();
    service.stop();
    assert!(!folder.exists());
}

#[test]
fn the_state_file_is_for_its_owner_alone() {
    let town = Town::new();
    let service = town.start();
    let job = town.submit("kept", "true");
    town.await_end(job);
    service.stop();
    assert_eq!(
        fs::metadata(town.state_path())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn a_machine_gets_nothing_that_could_start_another_one() {
    let mut town = Town::new();
    town.runner = "quota_max_fraction = 0.9\ncc_default_flavor = \"S\"".to_owned();
    let service = town.start();
    let job = town.submit("curious", "true");
    town.await_end(job);
    town.await_no_machines();
    let files = town.machine(job).unwrap().files;
    let runner_toml = String::from_utf8_lossy(&files["runner.toml"]).into_owned();
    for hidden in [CLEVER_TOKEN, RUNNER_TOKEN, "cc_", "paas_", "quota"] {
        assert!(!runner_toml.contains(hidden), "{runner_toml}");
    }
    assert!(runner_toml.contains("debian:stable-slim"), "{runner_toml}");
    service.stop();
    town.check_manners();
}

#[test]
fn a_git_remote_that_quotes_what_it_was_sent_betrays_nothing() {
    let town = Town::new();
    town.clever
        .git_faults()
        .inject(Rule::on_any("*").always().with(Fault::Quote(403)));
    let service = town.start_with(&["-l", "debug"]);
    let job = town.submit("quoted", "true");
    let ended = town.await_end(job);
    assert_eq!(ended.status, JobStatus::Failed);
    let line = service.await_log("you sent");
    assert!(line.contains("[redacted]"), "{line}");
    town.await_no_machines();
    let (_, log) = service.stop();
    let login = BASE64_STANDARD.encode(format!("Jenkins:{CLEVER_TOKEN}"));
    for text in [&log, &ended.log()] {
        assert!(!text.contains(CLEVER_TOKEN), "{text}");
        // Its end depends on where the token stands, its beginning on the user.
        assert!(!text.contains(&login[..login.len() - 4]), "{text}");
    }
}
