//! Each answer is tried as soon as it can be: at a terminal a wrong one is asked for again, from a pipe
//! it is told and nothing is written.

use std::fs;

use heptapod_paas_runner::config::Config;
use toml::{Table, Value};

use super::terminal::Terminal;
use super::{CLEVER_TOKEN, ORGANIZATION, Office, REGISTRATION_TOKEN, RUNNER_TOKEN, existing};

pub fn runner(office: &Office, number: usize) -> Table {
    let text = fs::read_to_string(office.config()).unwrap();
    let document: Table = text.parse().unwrap();
    document["runners"][number].as_table().unwrap().clone()
}

pub fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Options without those named.
pub fn without(options: &[String], names: &[&str]) -> Vec<String> {
    let pairs = options.chunks(2);
    let kept = pairs.filter(|pair| !names.contains(&pair[0].as_str()));
    kept.flat_map(<[String]>::to_vec).collect()
}

/// All options that a new runner needs, with others of these names.
pub fn changed(office: &Office, others: &[(&str, &str)]) -> Vec<String> {
    let names: Vec<_> = others.iter().map(|(name, _)| *name).collect();
    let mut options = without(&office.all_options("ci", RUNNER_TOKEN), &names);
    let others = others.iter().flat_map(|(name, value)| [*name, *value]);
    options.extend(others.map(str::to_owned));
    options
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
