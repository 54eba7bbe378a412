//! When something is wrong, it is told, asked again or given up, and the file is as it was.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Stdio;

use heptapod_paas_runner::config::Config;
use sandbox::{Fault, Rule, Stranger};

use super::terminal::Terminal;
use super::{Office, REGISTRATION_TOKEN, RUNNER_TOKEN, Registration, command, existing};

/// Fails unless the run ended with a 1, these words, and no trace.
fn check_refused(office: &Office, registration: &Registration, words: &[&str]) {
    assert_eq!(registration.code, Some(1), "{}", registration.log);
    for word in words {
        assert!(
            registration.log.contains(word),
            "{word}\n--\n{}",
            registration.log
        );
    }
    registration.check_secrecy();
    assert_eq!(office.names_in_folder(), Vec::<String>::new());
}

#[test]
fn an_instance_without_registration_tokens_is_explained() {
    let office = Office::with(|_| {});
    let registration = office.register(&office.all_options("ci", REGISTRATION_TOKEN));
    let words = [
        "status 410",
        "registration disallowed",
        "switched off",
        "New runner",
        "glrt-",
    ];
    check_refused(&office, &registration, &words);
}

#[test]
fn a_wrong_token_is_explained() {
    let office = Office::new();
    let registration = office.register(&office.all_options("ci", "GR1348941somethingELSE000"));
    check_refused(
        &office,
        &registration,
        &["status 403", "invalid token supplied", "not valid"],
    );
    let registration = office.register(&office.all_options("ci", "glrt-unknown"));
    check_refused(
        &office,
        &registration,
        &["status 403", "No runner with this token is known"],
    );
}

#[test]
fn other_refusals_and_outages_are_told_without_the_token() {
    let office = Office::new();
    let echo = format!("{{\"message\": \"422 orphaned {RUNNER_TOKEN}\"}}").into_bytes();
    let orphaned = Fault::Status {
        code: 422,
        headers: Vec::new(),
        body: echo,
    };
    let moved = Fault::Status {
        code: 301,
        headers: vec![(
            "Location".to_owned(),
            "https://git.example.org/api/v4?token=x".to_owned(),
        )],
        body: Vec::new(),
    };
    let no_token = Fault::Replace(sandbox::Response::text(201, "201"));
    for (token, fault, words) in [
        (
            RUNNER_TOKEN,
            orphaned,
            ["status 422", "[redacted]", "lost its owner"],
        ),
        (
            RUNNER_TOKEN,
            moved,
            ["301", "https://git.example.org/api/v4.", "redirects"],
        ),
        (
            RUNNER_TOKEN,
            Fault::html(502),
            ["status 502 (a page", "has trouble", "Nothing was written"],
        ),
        (
            RUNNER_TOKEN,
            Stranger::SignIn.says(403),
            ["\"Sign in", "from corp-gate", "what stands between"],
        ),
        (
            RUNNER_TOKEN,
            Stranger::Maintenance.says(200),
            [
                "\"Back soon\"",
                "not the coordinator's own",
                "check the address",
            ],
        ),
        (
            REGISTRATION_TOKEN,
            Stranger::NoRoute.says(404),
            ["no Route matched", "no runners' API", "check it"],
        ),
        (
            REGISTRATION_TOKEN,
            Stranger::Unauthorized.says(401),
            ["Unauthorized", "what stands between", "list of runners"],
        ),
        (
            REGISTRATION_TOKEN,
            Fault::CutAfter,
            ["cannot register", "list of runners", "remove it"],
        ),
        (
            REGISTRATION_TOKEN,
            no_token,
            ["without a token", "list of runners", "remove it"],
        ),
    ] {
        office
            .coordinator
            .faults()
            // Behind the look whether anything is there.
            .inject(Rule::on("POST", "*").after(1).with(fault));
        let registration = office.register(&office.all_options("ci", token));
        check_refused(&office, &registration, &words);
    }
    office.coordinator.suspend();
    let registration = office.register(&office.all_options("ci", RUNNER_TOKEN));
    check_refused(
        &office,
        &registration,
        &[
            "no GitLab or Heptapod answers at",
            "Check the address and the network",
        ],
    );
}

