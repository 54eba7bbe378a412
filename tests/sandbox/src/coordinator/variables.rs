//! The variables of a job: the predefined ones in GitLab's order, then the user's own.

use std::time::Instant;

use serde_json::Value;

use super::job::Job;
use super::payload::{HG_SHA, PIPELINE, SHA, Site};
use super::spec::Variable;
use super::world::World;
use crate::times::iso_of;

pub const REGISTRY: &str = "registry.example.org";

pub fn of(world: &World, job: &Job, project_id: u64, site: &Site) -> Value {
    let mut variables = about_the_job(job, site);
    variables.extend(about_the_instance(site));
    variables.extend(about_the_project(job, project_id, site));
    if world.settings.dependency_proxy {
        variables.extend(about_the_proxy(job, site));
    }
    variables.extend(about_the_commit(job));
    variables.extend(job.spec.variables.iter().cloned());
    variables.iter().map(Variable::to_json).collect()
}

fn about_the_job(job: &Job, site: &Site) -> Vec<Variable> {
    let (spec, token, id) = (&job.spec, job.view.token.as_str(), job.view.id);
    let project_url = format!("{}/{}", site.url, spec.project);
    vec![
        Variable::user("CI_PIPELINE_ID", PIPELINE.to_string()),
        Variable::user(
            "CI_PIPELINE_URL",
            format!("{project_url}/-/pipelines/{PIPELINE}"),
        ),
        Variable::user("CI_JOB_ID", id.to_string()),
        Variable::user("CI_JOB_URL", format!("{project_url}/-/jobs/{id}")),
        Variable::secret("CI_JOB_TOKEN", token),
        Variable::user("CI_JOB_STARTED_AT", iso_of(Instant::now())),
        Variable::user("CI_REGISTRY_USER", "gitlab-ci-token"),
        Variable::secret("CI_REGISTRY_PASSWORD", token),
        Variable {
            public: false,
            ..Variable::user("CI_REPOSITORY_URL", site.repository(&spec.project, token))
        },
        Variable::user("CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token"),
        Variable::secret("CI_DEPENDENCY_PROXY_PASSWORD", token),
        Variable::user("CI_JOB_NAME", &spec.name),
        Variable::user("CI_JOB_STAGE", &spec.stage),
    ]
}

fn about_the_instance(site: &Site) -> Vec<Variable> {
    vec![
        Variable::user("CI", "true"),
        Variable::user("GITLAB_CI", "true"),
        Variable::user("CI_SERVER_URL", &site.url),
        Variable::user("CI_SERVER_HOST", &site.host),
        Variable::user("CI_SERVER_PORT", &site.port),
        Variable::user("CI_SERVER_VERSION", "19.3.0"),
        Variable::user("CI_API_V4_URL", format!("{}/api/v4", site.url)),
        Variable::user("CI_REGISTRY", REGISTRY),
    ]
}

fn about_the_project(job: &Job, project_id: u64, site: &Site) -> Vec<Variable> {
    let path = job.spec.project.as_str();
    let (namespace, name) = path.rsplit_once('/').unwrap_or((path, path));
    vec![
        Variable::user("CI_PROJECT_ID", project_id.to_string()),
        Variable::user("CI_PROJECT_NAME", name),
        Variable::user("CI_PROJECT_PATH", path),
        Variable::user("CI_PROJECT_NAMESPACE", namespace),
        Variable::user("CI_PROJECT_ROOT_NAMESPACE", root(path)),
        Variable::user("CI_PROJECT_URL", format!("{}/{path}", site.url)),
        Variable::user("CI_PROJECT_VISIBILITY", "private"),
        Variable::user("CI_DEFAULT_BRANCH", "main"),
        Variable::user("CI_REGISTRY_IMAGE", format!("{REGISTRY}/{path}")),
    ]
}

/// They are there for every project, also where the proxy can't serve it.
fn about_the_proxy(job: &Job, site: &Site) -> Vec<Variable> {
    let path = job.spec.project.as_str();
    let namespace = path
        .rsplit_once('/')
        .map_or(path, |(namespace, _)| namespace);
    let prefix = |group: &str| {
        let group = group.to_lowercase();
        format!("{}/{group}/dependency_proxy/containers", site.authority())
    };
    vec![
        Variable::user("CI_DEPENDENCY_PROXY_SERVER", site.authority()),
        Variable::user("CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", prefix(root(path))),
        Variable::user(
            "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX",
            prefix(namespace),
        ),
    ]
}

fn about_the_commit(job: &Job) -> Vec<Variable> {
    let branch = if job.spec.heptapod {
        "branch/default"
    } else {
        "main"
    };
    let mut variables = vec![
        Variable::user("CI_PIPELINE_SOURCE", "push"),
        Variable::user("CI_COMMIT_SHA", SHA),
        Variable::user("CI_COMMIT_SHORT_SHA", &SHA[..8]),
        Variable::user("CI_COMMIT_REF_NAME", branch),
        Variable::user("CI_COMMIT_REF_SLUG", branch.replace('/', "-")),
        Variable::user("CI_COMMIT_BRANCH", branch),
        Variable::user("CI_COMMIT_MESSAGE", "Fix the valve\n\nIt leaked.\n"),
        Variable::user("GITLAB_USER_LOGIN", "wile"),
    ];
    if job.spec.heptapod {
        variables.extend([
            Variable::user("CI_COMMIT_HG_SHA", HG_SHA),
            Variable::user("CI_COMMIT_HG_SHORT_SHA", &HG_SHA[..12]),
            Variable::user("CI_COMMIT_HG_BRANCH", "default"),
        ]);
    }
    variables
}

fn root(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}
