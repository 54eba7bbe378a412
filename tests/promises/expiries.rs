//! What a runner needs may end: where that is told, it is said in time, and where it is not, nothing
//! is said and nothing is wrong.

use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox::{Fault, JobStatus, Key, Role, Rule, TokenEnd};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, RUNNER_TOKEN, Scene};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

const CURRENT: &str = "/v2/self/tokens/current";
const VERIFY: &str = "/api/v4/runners/verify";

fn in_seconds(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + seconds
}

/// As a line shows it.
fn date(seconds: u64) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds));
    format!("{} UTC", text.to_string()[..16].replace('T', " "))
}

fn pair() -> Key {
    Key::OAuth {
        token: "oauthT0ken".to_owned(),
        secret: "oauthS3cret".to_owned(),
    }
}

fn api_token() -> Key {
    Key::ApiToken("apiT0ken".to_owned())
}

const OAUTH: &str = "cc_auth = \"oauth\"\ncc_token = \"oauthT0ken\"\ncc_secret = \"oauthS3cret\"";
const API_TOKEN: &str = "cc_auth = \"api-token\"\ncc_token = \"apiT0ken\"\n\
                         cc_bridge_url = \"BRIDGE\"\ncc_git_user = \"oauthT0ken\"\n\
                         cc_git_password = \"oauthS3cret\"";
const SERVICE_TOKEN: &str = "cc_auth = \"service-token\"\ncc_token = \"serviceT0ken\"";

