//! Each answer is tried as soon as it can be: at a terminal a wrong one is asked for again, from a pipe
//! it is told and nothing is written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use heptapod_paas_runner::config::Config;
use sandbox::{Key, Role};
use toml::{Table, Value};

use super::terminal::Terminal;
use super::{
    CLEVER_TOKEN, ORGANIZATION, Office, REGISTRATION_TOKEN, RUNNER_TOKEN, Registration, command,
    existing,
};

const PAIR: (&str, &str) = ("oauthT0ken0user", "oauthS3cret0user");

fn add_pair(office: &Office) {
    let pair = Key::OAuth {
        token: PAIR.0.to_owned(),
        secret: PAIR.1.to_owned(),
    };
    office.clever.add_key(ORGANIZATION, pair, Role::Manager);
}

fn runner(office: &Office, number: usize) -> Table {
    let text = fs::read_to_string(office.config()).unwrap();
    let document: Table = text.parse().unwrap();
    document["runners"][number].as_table().unwrap().clone()
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
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

/// Options without those named.
fn without(options: &[String], names: &[&str]) -> Vec<String> {
    let pairs = options.chunks(2);
    let kept = pairs.filter(|pair| !names.contains(&pair[0].as_str()));
    kept.flat_map(<[String]>::to_vec).collect()
}

/// All options that a new runner needs, with others of these names.
fn changed(office: &Office, others: &[(&str, &str)]) -> Vec<String> {
    let names: Vec<_> = others.iter().map(|(name, _)| *name).collect();
    let mut options = without(&office.all_options("ci", RUNNER_TOKEN), &names);
    let others = others.iter().flat_map(|(name, value)| [*name, *value]);
    options.extend(others.map(str::to_owned));
    options
}

/// The same with a credential of this kind.
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
fn what_can_not_be_is_asked_again_and_again() {
    let office = Office::new();
    fs::write(office.config(), existing(&office)).unwrap();
    let (api, url) = (office.clever.api_url(), office.coordinator.url());
    let given = [
        "-e",
        "docker",
        "--default-flavor",
        "9XL",
        "--cc-api-url",
        &api,
    ];
    let given = [
        &given[..],
        &["--name", "old", "--clever-instance", "heptapod-runner"],
    ]
    .concat();
    let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
    let mut terminal = Terminal::start(&office.config(), &given);
    terminal.answer("URL: ", "no host");
    terminal.await_text("must be an address");
    terminal.answer("URL: ", &format!("{url}/api/v4"));
    terminal.await_text(&format!("But there is one at {url}"));
    terminal.answer(&format!("URL [{url}]: "), "");
    terminal.answer_hidden("Token: ", "oldTOKENofTheTest000");
    terminal.await_text("the runner \"old\" of the file has this token");
    terminal.answer_hidden("Token: ", "glrt-unknown");
    terminal.await_text("No runner with this token is known there");
    terminal.answer_hidden("Token: ", RUNNER_TOKEN);
    terminal.await_text("the token is that of runner 1 there");
    terminal.await_text("--executor: unknown executor \"docker\"");
    terminal.answer("Executor [clever-docker]: ", "Clever-Docker");
    terminal.await_text("--name: the file has a runner named \"old\" already");
    terminal.answer("Runner name [clever-cloud]: ", "old");
    terminal.answer("Runner name [clever-cloud]: ", "  new ");
    terminal.answer("Organization: ", "an organization");
    terminal.answer("Organization: ", "orga_elsewhere");
    terminal.answer("Kind of credential [oauth]: ", "secret");
    terminal.answer("Kind of credential [oauth]: ", "oauth");
    terminal.answer_hidden("Clever Cloud token: ", "");
    terminal.answer_hidden("Clever Cloud token: ", CLEVER_TOKEN);
    // It has none, and so is no such token.
    terminal.answer_hidden("Its secret: ", "");
    terminal.answer("Kind of credential [api-token]: ", "Token");
    terminal.answer_hidden("Clever Cloud token [as before]: ", "");
    terminal.await_text("refuses this credential for orga_elsewhere");
    terminal.answer("Organization [orga_elsewhere]: ", ORGANIZATION);
    terminal.answer("Kind of credential [Token]: ", "");
    terminal.answer_hidden("Clever Cloud token [as before]: ", "");
    terminal.await_text("--default-flavor: there is no flavor \"9XL\"; there are XS, S, M");
    terminal.answer("Flavor [M]: ", "4xl");
    terminal.answer("Flavor [M]: ", "s");
    terminal.answer("Cache server [none]: ", "http://cellar");
    terminal.answer("Cache server [none]: ", "https://cellar.example.org/");
    terminal.answer("Bucket: ", "ci-cache");
    terminal.answer_hidden("Access key: ", "env:KEY");
    terminal.answer_hidden("Access key: ", "acc3ss");
    terminal.answer_hidden("Secret key: ", "k3y");
    terminal.await_text("systemctl restart heptapod-paas-runner");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    let new = runner(&office, 1);
    assert_eq!(
        (text(&new, "name"), text(&new, "url")),
        ("new", url.as_str())
    );
    assert_eq!(text(&new, "cc_orga_id"), ORGANIZATION);
    assert_eq!(
        (text(&new, "cc_auth"), text(&new, "cc_default_flavor")),
        ("token", "S")
    );
    assert_eq!(new["cache"]["Type"].as_str(), Some("s3"));
    assert_eq!(
        new["cache"]["s3"]["ServerAddress"].as_str(),
        Some("cellar.example.org")
    );
    assert_eq!(new["cache"]["s3"]["SecretKey"].as_str(), Some("k3y"));
    assert!(Config::load(&office.config()).is_ok());
}

/// An address that somebody copied from a browser, one without TLS, one without its beginning.
#[test]
fn an_address_that_is_nearly_right_gets_its_mend() {
    let office = Office::with(|settings| settings.relative_url = Some("/gitlab".to_owned()));
    let url = office.coordinator.url();
    let host = url.strip_prefix("http://").unwrap();
    let mend = format!("But there is one at {url}. Nothing was written");
    for typed in [
        format!("{url}/api/v4"),
        format!("{url}/admin/runners/12/register?tab=1#x"),
        format!("https://{host}"),
    ] {
        let registration = office.register(&changed(&office, &[("--coordinator-url", &typed)]));
        assert_eq!(registration.code, Some(1), "{typed}: {}", registration.log);
        assert!(
            registration.log.contains(&mend),
            "{typed}: {}",
            registration.log
        );
    }
    // Clever Cloud is no coordinator.
    let other = office.clever.api_url();
    let registration = office.register(&changed(&office, &[("--coordinator-url", &other)]));
    assert_eq!(registration.code, Some(1), "{}", registration.log);
    assert!(
        registration.log.contains("no GitLab or Heptapod answers"),
        "{}",
        registration.log
    );
    assert_eq!(office.names_in_folder(), Vec::<String>::new());
}

#[test]
fn a_registration_token_that_is_refused_is_asked_for_again() {
    let office = Office::new();
    let options = office.all_options("ci", "GR1348941somethingELSE000");
    let mut terminal = Terminal::start(&office.config(), &options);
    terminal.await_text("This registration token is not valid there");
    assert_eq!(office.names_in_folder(), Vec::<String>::new());
    terminal.answer_hidden("Token [as before]: ", REGISTRATION_TOKEN);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(office.coordinator.registrations().len(), 1);
    assert_eq!(text(&runner(&office, 0), "name"), "ci");
    office.check_manners();
}

/// Runners of old instances have tokens of no shape.
#[test]
fn a_token_of_no_shape_is_tried_as_a_runners_own_before_it_registers() {
    let office =
        Office::with(|settings| settings.registration_token = Some("0ldREGISTRATION".to_owned()));
    let own = "0ldRUNNERtokenTWENTY";
    office.coordinator.add_runner(sandbox::RunnerSpec::new(own));
    office.register(&office.all_options("a", own)).check();
    assert!(office.coordinator.registrations().is_empty());
    office
        .register(&office.options("b", "0ldREGISTRATION"))
        .check();
    assert_eq!(office.coordinator.registrations().len(), 1);
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
fn the_options_of_the_python_program_suffice_and_what_is_missing_is_a_comment() {
    let office = Office::new();
    let state = office.folder.path().join("state.json");
    let mut options = vec!["--name".to_owned(), "ci".to_owned()];
    options.extend(["-c".to_owned(), office.coordinator.url()]);
    options.extend(["-t", REGISTRATION_TOKEN, "-e", "clever-docker"].map(str::to_owned));
    options.extend(["--max-concurrency".to_owned(), "12".to_owned()]);
    options.extend(["--state-file-path".to_owned(), state.display().to_string()]);
    let registration = office.register(&options);
    registration.check();
    let written = fs::read_to_string(office.config()).unwrap();
    for key in ["cc_orga_id", "cc_auth", "cc_token"] {
        assert!(
            written.contains(&format!("\n# {key} = \"\"  # ")),
            "{written}"
        );
    }
    let why = Config::load(&office.config()).unwrap_err().to_string();
    assert!(
        why.contains("`cc_orga_id` is missing") && why.contains("`cc_token` is missing"),
        "{why}"
    );
    assert!(registration.log.contains(&why), "{}", registration.log);
    // What is known of a credential is kept.
    fs::remove_file(office.config()).unwrap();
    options.extend(["--clever-auth", "api-token"].map(str::to_owned));
    office.register(&options).check();
    let credential = fs::read_to_string(office.config()).unwrap();
    for line in [
        "cc_auth = \"api-token\"",
        "# cc_token = ",
        "# cc_ssh_key = ",
    ] {
        assert!(credential.contains(&format!("\n{line}")), "{credential}");
    }
    // Completed by hand, it works.
    let (api, token) = (
        office.clever.api_url(),
        &office.coordinator.registrations()[0].token,
    );
    let completed = written
        .replace(
            "# cc_orga_id = \"\"",
            &format!("cc_api_url = \"{api}\"\ncc_orga_id = \"{ORGANIZATION}\""),
        )
        .replace(
            "# cc_token = \"\"",
            &format!("cc_token = \"{CLEVER_TOKEN}\""),
        );
    fs::write(office.config(), completed).unwrap();
    office.coordinator.resume_runner(token);
    office.check_that_a_job_runs();
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
