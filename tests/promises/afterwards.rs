//! What is left when all is over: nothing that costs, nothing that tells.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::JobView;
use serde_json::{Value, json};

use crate::town::{CLEVER_TOKEN, PATIENCE, RUNNER_TOKEN, Town};

/// For what no journal tells of.
pub fn eventually(condition: impl Fn() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

pub fn await_nothing_tracked(town: &Town, at: &str) {
    let nothing = |state: &Value| {
        ["launched", "pending", "to_decommission"]
            .iter()
            .all(|list| state[list] == json!([]))
            && state["heptapod_paas_runner"]["jobs"] == json!([])
    };
    let settled = eventually(|| nothing(&town.state()));
    assert!(settled, "{at}: {}", town.state());
}

/// Neither in what was said nor in what is left.
pub fn assert_no_secret(town: &Town, jobs: &[JobView], logs: &str) {
    let mut secrets = vec![CLEVER_TOKEN, RUNNER_TOKEN];
    secrets.extend(jobs.iter().map(|job| job.token.as_str()));
    for job in jobs {
        let log = job.log();
        assert!(!log.contains(CLEVER_TOKEN) && !log.contains(RUNNER_TOKEN));
    }
    for secret in secrets {
        assert!(!logs.contains(secret), "{secret} in\n{logs}");
        assert_in_no_file(town.folder.path(), &town.config_path(), secret);
    }
    let pushes = town.folder.path().join("state.json.pushes");
    assert!(!pushes.exists(), "what was pushed is left");
}

fn assert_in_no_file(folder: &Path, except: &Path, secret: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_in_no_file(&path, except, secret);
        } else if path != except {
            let content = fs::read(&path).unwrap();
            let found = String::from_utf8_lossy(&content).contains(secret);
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}
