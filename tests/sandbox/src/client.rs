//! A client of this world for its own tests: what a runner does, call by call, with the freedom to
//! do it wrong.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clever::{Clever, CleverSettings, Role};
use crate::coordinator::{Coordinator, CoordinatorSettings, JobSpec, RunnerSpec};
use crate::git;
use crate::journal::{AppPhase, Journal, Kind};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const ORGANIZATION: &str = "orga_1";
pub(crate) const TOKEN: &str = "4f0c2f0e-6f0b-4a4e-9d0c-0a6d1c7b9e11";
pub(crate) const RUNNER: &str = "glrt-t1_aRunnersToken12345";
pub(crate) const DOCKERFILE: &str = r#"FROM registry.example/heptapod-runner:0.7.0
COPY runner.toml job.json /etc/heptapod-runner/
ENV DEBUG="true"
ENTRYPOINT ["/usr/bin/gitlab-runner", "exec-fetched-job", "--config", "/etc/heptapod-runner/runner.toml", "/etc/heptapod-runner/job.json"]
"#;

pub(crate) fn start_clever() -> Clever {
    start_clever_with(|_| {})
}

pub(crate) fn start_clever_with(change: impl FnOnce(&mut CleverSettings)) -> Clever {
    let mut settings = CleverSettings::new(Journal::new());
    change(&mut settings);
    let clever = Clever::start(settings);
    clever.add_organization(ORGANIZATION, TOKEN, Role::Admin);
    clever
}

pub(crate) fn start_coordinator(clever: &Clever) -> Coordinator {
    let settings = CoordinatorSettings::new("test", clever.journal().clone());
    let coordinator = Coordinator::start(settings).unwrap();
    coordinator.add_runner(RunnerSpec::new(RUNNER));
    coordinator
}

pub(crate) fn wanted(name: &str) -> Value {
    json!({
        "name": name, "zone": "par", "deploy": "git", "instanceType": "docker",
        "instanceVersion": "20250211", "instanceVariant": "70d676a0-a775-4dc9-a43d-3121036e8515",
        "instanceLifetime": "TASK", "minInstances": 1, "maxInstances": 1,
        "minFlavor": "heptapod-runner-M", "maxFlavor": "heptapod-runner-m",
        "env": {"CC_MOUNT_DOCKER_SOCKET": "true"},
    })
}

/// Status and body of any call; `authorization` is the whole header.
pub(crate) fn call(
    method: &str,
    url: &str,
    authorization: Option<&str>,
    body: Option<&Value>,
) -> (u16, Value) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .user_agent("a runner");
    let agent = config.build().new_agent();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let response = match body {
        Some(body) => {
            let request = request.header("Content-Type", "application/json");
            agent.run(request.body(body.to_string()).unwrap())
        }
        None => agent.run(request.body(()).unwrap()),
    };
    let mut response = response.unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (response.status().as_u16(), body)
}

/// A call about the organization's applications, with its token.
pub(crate) fn applications(
    clever: &Clever,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let url = format!(
        "{}/organisations/{ORGANIZATION}/applications{path}",
        clever.api_url()
    );
    call(method, &url, Some(&format!("token {TOKEN}")), body)
}

/// An application with its repository. Returns its id.
pub(crate) fn create(clever: &Clever, name: &str) -> String {
    let (status, created) = applications(clever, "POST", "", Some(&wanted(name)));
    assert_eq!((status, &created["name"]), (200, &json!(name)));
    let ready = || {
        let application = clever.application(name).unwrap();
        application.repo_state == "CREATED"
    };
    assert!(clever.journal().wait_until(PATIENCE, ready));
    created["id"].as_str().unwrap().to_owned()
}

/// A local repository with files to push.
pub(crate) struct Workbench(TempDir);

impl Workbench {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let bench = Self(TempDir::new().unwrap());
        bench
            .git(&["init", "--quiet", "--initial-branch=master"])
            .unwrap();
        bench.commit(files);
        bench
    }

    pub(crate) fn commit(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            fs::write(self.0.path().join(name), content).unwrap();
        }
        self.git(&["add", "."]).unwrap();
        let identity = ["-c", "user.name=A", "-c", "user.email=a@b"];
        let commit = ["commit", "--quiet", "--message", "Job definition"];
        self.git(&[identity.as_slice(), &commit].concat()).unwrap();
    }

    /// Pushes `refspec`, unless `master` exists there already; what git said, if it failed.
    pub(crate) fn push(
        &self,
        clever: &Clever,
        id: &str,
        login: &str,
        refspec: &str,
    ) -> Result<String, String> {
        let url = clever.git_url().replace("://", &format!("://{login}@"));
        let authority = self.0.path().join(".git/authority.pem");
        fs::write(&authority, clever.authority().pem()).unwrap();
        self.git(&[
            "-c",
            &format!("http.sslCAInfo={}", authority.display()),
            "push",
            "--force-with-lease=refs/heads/master:",
            &format!("{url}/{id}.git"),
            refspec,
        ])
    }

    fn git(&self, arguments: &[&str]) -> Result<String, String> {
        let folder: &Path = self.0.path();
        git::finish(
            git::isolated("git", folder)
                .current_dir(folder)
                .args(arguments),
        )
    }
}

/// Takes the job from the coordinator and hands it over to a machine, as a runner does. Returns the
/// name of its application.
pub(crate) fn hand_over(clever: &Clever, coordinator: &Coordinator, spec: JobSpec) -> String {
    let id = coordinator.submit(spec);
    let url = format!("{}/api/v4/jobs/request", coordinator.url());
    let ask = json!({
        "token": RUNNER, "system_id": "s_0123456789ab",
        "info": {"features": {"return_exit_code": true}},
    });
    let (status, payload) = call("POST", &url, None, Some(&ask));
    assert_eq!(status, 201, "{payload}");
    let name = format!("hpd-job-t1-{}", payload["id"]);
    let application = create(clever, &name);
    let runner = format!(
        "[[runners]]\nname = \"ci\"\nurl = \"{}\"\ntoken = \"{RUNNER}\"\nexecutor = \"docker\"\n",
        coordinator.url()
    );
    let bench = Workbench::new(&[
        ("Dockerfile", DOCKERFILE),
        ("job.json", &payload.to_string()),
        ("runner.toml", &runner),
    ]);
    let login = format!("Jenkins:{TOKEN}");
    bench.push(clever, &application, &login, "master").unwrap();
    assert_eq!(coordinator.job(id).name, payload["job_info"]["name"]);
    name
}

/// Waits until the application has been in `phase`.
pub(crate) fn reaches(clever: &Clever, name: &str, phase: AppPhase) -> bool {
    let is_it = |kind: &Kind| matches!(kind, Kind::Application { name: of, state } if of == name && *state == phase);
    let found = clever.journal().wait_for(PATIENCE, |entries| {
        entries.iter().find(|entry| is_it(&entry.kind)).map(|_| ())
    });
    found.is_some()
}

pub(crate) fn assert_only_complaint(clever: &Clever, words: &str) {
    let complaints = clever.journal().complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(words), "{complaints:?}");
}
