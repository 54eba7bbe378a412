//! What a runner is given with a job: complete, as a current coordinator writes it.

use serde_json::{Map, Value, json};

use super::job::Job;
use super::spec::JobSpec;
use super::world::World;
use super::{known, variables};

/// The commit that every job is about.
pub const SHA: &str = "9f2b7c0d6a5e4f3b2a1908f7e6d5c4b3a2918070";
/// The same commit under its Mercurial name.
pub const HG_SHA: &str = "3a1be2f0c4d5968778695a4b3c2d1e0f9f8e7d6c";
pub const PIPELINE: u64 = 9107;

pub fn of(world: &World, job: &Job, project_id: u64) -> Value {
    let (spec, token) = (&job.spec, job.view.token.as_str());
    let site = Site::of(world);
    let mut payload = json!({
        "id": job.view.id,
        "token": token,
        "allow_git_fetch": true,
        "job_info": job_info(job, project_id),
        "git_info": git_info(spec, &site, token),
        "runner_info": {"timeout": spec.timeout.as_secs(), "runner_session_url": null},
        "inputs": [],
        "variables": variables::of(world, job, project_id, &site),
        "steps": steps(spec),
        "hooks": [],
        "image": spec.image.as_ref().map(|name| json!({
            "name": name, "entrypoint": null, "executor_opts": {}, "ports": [], "pull_policy": null,
        })),
        "services": spec.services,
        "artifacts": spec.artifacts,
        "cache": [],
        "credentials": credentials(world, &site, token),
        "dependencies": [],
        "features": {
            "trace_sections": true,
            "token_mask_prefixes": ["glpat-", "glcbt-", "glrt-"],
            "failure_reasons": known::failure_reasons().collect::<Vec<_>>(),
        },
    });
    merge(&mut payload, &spec.extra);
    payload
}

/// The coordinator's address in the forms that a payload needs.
pub struct Site {
    pub url: String,
    pub host: String,
    pub port: String,
}

impl Site {
    fn of(world: &World) -> Self {
        let url = world.url().to_owned();
        let authority = url.split('/').nth(2).unwrap_or_default();
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        let (host, port) = (host.to_owned(), port.to_owned());
        Self { url, host, port }
    }

    /// The port is always there.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The job's token is in it.
    pub fn repository(&self, project: &str, token: &str) -> String {
        let tail = self.url.trim_start_matches("http://");
        format!("http://gitlab-ci-token:{token}@{tail}/{project}.git")
    }
}

fn job_info(job: &Job, project_id: u64) -> Value {
    let spec = &job.spec;
    json!({
        "id": job.view.id, "name": spec.name, "stage": spec.stage, "pipeline_id": PIPELINE,
        "project_id": project_id,
        "project_name": spec.project.rsplit('/').next(),
        "project_full_path": spec.project,
        "namespace_id": 31, "root_namespace_id": 12, "organization_id": 1,
        "instance_id": "1", "instance_uuid": "0c2c3f0e-1111-4222-8333-944455566677", "user_id": 5,
        "time_in_queue_seconds": job.view.queued.elapsed().as_secs_f64(),
        "project_jobs_running_on_instance_runners_count": "+Inf",
        "queue_size": 1, "queue_depth": 1,
    })
}

fn git_info(spec: &JobSpec, site: &Site, token: &str) -> Value {
    let git_ref = if spec.heptapod {
        "branch/default"
    } else {
        "main"
    };
    let mut info = json!({
        "repo_url": site.repository(&spec.project, token),
        "ref": git_ref,
        "sha": SHA,
        "before_sha": "1111111111111111111111111111111111111111",
        "ref_type": "branch",
        "refspecs": [
            format!("+{SHA}:refs/pipelines/{PIPELINE}"),
            format!("+refs/heads/{git_ref}:refs/remotes/origin/{git_ref}"),
        ],
        "depth": 20,
        "repo_object_format": "sha1",
        "protected": true,
    });
    if spec.heptapod {
        info["repo_type"] = json!("hg");
        info["hgsha"] = json!(HG_SHA);
    }
    info
}

/// `before_script` and `script` are one step.
fn steps(spec: &JobSpec) -> Value {
    let timeout = spec.timeout.as_secs();
    let script = [spec.before_script.as_slice(), &spec.script].concat();
    let mut steps = vec![json!({
        "name": "script", "script": script, "timeout": timeout,
        "when": "on_success", "allow_failure": spec.allow_failure,
    })];
    if !spec.after_script.is_empty() {
        steps.push(json!({
            "name": "after_script", "script": spec.after_script, "timeout": timeout,
            "when": "always", "allow_failure": true,
        }));
    }
    Value::Array(steps)
}

fn credentials(world: &World, site: &Site, token: &str) -> Value {
    let credential = |url: &str| {
        json!({
            "type": "registry", "url": url, "username": "gitlab-ci-token", "password": token,
        })
    };
    let mut credentials = vec![credential(variables::REGISTRY)];
    if world.settings.dependency_proxy {
        credentials.push(credential(&site.authority()));
    }
    Value::Array(credentials)
}

/// Objects are merged key by key, everything else is replaced.
fn merge(into: &mut Value, extra: &Value) {
    match (into, extra) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(extra)) => {
            for (key, value) in extra {
                match into.get_mut(key) {
                    Some(known) if known.is_object() && value.is_object() => merge(known, value),
                    _ => {
                        into.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (into, extra) => *into = extra.clone(),
    }
}

/// The features without which a runner can't be given this job.
pub fn needed_features(spec: &JobSpec) -> Vec<&'static str> {
    let mut needed = Vec::new();
    let extra = |key: &str| spec.extra.get(key);
    let artifacts = extra("artifacts").unwrap_or(&spec.artifacts);
    let mut archives = artifacts.as_array().into_iter().flatten();
    let is_report = |artifact: &Value| {
        let kind = artifact.get("artifact_type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind != "archive")
    };
    let excludes = |artifact: &Value| {
        let exclude = artifact.get("exclude").and_then(Value::as_array);
        exclude.is_some_and(|exclude| !exclude.is_empty())
    };
    if archives.clone().any(is_report) {
        needed.push("upload_multiple_artifacts");
    }
    if archives.any(excludes) {
        needed.push("artifacts_exclude");
    }
    let git_ref = extra("git_info").and_then(|info| info.get("ref")?.as_str());
    if git_ref.is_some_and(|git_ref| git_ref.starts_with("refs/merge-requests/")) {
        needed.push("refspecs");
    }
    let mut steps = extra("steps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if steps.any(|step| step.get("name").is_some_and(|name| name == "release")) {
        needed.push("multi_build_steps");
    }
    if spec.allows_exit_codes {
        needed.push("return_exit_code");
    }
    let mut caches = extra("cache")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let falls_back = |cache: &Value| {
        let keys = cache.get("fallback_keys").and_then(Value::as_array);
        keys.is_some_and(|keys| !keys.is_empty())
    };
    if caches.any(falls_back) {
        needed.push("fallback_cache_keys");
    }
    needed
}

/// The first needed feature that is not announced as true.
pub fn lacking_feature(spec: &JobSpec, announced: &Map<String, Value>) -> Option<&'static str> {
    needed_features(spec)
        .into_iter()
        .find(|feature| announced.get(*feature) != Some(&Value::Bool(true)))
}
