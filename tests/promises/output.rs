//! An output that is closed or full is an exit code, and never a panic.

use std::fs::{self, OpenOptions};
use std::io;
use std::process::{Command, Output, Stdio};

use sandbox::JobStatus;

use crate::scene::Scene;
use crate::service::{Service, program, register};

/// Both programs.
fn programs() -> [Command; 2] {
    [Command::new(program()), register()]
}

/// Where nothing can be written, as on a full disk.
fn full() -> Stdio {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.unwrap().into()
}

/// A pipe whose reader has read enough.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().unwrap();
    writer.into()
}

/// All that the programs print on standard output, but for the search for machines.
fn printers() -> Vec<Command> {
    let printer = |mut command: Command, options: &[&str]| {
        command.args(options).stdin(Stdio::null());
        command
    };
    let mut printers = Vec::new();
    for option in ["--help", "--version"] {
        printers.extend(programs().map(|program| printer(program, &[option])));
    }
    for options in [&["--print-config"][..], &["--print", "completion", "bash"]] {
        printers.push(printer(Command::new(program()), options));
    }
    printers
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The disk is full: the user reads it, and a script sees the exit code.
fn check_told(command: &mut Command) {
    let output = command.stdout(full()).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
    assert!(!said.contains("panic"), "{said}");
}

/// The reader has gone: a normal end, of which nothing is said.
fn check_quiet(command: &mut Command) {
    let output = command.stdout(closed()).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {said}");
    assert!(
        !said.contains("panic") && !said.contains("cannot write"),
        "{said}"
    );
}

/// The exit code is the same where the error itself can't be told either.
fn check_mute(command: &mut Command, code: i32) {
    for stderr in [full(), closed()] {
        let status = command.stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(code), "{command:?}");
    }
}

#[test]
fn what_can_not_be_printed_is_told_and_a_reader_may_go_at_any_time() {
    for mut command in printers() {
        check_told(&mut command);
        check_quiet(&mut command);
        check_mute(command.stdout(full()), 1);
    }
}

#[test]
fn a_list_of_machines_that_can_not_be_printed_is_told() {
    let scene = Scene::new();
    fs::write(scene.config_path(), scene.configuration()).unwrap();
    let mut command = Command::new(program());
    command.arg("--orphans").arg(scene.config_path());
    check_told(&mut command);
    check_quiet(&mut command);
}

#[test]
fn errors_that_nobody_can_read_keep_their_exit_codes() {
    for mut program in programs() {
        check_mute(program.arg("--no-such-option"), 2);
    }
    check_mute(Command::new(program()).arg("/nowhere/paas-runner.toml"), 2);
    check_mute(
        register().arg("/nowhere/runner.toml").stdin(Stdio::null()),
        1,
    );
}

#[test]
fn a_service_whose_log_goes_nowhere_works_all_the_same() {
    for nowhere in ["2>/dev/full", "2>&-"] {
        let scene = Scene::new();
        fs::write(scene.config_path(), scene.configuration()).unwrap();
        let line = format!("exec \"$0\" \"$1\" {nowhere}");
        let path = scene.config_path().display().to_string();
        let program = program().display().to_string();
        let arguments = ["-c".to_owned(), line, program, path];
        let service = Service::start_program("/bin/sh".as_ref(), &arguments, &[]);
        let job = scene.submit("unseen", "true");
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.await_no_machines();
        let (exit, log) = service.stop();
        assert!(exit.success() && log.is_empty(), "{log}");
        scene.assert_no_complaints();
    }
}

/// Names are the operator's, or those of whoever wrote the file for them.
#[test]
fn nothing_that_is_shown_speaks_to_the_terminal_or_forges_a_line() {
    let mut scene = Scene::new();
    scene.more = "[[runners]]\nname = \"evil\\u001b[31m\\u202eabc\\nrunner good\"\n\
                  url = \"http://127.0.0.1:9\"\ntoken = \"t\"\nexecutor = \"clever-docker\"\n\
                  cc_orga_id = \"o\"\ncc_token = \"t\"\ncc_api_url = \"http://127.0.0.1:9\"\n\
                  cc_default_flavor = \"M\\u001b[33m\\u009b\"\n"
        .to_owned();
    scene.write_configuration();
    let config = scene.config_path().display().to_string();
    for arguments in [
        vec!["--check", "--offline", &config],
        vec!["--check", &config],
        vec!["--orphans", &config],
        vec!["register", "list", &config],
        vec!["register", "verify", &config],
    ] {
        let output = Command::new(program()).args(&arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let shows_names = !arguments.contains(&"--offline");
        assert!(
            !shows_names || text.contains("evil"),
            "{arguments:?}: {text}"
        );
        let is_odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(is_odd), "{arguments:?}: {text:?}");
        let is_forged = |line: &str| line.trim_start().starts_with("runner good");
        assert!(!text.lines().any(is_forged), "{arguments:?}: {text}");
    }
}