/// Key, name, age of it, and seconds until its end.
type End = (Key, &'static str, u64, u64);

/// Runs a job with these credentials, as `lines` say; gives back the program's log.
fn log_with(lines: &str, ends: &[End], prepare: impl FnOnce(&Scene)) -> (Scene, String) {
    let scene = Scene::new();
    scene.clever.revoke_token(CLEVER_TOKEN);
    for (key, name, age, rest) in ends {
        scene
            .clever
            .add_key(ORGANIZATION, key.clone(), Role::Manager);
        scene.clever.tell_end(TokenEnd {
            key: key.clone(),
            organization: ORGANIZATION.to_owned(),
            name: (*name).to_owned(),
            made: in_seconds(0) - age,
            ends: in_seconds(*rest),
        });
    }
    prepare(&scene);
    let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let lines = lines.replace("BRIDGE", &scene.clever.bridge_url());
    let service = scene.start_changed(&[(&usual, &lines)]);
    scene.await_that("nobody asked when the runner's token ends", || {
        looks(&scene, VERIFY) > 0
    });
    if lines.contains("oauthT0ken") {
        scene.await_that("nobody asked when the pair ends", || {
            looks(&scene, CURRENT) > 0
        });
    }
    let job = scene.submit("meanwhile", "true");
    let ended = scene.await_end(job);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    scene.await_nothing_tracked("after its only job");
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    for (key, ..) in ends {
        for secret in key.secrets() {
            assert!(!log.contains(secret), "{log}");
        }
    }
    (scene, log)
}

fn looks(scene: &Scene, path: &str) -> usize {
    let of_method = |method| scene.journal.count_requests(method, |asked| asked == path);
    of_method("GET") + of_method("POST")
}

/// The lines of the log about an end, without their time.
fn warnings(log: &str) -> Vec<&str> {
    let lines = log
        .lines()
        .filter(|line| line.contains(" ends in ") || line.contains(" ended at "));
    let lines = lines.filter_map(|line| line.split_once(" WARN  "));
    lines.map(|(_, line)| line).collect()
}

#[test]
fn an_end_that_comes_near_is_told_once_with_whose_it_is_when_it_is_and_what_to_do() {
    let service = Key::ServiceToken("serviceT0ken".to_owned());
    thread::scope(|scope| {
        scope.spawn(|| {
            let runners = in_seconds(12 * HOUR + 60);
            let (scene, log) = log_with(OAUTH, &[(pair(), "", 0, 6 * DAY + HOUR)], |scene| {
                scene.coordinator.set_token_end(RUNNER_TOKEN, runners);
            });
            let [own, pair] = warnings(&log)[..] else {
                panic!("{log}");
            };
            let beginning = format!(
                "runner=ci: the runner's token (token) ends in 12 hours, at {}: reset it",
                date(runners)
            );
            assert!(own.starts_with(&beginning), "{log}");
            let beginning = format!(
                "runner=ci: the OAuth token of organization {ORGANIZATION} (cc_token) ends in 6 days"
            );
            assert!(pair.starts_with(&beginning) && pair.contains("`clever login`"), "{log}");
            assert_eq!((looks(&scene, CURRENT), looks(&scene, VERIFY)), (1, 1));
            scene.assert_no_complaints();
            let mut check = Command::new(crate::service::program());
            let check = check.args(["--check", "--json"]).arg(scene.config_path());
            let checked = check.output().unwrap();
            let checked = String::from_utf8(checked.stdout).unwrap();
            for words in ["(token) ends in 12 hours", "(cc_token) ends in 6 days"] {
                assert!(checked.contains(words), "{checked}");
            }
        });
        // Nobody but its owner knows which token of a list it is; one for an hour it is not.
        scope.spawn(|| {
            let other = Key::ApiToken("another0ne".to_owned());
            let short = Key::ApiToken("short0ne".to_owned());
            let ends = [
                (api_token(), "ci", 300 * DAY, 2 * DAY + HOUR),
                (other, "mine", 300 * DAY, 20 * DAY),
                (short, "for an hour", 0, HOUR),
                (pair(), "", 76 * DAY, 13 * DAY + HOUR),
            ];
            let (scene, log) = log_with(API_TOKEN, &ends, |_| {});
            let [listed, pushes] = warnings(&log)[..] else {
                panic!("{log}");
            };
            let words = "the API token \"ci\", if it is that one, of organization";
            assert!(
                listed.contains(words) && listed.contains("ends in 2 days"),
                "{log}"
            );
            let words = "the OAuth token for pushes (cc_git_user, cc_git_password) ends in 13 days";
            assert!(pushes.contains(words), "{log}");
            assert_eq!(
                (looks(&scene, "/api-tokens"), looks(&scene, CURRENT)),
                (1, 1)
            );
            scene.assert_no_complaints();
        });
        scope.spawn(|| {
            let (scene, log) = log_with(SERVICE_TOKEN, &[(service, "ci", 89 * DAY, HOUR)], |_| {});
            let [line] = warnings(&log)[..] else {
                panic!("{log}");
            };
            let words =
                format!("the service token of organization {ORGANIZATION} (cc_token) ends in");
            assert!(
                line.contains(&words) && line.contains("the role Manager"),
                "{log}"
            );
            scene.assert_no_complaints();
        });
    });
}

#[test]
fn an_end_that_is_far_or_is_not_told_is_no_trouble() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let (_, log) = log_with(OAUTH, &[(pair(), "", 0, 90 * DAY)], |scene| {
                let far = in_seconds(90 * DAY);
                scene.coordinator.set_token_end(RUNNER_TOKEN, far);
            });
            assert!(!log.contains("WARN"), "{log}");
        });
        scope.spawn(|| {
            let (_, log) = log_with(OAUTH, &[(pair(), "", 0, DAY)], |scene| {
                let broken = Rule::on("GET", CURRENT).with(Fault::html(500));
                scene.clever.faults().inject(broken);
                let broken = Rule::on("POST", VERIFY).with(Fault::html(502));
                scene.coordinator.faults().inject(broken);
            });
            assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
        });
        // What Clever Cloud gave to an organization has no place where its end is told.
        scope.spawn(|| {
            let token = Key::Token("t0ken".to_owned());
            let lines = "cc_token = \"t0ken\"";
            let (scene, log) = log_with(lines, &[(token, "", 0, DAY)], |_| {});
            assert!(!log.contains("WARN"), "{log}");
            let asked = [CURRENT, "/api-tokens"].map(|path| looks(&scene, path));
            assert_eq!(asked, [0, 0]);
        });
    });
}
