//! A runner is registered in one conversation, and the configuration that it leaves works.

mod answers;
mod commands;
mod credentials;
mod refusals;
pub mod terminal;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use heptapod_paas_runner::config::Config;
use rustix::process::geteuid;
use sandbox::{
    Clever, CleverSettings, Coordinator, CoordinatorSettings, Era, Fault, Gate, JobSpec, JobStatus,
    Journal, Role, Rule, RunnerSpec,
};
use tempfile::TempDir;

use crate::service::{Service, register};
use terminal::Terminal;

const PATIENCE: Duration = Duration::from_secs(60);
const REGISTRATION_TOKEN: &str = "GR1348941sandboxREGISTER0";
const RUNNER_TOKEN: &str = "glrt-t1_sandboxRUNNERtoken";
const ORGANIZATION: &str = "orga_07cf2ef0-c9ad-4f04-b492-94c164f95c76";
const CLEVER_TOKEN: &str = "bb52e490-d47e-47a4-b190-73e23eb17111";

/// A coordinator that takes registrations, a Clever Cloud, and a folder for the configuration.
struct Office {
    journal: Journal,
    coordinator: Coordinator,
    clever: Clever,
    folder: TempDir,
}

impl Office {
    fn new() -> Self {
        Self::with(|settings| settings.registration_token = Some(REGISTRATION_TOKEN.to_owned()))
    }

    fn with(change: impl FnOnce(&mut CoordinatorSettings)) -> Self {
        let journal = Journal::new();
        let mut settings = CoordinatorSettings::new("heptapod", journal.clone());
        change(&mut settings);
        let office = Self {
            coordinator: Coordinator::start(settings).unwrap(),
            clever: Clever::start(CleverSettings::new(journal.clone())),
            journal,
            folder: tempfile::tempdir().unwrap(),
        };
        let clever = &office.clever;
        clever.add_organization(ORGANIZATION, CLEVER_TOKEN, Role::Manager);
        office.coordinator.add_runner(RunnerSpec::new(RUNNER_TOKEN));
        office
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("paas-runner.toml")
    }

    /// All options that a new runner needs.
    fn options(&self, name: &str, token: &str) -> Vec<String> {
        let (coordinator, api) = (self.coordinator.url(), self.clever.api_url());
        let pairs = [
            ("--name", name),
            ("--coordinator-url", &coordinator),
            ("--registration-token", token),
            ("--executor", "clever-docker"),
            ("--clever-auth", "token"),
            ("--clever-instance", "heptapod-runner"),
            ("--cache-s3-server-address", "none"),
            ("--organization", ORGANIZATION),
            ("--clever-token", CLEVER_TOKEN),
            ("--default-flavor", "M"),
            ("--cc-api-url", &api),
        ];
        let options = pairs
            .into_iter()
            .flat_map(|(option, value)| [option, value]);
        options.map(str::to_owned).collect()
    }

    /// The options that only a new file needs.
    fn file_options(&self) -> Vec<String> {
        let state = self.folder.path().join("state.json");
        let state = state.display().to_string();
        let pairs = ["--state-file-path", &state, "--max-concurrency", "12"];
        let pairs = pairs.into_iter().chain(["--reference-jobs-count", "4"]);
        pairs.map(str::to_owned).collect()
    }

    fn all_options(&self, name: &str, token: &str) -> Vec<String> {
        [self.options(name, token), self.file_options()].concat()
    }

    /// Runs the program where nobody answers.
    fn register(&self, options: &[String]) -> Registration {
        let output = command(&self.config(), options).output().unwrap();
        Registration::of(&output)
    }

    fn names_in_folder(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    }

    fn posts(&self, path: &str) -> usize {
        self.journal.count_requests("POST", |to| to == path)
    }

    /// The real program takes a job with the configuration, and is done with it.
    fn check_that_a_job_runs(&self) {
        let service = Service::start(&[self.config().display().to_string()], &[]);
        let job = JobSpec::new("first", ["echo hello"]).flavor("S");
        let job = self.coordinator.submit(job);
        let ended = self
            .coordinator
            .wait_for_status(job, PATIENCE, JobStatus::is_over);
        let ended = ended.unwrap_or_else(|| panic!("no end in\n{}", service.whole_log()));
        assert_eq!(ended.status, JobStatus::Success);
        let (exit, log) = service.stop();
        assert!(exit.success(), "{log}");
    }

