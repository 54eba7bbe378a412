//! No secret is ever where it does not belong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sandbox::{Fault, JobSpec, JobStatus, JobView, Response, Rule, Variable};

use crate::scene::{CLEVER_TOKEN, PATIENCE, RUNNER_TOKEN, Scene};

/// The command lines of a process and of all that it started. Other tests type secrets.
fn command_lines_below(root: u32) -> Vec<String> {
    let mut lines = vec![command_line(root)];
    let children = processes().filter(|child| parent(*child) == Some(root));
    lines.extend(children.flat_map(command_lines_below));
    lines
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|process| process.file_name().to_str()?.parse().ok())
}

fn command_line(process: u32) -> String {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The fourth field; the second is in brackets, and any text.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
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
    let scene = Scene::new();
    scene
        .clever
        .faults()
        .inject(Rule::on("DELETE", "*").times(1).with(Fault::status(403)));
    let echo = |secret: &str| Fault::Status {
        code: 500,
        headers: Vec::new(),
        body: format!("{{\"message\": \"bad token {secret}!\"}}").into_bytes(),
    };
    scene.clever.faults().inject(
        Rule::on("POST", "*/applications")
            .times(1)
            .with(echo(CLEVER_TOKEN)),
    );
    scene.coordinator.faults().inject(
        Rule::on("POST", "*/jobs/request")
            .times(1)
            .with(echo(RUNNER_TOKEN)),
    );
    let service = scene.start_with(&["-l", "debug", "--debug-signal"]);
    let job = scene.coordinator.submit(JobSpec {
        variables: vec![Variable::secret("DEPLOY_KEY", "d3ploy-s3cret")],
        ..JobSpec::new("secret", ["true"]).flavor("XS")
    });
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success);
    scene.await_no_machines();
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
    let scene = Scene::new();
    let gate = scene.hold_push();
    let service = scene.start();
    let job = scene.submit("watched", "true");
    assert!(gate.wait_reached(PATIENCE));
    let lines = command_lines_below(service.id()).join("\n");
    assert!(lines.contains("git send-pack"), "{lines}");
    for foreign in [CLEVER_TOKEN, &scene.clever.git_url()] {
        assert!(!lines.contains(foreign), "{lines}");
    }
    let folder = scene.folder.path().join("state.json.pushes");
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
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    assert_eq!(files_below(&folder), Vec::<std::path::PathBuf>::new());
    service.stop();
    assert!(!folder.exists());
}

#[test]
fn what_a_killed_push_leaves_is_removed_at_the_next_start() {
    let scene = Scene::new();
    let gate = scene.hold_push();
    let service = scene.start();
    let job = scene.submit("killed", "true");
    assert!(gate.wait_reached(PATIENCE));
    service.kill();
    let folder = scene.folder.path().join("state.json.pushes");
    assert!(!files_below(&folder).is_empty());
    gate.open();
    let service = scene.start();
    scene.await_end(job);
    scene.await_no_machines();
    service.stop();
    assert!(!folder.exists());
}

#[test]
fn the_state_file_is_for_its_owner_alone() {
    let scene = Scene::new();
    let service = scene.start();
    let job = scene.submit("kept", "true");
    scene.await_end(job);
    service.stop();
    assert_eq!(
        fs::metadata(scene.state_path())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn a_machine_gets_nothing_that_could_start_another_one() {
    let mut scene = Scene::new();
    scene.runner = "quota_max_fraction = 0.9\ncc_default_flavor = \"S\"".to_owned();
    let service = scene.start();
    let job = scene.submit("curious", "true");
    scene.await_end(job);
    scene.await_no_machines();
    let files = scene.machine(job).unwrap().files;
    let runner_toml = String::from_utf8_lossy(&files["runner.toml"]).into_owned();
    for hidden in [CLEVER_TOKEN, RUNNER_TOKEN, "cc_", "paas_", "quota"] {
        assert!(!runner_toml.contains(hidden), "{runner_toml}");
    }
    assert!(runner_toml.contains("debian:stable-slim"), "{runner_toml}");
    service.stop();
    scene.assert_no_complaints();
}

#[test]
fn a_git_remote_that_quotes_what_it_was_sent_betrays_nothing() {
    let login = BASE64_STANDARD.encode(format!("Jenkins:{CLEVER_TOKEN}"));
    let quoted = format!("you sent {CLEVER_TOKEN} as Basic {login}");
    let json = |code| Fault::Status {
        code,
        headers: Vec::new(),
        body: serde_json::json!({"message": quoted})
            .to_string()
            .into_bytes(),
    };
    let elsewhere = Fault::Status {
        code: 302,
        headers: vec![("Location".to_owned(), format!("/?{login}#{CLEVER_TOKEN}"))],
        body: Vec::new(),
    };
    let git_error = format!("{:04x}ERR {quoted}", quoted.len() + 8);
    let git_error = format!("001f# service=git-receive-pack\n0000{git_error}0000");
    let git_error = Response {
        body: git_error.into_bytes(),
        ..Response::empty(200)
    };
    let kind = "application/x-git-receive-pack-advertisement";
    let git_error = Fault::Replace(git_error.with("Content-Type", kind));
    let scene = Scene::new();
    // Each job meets one, and its own next try the last.
    let faults = [Fault::Quote(502), json(500), elsewhere, git_error];
    for fault in faults.clone() {
        let rule = Rule::on_any("*").with(fault);
        scene.clever.git_faults().inject(rule);
    }
    let refusal = Fault::Status {
        code: 401,
        headers: vec![("WWW-Authenticate".to_owned(), "Basic".to_owned())],
        body: quoted.into_bytes(),
    };
    let last = Rule::on_any("*").always().with(refusal);
    scene.clever.git_faults().inject(last);
    let service = scene.start_with(&["-l", "debug"]);
    let jobs = faults.map(|_| scene.submit("quoted", "true"));
    let ended = jobs.map(|job| scene.await_end(job));
    scene.await_no_machines();
    for line in ["status 500 (you", "a redirection to", "remote error: you"] {
        service.await_log(line);
    }
    let (_, log) = service.stop();
    assert!(log.contains("you sent [redacted]"), "{log}");
    for text in ended.iter().map(JobView::log).chain([log]) {
        assert!(!text.contains(CLEVER_TOKEN), "{text}");
        // Its end depends on where the token stands, its beginning on the user.
        assert!(!text.contains(&login[..login.len() - 4]), "{text}");
    }
    assert!(ended.iter().all(|job| job.status == JobStatus::Failed));
}
