//! What must be true at the end of a test, whatever it was about.

use std::fs;
use std::path::Path;

use sandbox::{JobId, JobView};

use super::{CLEVER_TOKEN, RUNNER_TOKEN, Scene};

impl Scene {
    /// The world was treated as it should be. Not where something was broken on purpose.
    pub fn assert_no_complaints(&self) {
        let complaints = self.journal.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// As above, where the program was killed: to a coordinator, one that dies while it asks for a
    /// job looks like one that lost its patience.
    pub fn assert_no_complaints_but_of_kills(&self) {
        let mut complaints = self.journal.complaints();
        complaints.retain(|complaint| !complaint.contains("asked for a job again"));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// However many applications it had, one machine ever ran for it.
    pub fn assert_started_once(&self, job: JobId) {
        let name = self.machine_name(job);
        let created = self.clever.ever_created();
        let own = created.iter().filter(|app| app.name == name);
        let machines: usize = own.map(|app| app.instances.len()).sum();
        assert_eq!(machines, 1, "machines of {name}");
    }

    /// Neither in what was said nor in what is left.
    pub fn assert_no_secret(&self, jobs: &[JobView], logs: &str) {
        let mut secrets = vec![CLEVER_TOKEN, RUNNER_TOKEN];
        secrets.extend(jobs.iter().map(|job| job.token.as_str()));
        for job in jobs {
            let log = job.log();
            assert!(!log.contains(CLEVER_TOKEN) && !log.contains(RUNNER_TOKEN));
        }
        for secret in secrets {
            assert!(!logs.contains(secret), "{secret} in\n{logs}");
            assert_in_no_file(self.folder.path(), &self.config_path(), secret);
        }
        let pushes = self.folder.path().join("state.json.pushes");
        assert!(!pushes.exists(), "what was pushed is left");
    }
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
