//! The way of a new administrator, told aloud: from the registration to a job whose machine is gone, with
//! each kind of credential, by the installed program and a real systemd.
//!
//! It registers, starts and stops on the computer itself, as root. So it runs where `.ci/package/try` made
//! a computer for it, and nowhere else.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sandbox::{JobStatus, Key, Role, SshRemote};

use crate::registration::terminal::Terminal;
use crate::scene::{CLEVER_TOKEN, ORGANIZATION, RUNNER_TOKEN, Scene, eventually};

const SERVICE: &str = "heptapod-paas-runner";
const USER: &str = "heptapod-runner";
const CONFIG: &str = "/etc/heptapod-runner/paas-runner.toml";
const SSH_KEY: &str = "/etc/heptapod-runner/ssh-key";
const STATE: &str = "/var/lib/heptapod-runner/state.json";
const NO_JOBS: &str = "\"jobs\":[]";
const PAIR: (&str, &str) = ("oauthT0ken", "oauthS3cret");

fn pair() -> Key {
    Key::OAuth {
        token: PAIR.0.to_owned(),
        secret: PAIR.1.to_owned(),
    }
}

/// Somebody who walks, and says when they do what.
struct Walk {
    scene: Scene,
    began: Instant,
}

impl Walk {
    /// With nothing but these credentials.
    fn with(title: &str, keys: &[Key]) -> Self {
        let scene = Scene::new();
        scene.clever.revoke_token(CLEVER_TOKEN);
        for key in keys {
            let key = key.clone();
            scene.clever.add_key(ORGANIZATION, key, Role::Manager);
        }
        println!("\n---- {title}");
        let began = Instant::now();
        Self { scene, began }
    }

    fn step(&self, what: &str) {
        println!("[{:5.1} s] {what}", self.began.elapsed().as_secs_f64());
    }

    /// As if it were typed; what it prints is shown.
    fn run(&self, line: &str) -> String {
        self.step(&format!("$ {line}"));
        let (said, status) = printed(line);
        for line in said.lines() {
            println!("          {line}");
        }
        assert!(status.success(), "{line}: {status}");
        said
    }

    /// By options alone.
    fn register(&self, credential: &str) {
        let (url, api) = (self.scene.coordinator.url(), self.scene.clever.api_url());
        let bridge = self.scene.clever.bridge_url();
        self.run(&format!(
            "{SERVICE} register --name ci -c {url} -t {RUNNER_TOKEN} -e clever-docker \
             --clever-instance heptapod-runner --default-flavor XS --organization {ORGANIZATION} \
             --cc-api-url {api} --cc-bridge-url {bridge} {credential} {CONFIG} </dev/null"
        ));
    }

    /// At a terminal; what is not said is Enter.
    fn register_by_hand(&self) {
        let api = ["--cc-api-url".to_owned(), self.scene.clever.api_url()];
        self.step(&format!("$ {SERVICE} register {} {CONFIG}", api.join(" ")));
        let mut terminal = Terminal::start(Path::new(CONFIG), &api);
        terminal.answer("URL: ", &self.scene.coordinator.url());
        terminal.answer_hidden("Token: ", RUNNER_TOKEN);
        terminal.answer("Executor [clever-docker]: ", "");
        terminal.answer("Runner name [clever-cloud]: ", "ci");
        terminal.answer("Organization: ", ORGANIZATION);
        terminal.answer("Kind of credential [oauth]: ", "");
        terminal.answer_hidden("Clever Cloud token: ", PAIR.0);
        terminal.answer_hidden("Its secret: ", PAIR.1);
        for usual in [
            "Type of machine [docker]: ",
            "Flavor [M]: ",
            "Cache server [none]: ",
            "Machines at once [4]: ",
            "State file path [/var/lib/heptapod-runner/state.json]: ",
            "Concurrency [50]: ",
        ] {
            terminal.answer(usual, "");
        }
        let (code, screen) = terminal.end();
        for line in screen.lines() {
            println!("          {line}");
        }
        assert_eq!(code, Some(0), "{screen}");
    }

    /// What follows the registration, as its last lines say.
    fn to_the_end(&self) {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.run(&format!("{SERVICE} --check {CONFIG}"));
        self.run(&format!("systemctl enable --now {SERVICE}"));
        let lasting = self.scene.lasting_script();
        let script = format!("echo \"this machine is mine\"; {lasting}");
        let job = self.scene.submit("hello", &script);
        self.step("a job is submitted");
        let journal = format!("journalctl -u {SERVICE} --since @{}", began.as_secs_f64());
        let told = |words: &str| printed(&format!("{journal} -o cat")).0.contains(words);
        assert!(
            eventually(|| told("running, seen after")),
            "it does not run"
        );
        self.step("the log says that it runs");
        self.scene.let_end();
        let ended = self.scene.await_end(job);
        self.step(&format!("the job has ended: {}", ended.status));
        assert_eq!(ended.status, JobStatus::Success, "{}", ended.log());
        assert!(ended.log().contains("this machine is mine"));
        self.scene.await_no_machines();
        let has_no_job = || fs::read_to_string(STATE).is_ok_and(|state| state.contains(NO_JOBS));
        assert!(eventually(has_no_job), "{:?}", fs::read_to_string(STATE));
        self.step("its machine is gone");
        self.run(&format!("systemctl disable --now {SERVICE}"));
        let log = self.run(&format!("{journal} -o cat"));
        assert!(log.contains(" is gone"), "{log}");
        let warnings = self.run(&format!("{journal} -o cat -q -p warning"));
        assert_eq!(warnings, "");
        self.scene.assert_no_complaints();
        self.run(&format!("rm -f {CONFIG} {SSH_KEY}* {STATE}*"));
    }
}

/// What a command prints, and how it ends.
fn printed(line: &str) -> (String, ExitStatus) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status)
}

/// A key for pushes, where the service finds it.
fn give_ssh_key(walk: &Walk) -> SshRemote {
    let remote = walk.scene.clever.serve_ssh().unwrap();
    remote.renew_user_key(Path::new(SSH_KEY));
    walk.run(&format!("chown {USER} {SSH_KEY}"));
    remote
}

#[test]
#[ignore = "needs a computer of its own, with a systemd: .ci/package/try"]
fn with_each_kind_of_credential_a_new_administrator_sees_a_job_run() {
    let walk = Walk::with("token", &[Key::Token("t0ken".to_owned())]);
    walk.register("--clever-auth token --clever-token t0ken");
    walk.to_the_end();

    let walk = Walk::with("oauth, at a terminal", &[pair()]);
    walk.register_by_hand();
    walk.to_the_end();

    let api_token = Key::ApiToken("apiT0ken".to_owned());
    let given = "--clever-auth api-token --clever-token apiT0ken";
    let walk = Walk::with(
        "api-token, with a pair for git",
        &[api_token.clone(), pair()],
    );
    walk.register(&format!(
        "{given} --clever-git-user {} --clever-git-password {}",
        PAIR.0, PAIR.1
    ));
    walk.to_the_end();

    let walk = Walk::with("api-token, with an SSH key", &[api_token]);
    let _remote = give_ssh_key(&walk);
    walk.register(given);
    walk.run(&format!(
        "sed -i '/cc_git_password/d; s|.*cc_git_user.*|cc_ssh_key = \"{SSH_KEY}\"|' {CONFIG}"
    ));
    walk.to_the_end();

    let service_token = Key::ServiceToken("serviceT0ken".to_owned());
    let walk = Walk::with("service-token", &[service_token]);
    walk.register("--clever-auth service-token --clever-token serviceT0ken");
    walk.to_the_end();
}
