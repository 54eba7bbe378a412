//! A credential of Clever Cloud is found, asked for and tried, of each kind, and so is what pushes beside it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use heptapod_paas_runner::config::Config;
use sandbox::{Key, Role};

use super::answers::{changed, runner, text, without};
use super::terminal::Terminal;
use super::{
    CLEVER_TOKEN, ORGANIZATION, Office, REGISTRATION_TOKEN, RUNNER_TOKEN, Registration, command,
};

const PAIR: (&str, &str) = ("oauthT0ken0user", "oauthS3cret0user");

fn add_pair(office: &Office) {
    let pair = Key::OAuth {
        token: PAIR.0.to_owned(),
        secret: PAIR.1.to_owned(),
    };
    office.clever.add_key(ORGANIZATION, pair, Role::Manager);
}

/// What looks like a private key from outside, for nobody else; its path.
fn ssh_key(office: &Office, name: &str) -> String {
    let path = office.folder.path().join(name);
    let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n\
        -----END OPENSSH PRIVATE KEY-----\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// All options with a credential of this kind.
fn with_credential(office: &Office, kind: &str, token: &str, more: &[(&str, &str)]) -> Vec<String> {
    let bridge = office.clever.bridge_url();
    let own = [
        ("--clever-auth", kind),
        ("--clever-token", token),
        ("--cc-bridge-url", &bridge),
    ];
    changed(office, &[&own, more].concat())
}

#[test]
fn the_login_of_the_official_program_is_found_and_offered() {
    let office = Office::new();
    add_pair(&office);
    let folder = office.folder.path().join(".config/clever-cloud");
    fs::create_dir_all(&folder).unwrap();
    let profile = serde_json::json!({"alias": "default", "token": PAIR.0, "secret": PAIR.1});
    let file = serde_json::json!({"version": 1, "profiles": [profile]});
    fs::write(folder.join("clever-tools.json"), file.to_string()).unwrap();
    let options = office.all_options("ci", RUNNER_TOKEN);
    let options = without(&options, &["--clever-auth", "--clever-token"]);
    let mut terminal = Terminal::start(&office.config(), &options);
    terminal.await_text("[Y/n] ");
    terminal.type_in("\u{4}");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(1), "{screen}");
    let mut terminal = Terminal::start(&office.config(), &options);
    terminal.answer("clever-tools.json? It is good for three months. [Y/n] ", "");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(
        !screen.contains(PAIR.0) && !screen.contains(PAIR.1),
        "{screen}"
    );
    let runner = runner(&office, 0);
    assert_eq!(
        (text(&runner, "cc_auth"), text(&runner, "cc_secret")),
        ("oauth", PAIR.1)
    );
    office.check_that_a_job_runs();
    office.check_manners();

    // One that is not good any more.
    office.clever.revoke_token(PAIR.0);
    let options = without(
        &office.options("b", REGISTRATION_TOKEN),
        &["--clever-auth", "--clever-token"],
    );
    let mut terminal = Terminal::start(&office.config(), &options);
    terminal.answer("[Y/n] ", "y");
    terminal.await_text("refuses this credential");
    terminal.answer(&format!("Organization [{ORGANIZATION}]: "), "");
    terminal.answer("Kind of credential [oauth]: ", "token");
    terminal.answer_hidden("Clever Cloud token: ", CLEVER_TOKEN);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn each_kind_of_credential_can_be_given_and_a_token_of_another_kind_is_recognized() {
    let office = Office::new();
    add_pair(&office);
    for key in [
        Key::ApiToken("apiT0ken".to_owned()),
        Key::ServiceToken("serviceT0ken".to_owned()),
    ] {
        office.clever.add_key(ORGANIZATION, key, Role::Manager);
    }
    for (kind, token, other) in [
        ("token", "serviceT0ken", Some("service-token")),
        ("service-token", "apiT0ken", Some("api-token")),
        ("service-token", CLEVER_TOKEN, Some("token")),
        ("token", "unknown", None),
        ("api-token", CLEVER_TOKEN, None),
    ] {
        let registration = office.register(&with_credential(&office, kind, token, &[]));
        assert_eq!(
            registration.code,
            Some(1),
            "{kind} {token}: {}",
            registration.log
        );
        let words = other.map_or("check its kind".to_owned(), |other| {
            format!("the kind is {other:?}")
        });
        assert!(
            registration.log.contains(&words),
            "{kind} {token}: {}",
            registration.log
        );
        registration.check_secrecy();
    }
    let key = ssh_key(&office, "key");
    let git = [
        ("--clever-git-user", PAIR.0),
        ("--clever-git-password", PAIR.1),
    ];
    for (kind, token, more) in [
        ("oauth", PAIR.0, &[("--clever-secret", PAIR.1)][..]),
        ("service-token", "serviceT0ken", &[]),
        ("api-token", "apiT0ken", &git),
        ("api-token", "apiT0ken", &[("--clever-ssh-key", &key)]),
    ] {
        let registration = office.register(&with_credential(&office, kind, token, more));
        registration.check();
        let log = &registration.log;
        assert!(log.contains("the credential is good for it"), "{log}");
        assert!(!log.contains(token) && !log.contains(PAIR.1), "{log}");
        let written = runner(&office, 0);
        assert_eq!(text(&written, "cc_auth"), kind);
        for (option, value) in more {
            let key = format!("cc_{}", &option["--clever-".len()..].replace('-', "_"));
            assert_eq!(text(&written, &key), *value);
        }
        assert!(Config::load(&office.config()).is_ok());
        fs::remove_file(office.config()).unwrap();
    }
}

#[test]
fn an_ssh_key_is_looked_at_while_it_is_typed_and_a_pair_will_do_instead() {
    let office = Office::new();
    let key = Key::ApiToken("apiT0ken".to_owned());
    office.clever.add_key(ORGANIZATION, key, Role::Manager);
    let (token, secret) = (PAIR.0.to_owned(), PAIR.1.to_owned());
    let login = [("CLEVER_TOKEN", token), ("CLEVER_SECRET", secret)];
    let options = with_credential(&office, "api-token", "apiT0ken", &[]);
    let key = ssh_key(&office, "key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let mut terminal = Terminal::start_in(&office.config(), &options, &login);
    terminal.answer("SSH key [none]: ", "/nowhere/key");
    terminal.await_text("cannot read /nowhere/key");
    terminal.answer("SSH key [none]: ", &key);
    terminal.await_text("chmod 600");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    terminal.answer("SSH key [none]: ", "~/key.pub");
    terminal.await_text(&format!("But there is a key at {key}"));
    terminal.answer(&format!("SSH key [{key}]: "), "");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(text(&runner(&office, 0), "cc_ssh_key"), key);
    assert!(Config::load(&office.config()).is_ok());

    fs::remove_file(office.config()).unwrap();
    let mut terminal = Terminal::start_in(&office.config(), &options, &login);
    terminal.answer("SSH key [none]: ", "");
    terminal.answer(
        "clever for git, as it is in CLEVER_TOKEN and CLEVER_SECRET?",
        "",
    );
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    let runner = runner(&office, 0);
    let pair = (
        text(&runner, "cc_git_user"),
        text(&runner, "cc_git_password"),
    );
    assert_eq!(pair, PAIR);
    assert!(!runner.contains_key("cc_ssh_key"));
    office.check_manners();
}

#[test]
fn a_credential_that_can_not_be_tried_now_is_taken_as_it_is() {
    let office = Office::new();
    let fault = sandbox::Rule::on("GET", "*/applications").with(sandbox::Fault::html(503));
    office.clever.faults().inject(fault);
    let registration = office.register(&office.all_options("a", RUNNER_TOKEN));
    registration.check();
    assert!(
        registration.log.contains("right is not known"),
        "{}",
        registration.log
    );
    // It is there when the service starts.
    let options = without(
        &office.options("b", REGISTRATION_TOKEN),
        &["--clever-token"],
    );
    let mut options = [options, vec!["--clever-token".to_owned()]].concat();
    options.push("env:NO_SUCH_VARIABLE_HERE".to_owned());
    let output = command(&office.config(), &options).output().unwrap();
    let registration = Registration::of(&output);
    registration.check();
    assert!(
        registration.log.contains("it must be there when"),
        "{}",
        registration.log
    );
}
