//! Libraries for GitLab's runners and users, and for Clever Cloud, each with a script that uses it.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::{Access, JobSpec, JobStatus};
use serde_json::json;

use super::{API_TOKEN, PAIR, found, scene, succeed};
use crate::scene::{ORGANIZATION, Scene};

const REGISTRATION: &str = "GR1348941theirs";
const ADMIN: &str = "glpat-administrator";

fn registering() -> Scene {
    let registration = Some(REGISTRATION.to_owned());
    Scene::with(
        |coordinator| coordinator.registration_token = registration,
        |_| {},
    )
}

fn run(scene: &Scene, python: &Path, arguments: &[&str]) -> String {
    let folder = scene.folder.path();
    let mut command = Command::new(python);
    let direct = command.env("NO_PROXY", "*").env("HOME", folder);
    succeed(scene, direct.current_dir(folder).args(arguments))
}

#[test]
fn clevercloud_sdk_makes_applications_with_a_pair_and_with_an_api_token() {
    let Some(python) = found::libraries() else {
        return;
    };
    let scene = scene();
    let root = |url: String| url.trim_end_matches("/v2").to_owned();
    let (api, bridge) = (
        root(scene.clever.api_url()),
        root(scene.clever.bridge_url()),
    );
    let script = include_str!("sdk.py");
    run(
        &scene,
        &python,
        &[
            "-c",
            script,
            &api,
            &bridge,
            ORGANIZATION,
            PAIR.0,
            PAIR.1,
            API_TOKEN,
        ],
    );
    for name in ["by-pair", "by-token"] {
        let application = scene.clever.application(name).unwrap();
        assert_eq!(
            (application.flavor.as_str(), application.env["A"].as_str()),
            ("XS", "b")
        );
    }
}

#[test]
fn gitlab_runner_api_asks_writes_and_reports() {
    let Some(python) = found::libraries() else {
        return;
    };
    let scene = registering();
    let submit = |name: &str| {
        scene
            .coordinator
            .submit(JobSpec::new(name, ["true"]).tag("linux"))
    };
    let (good, bad) = (submit("good"), submit("bad"));
    let url = scene.coordinator.url();
    run(
        &scene,
        &python,
        &["-c", include_str!("runner_api.py"), &url, REGISTRATION],
    );
    let good = scene.coordinator.job(good);
    assert_eq!(good.status, JobStatus::Success);
    assert!(
        good.log()
            .ends_with("good in acme/space/rocket: ['true']\n"),
        "{}",
        good.log()
    );
    let bad = scene.coordinator.job(bad);
    assert_eq!(bad.failure_reason.as_deref(), Some("script_failure"));
}

#[test]
fn python_gitlab_looks_at_jobs_and_groups_and_makes_a_runner() {
    let Some(python) = found::libraries() else {
        return;
    };
    let scene = registering();
    scene.coordinator.add_user(ADMIN, Access::Administrator);
    scene
        .coordinator
        .set_group("acme", [("cc_orga_id", "orga_1")]);
    let job = scene.submit_cheap("theirs");
    let service = scene.start();
    scene.await_end(job);
    service.stop();
    let (url, job) = (scene.coordinator.url(), job.to_string());
    let script = include_str!("python_gitlab.py");
    let said = run(
        &scene,
        &python,
        &["-c", script, &url, ADMIN, REGISTRATION, &job],
    );
    assert!(said.contains("failed") && said.contains("XXXL"), "{said}");
}

/// It clones the project from where the job says, which may be a folder.
#[test]
fn gitlab_python_runner_is_registered_runs_a_job_and_is_forgotten() {
    let Some(python) = found::libraries() else {
        return;
    };
    let scene = registering();
    let project = scene.folder.path().join("project");
    fs::create_dir(&project).unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=me", "-c", "user.email=me@example.test"];
        let mut git = Command::new("git");
        succeed(
            &scene,
            git.current_dir(&project).args(identity).args(arguments),
        )
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "theirs"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let variables = [
        ("CI_PROJECT_PATH", "acme/space/rocket"),
        ("CI_COMMIT_SHA", commit.trim()),
        ("CI_CONFIG_PATH", ".gitlab-ci.yml"),
    ];
    let variables = variables
        .map(|(key, value)| json!({"key": key, "value": value, "public": true, "masked": false}));
    let spec = JobSpec::new("theirs", ["echo it ran in $PWD"]).tag("theirs");
    let job = scene.coordinator.submit(spec.extra(json!({
        "git_info": {"repo_url": project.display().to_string()},
        "variables": variables,
    })));
    let url = scene.coordinator.url();
    let runner = |arguments: &[&str]| {
        run(
            &scene,
            &python,
            &[["-m", "GitlabPyRunner"].as_slice(), arguments].concat(),
        )
    };
    runner(&[
        "--register",
        &url,
        "--regtoken",
        REGISTRATION,
        "--tag",
        "theirs",
    ]);
    let said = runner(&["--start", "gitlab-runner.yml", "--once"]);
    let ended = scene.coordinator.job(job);
    assert_eq!(ended.status, JobStatus::Success, "{}\n{said}", ended.log());
    assert!(ended.log().contains("it ran in /"), "{}", ended.log());
    runner(&["--unregister"]);
    let token = scene.coordinator.registrations()[0].token.clone();
    assert!(
        scene.coordinator.job_requests(&token).is_empty(),
        "it is forgotten"
    );
}
