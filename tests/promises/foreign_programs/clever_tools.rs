//! Clever Cloud's own command line. Its hosts are settings of its environment.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use sandbox::AppView;
use serde_json::Value;

use super::{PAIR, found, scene, succeed};
use crate::scene::{ORGANIZATION, Scene};

struct CommandLine<'a> {
    scene: &'a Scene,
    script: PathBuf,
    /// A user's home, with a repository of theirs.
    home: PathBuf,
}

impl<'a> CommandLine<'a> {
    fn new(scene: &'a Scene, script: PathBuf) -> Self {
        let home = scene.folder.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("authority.pem"), scene.clever.authority().pem()).unwrap();
        fs::write(home.join("Dockerfile"), "FROM alpine\nCMD [\"true\"]\n").unwrap();
        let it = Self {
            scene,
            script,
            home,
        };
        it.git(&["init", "--quiet"]);
        it.git(&["add", "Dockerfile"]);
        it.git(&["commit", "--quiet", "--message", "mine"]);
        it
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "me");
            git.env(format!("GIT_{role}_EMAIL"), "me@example.test");
        }
        succeed(
            self.scene,
            git.env("HOME", &self.home)
                .current_dir(&self.home)
                .args(arguments),
        );
    }

    fn clever(&self, arguments: &[&str]) -> String {
        let root = |url: String| url.trim_end_matches("/v2").to_owned();
        let mut node = Command::new("node");
        node.arg(&self.script)
            .args(arguments)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .env("API_HOST", root(self.scene.clever.api_url()))
            .env("AUTH_BRIDGE_HOST", root(self.scene.clever.bridge_url()))
            .env("CLEVER_TOKEN", PAIR.0)
            .env("CLEVER_SECRET", PAIR.1)
            .env("NODE_EXTRA_CA_CERTS", self.home.join("authority.pem"))
            // It looks for newer versions of itself.
            .env("NO_UPDATE_NOTIFIER", "1");
        succeed(self.scene, &mut node)
    }
}

#[test]
fn clever_tools_goes_through_the_life_of_an_application() {
    let Some(script) = found::clever_tools() else {
        return;
    };
    let scene = scene();
    let it = CommandLine::new(&scene, script);
    let holds = |said: &str, words: &[&str]| {
        for words in words {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
    };
    holds(
        &it.clever(&["profile"]),
        &["CI robot", "user_", "Expires on"],
    );
    let create = [
        "create",
        "--type",
        "docker",
        "--task",
        "true",
        "--org",
        ORGANIZATION,
    ];
    let created = it.clever(&[create.as_slice(), &["--format", "json", "mine"]].concat());
    let created: Value = serde_json::from_str(&created).unwrap();
    assert_eq!(created["executedAs"], "TASK", "{created}");
    let id = created["id"].as_str().unwrap();
    holds(
        &it.clever(&["applications", "list"]),
        &[ORGANIZATION, id, "mine", "docker"],
    );
    it.clever(&["env", "set", "GREETING", "hello"]);
    holds(&it.clever(&["env"]), &["GREETING=\"hello\""]);
    holds(
        &it.clever(&["deploy"]),
        &["Code pushed to Clever Cloud", "Deployment started"],
    );
    let application = || scene.clever.application("mine").unwrap();
    assert_eq!(application().instances.len(), 1, "{:?}", application());
    holds(&it.clever(&["activity"]), &["OK", "DEPLOY", "git push"]);
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let logs = it.clever(&["logs", "--before", &now]);
    holds(&logs, &["it runs", "Successfully deployed in 0 minutes"]);
    it.clever(&["delete", "--yes"]);
    assert!(AppView::is_deleted(&application()), "{:?}", application());
}
