//! A `docker` whose first `start` takes as long as it must: it outlives the process that wanted it, and
//! reaches the engine at a moment that is known to be bad. Everything else is the real `docker`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::scene::PATIENCE;

/// When the first start reaches the engine.
#[derive(Clone, Copy)]
pub enum Late {
    /// The next process has looked, and is about to take precautions.
    AfterALook,
    /// The next process wants to start, too. What the first one starts has
    /// run and ended when that reaches the engine.
    BeforeTheNext,
    /// What the next process started has run and ended.
    AfterTheNextHasEnded,
}

pub struct LateStart(TempDir);

impl LateStart {
    pub fn new(late: Late) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (rename, start) = match late {
            Late::AfterALook => ("release_the_first", "run"),
            Late::BeforeTheNext => (":", "release_the_first; run"),
            Late::AfterTheNextHasEnded => (":", "run && release_the_first"),
        };
        let script = format!(
            r#"#!/bin/sh
here=${{0%/*}}
PATH=${{PATH#*:}}
await() {{ until [ -e "$here/$1" ]; do [ -d "$here" ] || exit 1; sleep 0.02; done; }}
verb=$1 container=$2
run() {{ docker start "$container" && docker wait "$container"; }}
release_the_first() {{ touch "$here/released"; await first-is-over; }}
case $verb in
    rename) {rename} ;;
    start)
        if ! mkdir "$here/first" 2>/dev/null; then
            {start}
            exit
        fi
        await released
        run >"$here/first-said" 2>&1
        touch "$here/first-is-over"
        exit
        ;;
esac
exec docker "$@"
"#
        );
        let docker = folder.path().join("docker");
        fs::write(&docker, script).unwrap();
        fs::set_permissions(&docker, Permissions::from_mode(0o700)).unwrap();
        Self(folder)
    }

    pub fn environment(&self) -> [(String, String); 1] {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.0.path().display());
        [("PATH".to_owned(), path)]
    }

    /// Waits until the first start is under way.
    pub fn await_first(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.0.path().join("first").exists() {
            assert!(Instant::now() < until, "nothing is started");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn first_is_over(&self) -> bool {
        self.0.path().join("first-is-over").exists()
    }
}