#[test]
fn a_file_that_is_no_configuration_is_left_alone() {
    let office = Office::new();
    let broken = "state_file = \"x\"\n[[runners\n";
    fs::write(office.config(), broken).unwrap();
    let registration = office.register(&office.options("ci", RUNNER_TOKEN));
    assert_eq!(registration.code, Some(1));
    assert!(
        registration.log.contains("not valid TOML: line 2"),
        "{}",
        registration.log
    );
    assert_eq!(fs::read_to_string(office.config()).unwrap(), broken);
    assert_eq!(office.posts("/api/v4/runners/verify"), 0);
}

#[test]
fn an_existing_file_is_as_it_was_after_a_refusal() {
    let office = Office::new();
    let before = existing(&office);
    fs::write(office.config(), &before).unwrap();
    let registration = office.register(&office.options("ci", "glrt-unknown"));
    assert_eq!(registration.code, Some(1));
    assert_eq!(fs::read_to_string(office.config()).unwrap(), before);
    assert_eq!(super::mode(&office.config()), 0o644);
    assert_eq!(office.names_in_folder(), ["paas-runner.toml"]);
}

#[test]
fn a_folder_that_is_not_there_is_told_before_anything_is_asked() {
    let office = Office::new();
    let config = office.folder.path().join("nowhere/paas-runner.toml");
    let output = command(&config, &[]).output().unwrap();
    let registration = Registration::of(&output);
    check_refused(&office, &registration, &["there is no folder", "nowhere"]);
}

#[test]
fn the_end_of_the_input_names_the_option_that_would_answer() {
    let office = Office::new();
    let all = office.all_options("ci", REGISTRATION_TOKEN);
    for missing in ["--coordinator-url", "--registration-token"] {
        let pairs = all.chunks(2).filter(|pair| pair[0] != missing);
        let given: Vec<String> = pairs.flat_map(<[String]>::to_vec).collect();
        let registration = office.register(&given);
        check_refused(&office, &registration, &[missing, "the input ended"]);
    }
    assert!(office.coordinator.registrations().is_empty());
}

#[test]
fn answers_come_from_a_pipe_as_well_even_where_nobody_can_read_the_questions() {
    for stderr in ["/dev/null", "/dev/full"] {
        let office = Office::new();
        let mut options = office.all_options("ci", RUNNER_TOKEN);
        let mut all = options.iter();
        let at = all.position(|option| option == "--registration-token");
        options.drain(at.unwrap()..at.unwrap() + 2);
        let mut command = command(&office.config(), &options);
        let stderr = OpenOptions::new().write(true).open(stderr).unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut hands = child.stdin.take().unwrap();
        hands.write_all(RUNNER_TOKEN.as_bytes()).unwrap();
        drop(hands);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(
            Config::load(&office.config()).unwrap().runners[0].name,
            "ci"
        );
    }
}

#[test]
fn any_flavor_is_taken_when_the_list_is_out_of_reach() {
    let office = Office::new();
    office
        .clever
        .faults()
        .inject(Rule::on("GET", "*/products/flavors*").with(Fault::html(503)));
    let mut options = office.all_options("ci", RUNNER_TOKEN);
    let flavor = options.iter().position(|option| option == "M").unwrap();
    options[flavor] = "5XL".to_owned();
    let registration = office.register(&options);
    registration.check();
    assert!(
        registration
            .log
            .contains("cannot reach Clever Cloud's list"),
        "{}",
        registration.log
    );
    let text = fs::read_to_string(office.config()).unwrap();
    assert!(text.contains("reference_flavor = \"5XL\""), "{text}");
}

#[test]
fn an_interrupt_while_nothing_is_shown_gives_the_terminal_back() {
    let office = Office::new();
    let mut options = office.all_options("ci", "");
    options.extend(["--registration-token".to_owned(), String::new()]);
    let mut terminal = Terminal::start(&office.config(), &options);
    terminal.await_text("Token: ");
    assert!(!terminal.shows_what_is_typed());
    terminal.type_in("half a token\u{3}");
    terminal.await_end();
    assert!(terminal.shows_what_is_typed());
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(!screen.contains("half"), "{screen}");
    assert_eq!(office.names_in_folder(), Vec::<String>::new());
}

#[test]
fn control_d_at_a_hidden_prompt_is_the_end_of_the_input() {
    let office = Office::new();
    let mut terminal = Terminal::start(&office.config(), &office.all_options("ci", ""));
    terminal.await_text("Token: ");
    terminal.type_in("\u{4}");
    terminal.await_end();
    assert!(terminal.shows_what_is_typed());
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains("--registration-token"), "{screen}");
}