    fn check_manners(&self) {
        let complaints = self.journal.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// What a run without a person ended with.
struct Registration {
    code: Option<i32>,
    log: String,
}

impl Registration {
    fn of(output: &Output) -> Self {
        assert!(output.stdout.is_empty());
        Self {
            code: output.status.code(),
            log: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Fails unless it ended well and told no secret.
    fn check(&self) {
        assert_eq!(self.code, Some(0), "{}", self.log);
        self.check_secrecy();
    }

    fn check_secrecy(&self) {
        for secret in [REGISTRATION_TOKEN, RUNNER_TOKEN, CLEVER_TOKEN] {
            assert!(!self.log.contains(secret), "{}", self.log);
        }
    }
}

fn command(config: &Path, options: &[String]) -> Command {
    let mut command = register();
    command.args(options).arg(config).stdin(Stdio::null());
    // The logins of whoever runs the tests are not these tests' business.
    let home = config.parent().unwrap();
    command.env("HOME", home);
    for name in [
        "XDG_CONFIG_HOME",
        "CONFIGURATION_FILE",
        "CLEVER_TOKEN",
        "CLEVER_SECRET",
    ] {
        command.env_remove(name);
    }
    command
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A configuration as the Python program leaves it, completed by hand.
fn existing(office: &Office) -> String {
    let state = office.folder.path().join("state.json");
    let state = state.display();
    format!(
        "# ours, é\r\nstate_file = \"{state}\"\n[quota_computation] # by hand\nreference_runner = \
         'old'\nreference_flavor = \"3XL\"\nreference_jobs_count = 2\n\n[[runners]]\nname = \
         \"old\"\nurl = \"{}\"\ntoken = \"oldTOKENofTheTest000\"\nexecutor = \"local-docker\"\n  # no line end",
        office.coordinator.url()
    )
}

#[test]
fn a_person_registers_a_runner_at_a_terminal_and_it_takes_a_job() {
    let office = Office::new();
    let api = ["--cc-api-url".to_owned(), office.clever.api_url()];
    let mut terminal = Terminal::start(&office.config(), &api);
    let state = office.folder.path().join("state.json");
    terminal.answer("URL: ", &format!("{}/", office.coordinator.url()));
    terminal.await_text("a GitLab or Heptapod is there");
    terminal.answer_hidden("Token: ", REGISTRATION_TOKEN);
    terminal.answer("Executor [clever-docker]: ", "");
    terminal.answer("Runner name [clever-cloud]: ", "my \"first\" runner");
    terminal.answer("Organization: ", ORGANIZATION);
    terminal.await_text("service-token  a token of the organization itself");
    terminal.answer("Kind of credential [oauth]: ", "token");
    terminal.answer_hidden("Clever Cloud token: ", CLEVER_TOKEN);
    terminal.await_text("is there, with 0 applications now");
    terminal.await_text("M has 4.0 GiB, 0.106 € an hour (0.026 € for each GiB)");
    terminal.await_text("M has 8.0 GiB, 0.556 € an hour");
    terminal.await_text("The cheaper one is docker.");
    terminal.answer("Type of machine [docker]: ", "");
    terminal.await_text("  S      2.0 GiB   0.044 € an hour");
    terminal.answer("Flavor [M]: ", "m");
    terminal.answer("Cache server [none]: ", "");
    terminal.answer("Machines at once [4]: ", "");
    let usual = "State file path [/var/lib/heptapod-runner/state.json]: ";
    terminal.answer(usual, "state.json");
    terminal.await_text("must begin with a /");
    terminal.answer(usual, state.to_str().unwrap());
    terminal.answer("Concurrency [50]: ", "");
    let config = office.config();
    for command in [
        format!("heptapod-paas-runner --check {}\n", config.display()),
        "systemctl enable --now heptapod-paas-runner\n".to_owned(),
        "journalctl -fu heptapod-paas-runner\n".to_owned(),
    ] {
        terminal.await_text(&command);
    }
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(
        screen.contains("it is paused") && screen.contains("no administrator's token"),
        "{screen}"
    );
    let registered = office.coordinator.registrations();
    assert_eq!(registered[0].body["description"], "my \"first\" runner");
    for secret in [REGISTRATION_TOKEN, CLEVER_TOKEN, &registered[0].token] {
        assert!(!screen.contains(secret), "{screen}");
    }
    assert_eq!(mode(&office.config()), 0o600);
    assert_eq!(office.names_in_folder(), ["paas-runner.toml"]);
    office.coordinator.resume_runner(&registered[0].token);
    office.check_that_a_job_runs();
    office.check_manners();
}

#[test]
fn a_runner_of_the_web_pages_needs_no_person_and_nothing_that_is_there_is_touched() {
    for era in [Era::Before17, Era::Current] {
        let office = Office::with(|settings| settings.era = era);
        let before = existing(&office);
        fs::write(office.config(), &before).unwrap();
        let options = office.options("new", RUNNER_TOKEN);
        let registration = office.register(&options);
        registration.check();
        let after = fs::read_to_string(office.config()).unwrap();
        assert!(after.starts_with(&before), "{after}");
        assert_eq!(mode(&office.config()), 0o600);
        assert!(
            registration.log.contains("its mode was 644"),
            "{}",
            registration.log
        );
        let config = Config::load(&office.config()).unwrap();
        assert_eq!(config.runners[1].name, "new");
        assert_eq!(config.runners[1].token.reveal(), RUNNER_TOKEN);
        // Whether there is an API at all, and whether the token is good.
        assert_eq!(office.posts("/api/v4/runners/verify"), 2);
        assert_eq!(office.posts("/api/v4/runners"), 0);
        office.check_manners();
    }
}

#[test]
fn a_new_configuration_by_options_alone_takes_a_job() {
    let office = Office::new();
    office
        .register(&office.all_options("ci", RUNNER_TOKEN))
        .check();
    office.check_that_a_job_runs();
    office.check_manners();
}

#[test]
fn a_new_configuration_belongs_to_whom_its_folder_was_made_for() {
    if !geteuid().is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    let office = Office::new();
    chown(office.folder.path(), Some(4711), Some(4712)).unwrap();
    let token = office.folder.path().join("token");
    fs::write(&token, RUNNER_TOKEN).unwrap();
    fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
    let options = office.all_options("ci", &format!("file:{}", token.display()));
    let registration = office.register(&options);
    registration.check();
    let metadata = fs::metadata(office.config()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
    assert_eq!(mode(&office.config()), 0o600);
    // Its user can't read what it needs.
    let words = format!("can't read {}", token.display());
    assert!(registration.log.contains(&words), "{}", registration.log);
    fs::remove_file(office.config()).unwrap();
    chown(&token, Some(4711), Some(4712)).unwrap();
    let registration = office.register(&options);
    assert!(!registration.log.contains(&words), "{}", registration.log);
}

#[test]
fn an_instances_own_prefix_makes_no_registration_token_of_a_runners_token() {
    let office = Office::new();
    let token = "acme-glrt-t1_sandboxRUNNERtoken";
    office.coordinator.add_runner(RunnerSpec::new(token));
    office.register(&office.all_options("ci", token)).check();
    assert_eq!(office.posts("/api/v4/runners"), 0);
    office.check_manners();
}

#[test]
fn a_reference_to_a_secret_is_followed_for_the_call_and_kept_in_the_file() {
    let office = Office::new();
    let options = office.all_options("ci", "env:TOKEN_OF_THE_TEST");
    let mut command = command(&office.config(), &options);
    let output = command
        .env("TOKEN_OF_THE_TEST", RUNNER_TOKEN)
        .output()
        .unwrap();
    Registration::of(&output).check();
    let text = fs::read_to_string(office.config()).unwrap();
    assert!(text.contains("token = \"env:TOKEN_OF_THE_TEST\""), "{text}");
}

#[test]
fn what_an_existing_file_lacks_is_appended_or_told() {
    let office = Office::new();
    let before = "concurrent = 3\n[[runners]]\nname = \"old\"\n";
    fs::write(office.config(), before).unwrap();
    let registration = office.register(&office.all_options("new", RUNNER_TOKEN));
    registration.check();
    for told in [
        "--max-concurrency is ignored",
        "at the top of the file:\nstate_file = \"",
    ] {
        assert!(registration.log.contains(told), "{}", registration.log);
    }
    let after = fs::read_to_string(office.config()).unwrap();
    assert!(after.starts_with(before), "{after}");
    let after: toml::Table = after.parse().unwrap();
    let quota = &after["quota_computation"];
    assert_eq!(quota["reference_runner"].as_str(), Some("new"));
    assert_eq!(quota["reference_jobs_count"].as_integer(), Some(4));
}

#[test]
fn a_link_to_the_configuration_stays_one() {
    let office = Office::new();
    let real = office.folder.path().join("real.toml");
    fs::write(&real, existing(&office)).unwrap();
    symlink(&real, office.config()).unwrap();
    office
        .register(&office.options("new", RUNNER_TOKEN))
        .check();
    assert!(office.config().is_symlink());
    assert_eq!(Config::load(&real).unwrap().runners.len(), 2);
}

#[test]
fn two_registrations_at_the_same_time_both_get_into_the_file() {
    let office = Office::new();
    let gate = Gate::new();
    let hold = Rule::on("POST", "/api/v4/runners").with(Fault::HoldBefore(gate.clone()));
    office.coordinator.faults().inject(hold);
    thread::scope(|scope| {
        let first = scope.spawn(|| office.register(&office.all_options("a", REGISTRATION_TOKEN)));
        assert!(gate.wait_reached(PATIENCE));
        let mut second = Terminal::start(
            &office.config(),
            &office.all_options("b", REGISTRATION_TOKEN),
        );
        second.await_text("waiting for another registration");
        gate.open();
        first.join().unwrap().check();
        let (code, screen) = second.end();
        assert_eq!(code, Some(0), "{screen}");
    });
    let config = Config::load(&office.config()).unwrap();
    let names: Vec<_> = config.runners.iter().map(|runner| &runner.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(office.names_in_folder(), ["paas-runner.toml"]);
}
