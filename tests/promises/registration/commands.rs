//! `verify`, `list` and `unregister`, with the runners that a registration left.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::terminal::Terminal;
use super::{Office, REGISTRATION_TOKEN, RUNNER_TOKEN, command};

fn run(config: &Path, arguments: &[&str]) -> Output {
    let arguments: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
    command(config, &arguments).output().unwrap()
}

/// Exit code, standard output and what was logged.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn runners_are_listed_verified_and_removed_there_and_here() {
    let office = Office::new();
    let config = office.config();
    office
        .register(&office.all_options("first", RUNNER_TOKEN))
        .check();
    let alone = fs::read_to_string(&config).unwrap();
    office
        .register(&office.options("second", REGISTRATION_TOKEN))
        .check();
    let registered = office.coordinator.registrations()[0].token.clone();

    let (code, out, _) = told(&run(&config, &["list"]));
    let url = office.coordinator.url();
    assert_eq!(code, Some(0));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(
        out.contains("first") && out.contains("clever-docker") && out.contains(&url),
        "{out}"
    );
    assert!(
        !out.contains(RUNNER_TOKEN) && !out.contains(&registered),
        "{out}"
    );

    let (code, out, log) = told(&run(&config, &["verify"]));
    assert_eq!(code, Some(0), "{out}{log}");
    assert!(
        out.contains("first: the token is that of runner 1 there\n"),
        "{out}"
    );
    office.coordinator.revoke_runner(RUNNER_TOKEN);
    let (code, out, _) = told(&run(&config, &["verify"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("first: cannot verify") && out.contains("second: the token is"),
        "{out}"
    );
    let (code, ..) = told(&run(&config, &["verify", "--name", "second"]));
    assert_eq!(code, Some(0));

    // Nobody agrees.
    let (code, _, log) = told(&run(&config, &["unregister", "--name", "second"]));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("\"second\" is left as it is"), "{log}");
    let which = ["unregister", "--name", "second"].map(str::to_owned);
    let mut terminal = Terminal::start(&config, &which);
    terminal.answer("[y/N] ", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("systemctl restart"), "{screen}");
    let (_, out, _) = told(&run(&config, &["verify"]));
    assert!(!out.contains("second"), "{out}");
    assert_eq!(
        fs::read_to_string(&config).unwrap().trim_end(),
        alone.trim_end()
    );
    let asked = office
        .journal
        .count_requests("DELETE", |path| path == "/api/v4/runners");
    assert_eq!(asked, 1);

    // What is gone there already goes here, too.
    let (code, _, log) = told(&run(&config, &["unregister", "--all-runners", "--yes"]));
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("did not know") && log.contains("reference_runner"),
        "{log}"
    );
    assert!(!fs::read_to_string(&config).unwrap().contains("[[runners]]"));
    assert_eq!(office.names_in_folder(), ["paas-runner.toml"]);
    office.check_manners();
}

#[test]
fn what_can_not_be_done_is_told_and_the_file_is_as_it_was() {
    let office = Office::new();
    let config = office.config();
    for (arguments, code, words) in [
        (&["list"][..], 1, "there is no file"),
        (&["unregister"], 2, "--name NAME or --all-runners"),
        (
            &["unregister", "--name", "x", "--all-runners"],
            2,
            "don't go together",
        ),
        (&["list", "--name", "x"], 2, "--name"),
    ] {
        let (exit, out, log) = told(&run(&config, arguments));
        assert_eq!(exit, Some(code), "{arguments:?}: {log}");
        assert!(
            log.contains(words) && out.is_empty(),
            "{arguments:?}: {log}"
        );
    }
    office
        .register(&office.all_options("ci", RUNNER_TOKEN))
        .check();
    let before = fs::read_to_string(&config).unwrap();
    let (code, _, log) = told(&run(&config, &["verify", "--name", "x"]));
    assert_eq!(code, Some(1));
    assert!(log.contains("has no runner named \"x\""), "{log}");
    office.coordinator.suspend();
    let (code, _, log) = told(&run(&config, &["unregister", "--name", "ci", "--yes"]));
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("cannot unregister") && !log.contains(RUNNER_TOKEN),
        "{log}"
    );
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
}
