//! How Clever Cloud's memory looks to clients: the API's objects. Clever page, 3.3, 3.7 and 3.8.

use serde_json::{Value, json};

use super::flavors::{build_flavor, regular_flavors};
use super::model::{Application, Deployment, Instance};
use super::person::USER;
use super::world::{State, World};
use crate::http::Response;

/// The machine type with the inner runner's needs; it is not in the public list.
pub(super) const HEPTAPOD_VARIANT: &str = "70d676a0-a775-4dc9-a43d-3121036e8515";
pub(super) const DOCKER_VARIANT: &str = "d5ff282b-dd1a-4c9a-a0c8-c9524b1370e9";

/// A message of version 2 of the API. Its id is not the HTTP status.
pub(super) fn message(status: u16, id: i64, text: &str) -> Response {
    let kind = if status < 300 { "success" } else { "error" };
    Response::json(status, &json!({"id": id, "message": text, "type": kind}))
}

pub(super) fn no_such_application() -> Response {
    message(404, 4004, "The application can't be found.")
}

impl World {
    /// The whole object: several KiB, as each repeats every flavor.
    pub(super) fn render(&self, state: &State, application: &Application) -> Value {
        let Application { id, spec, .. } = application;
        let mut object = json!({
            "id": id,
            "name": spec.name,
            "description": spec.description,
            "zone": spec.zone,
            "zoneId": "7d1f6a52-0000-4000-8000-00000000aaaa",
            "instance": instance_type(state, application),
            "deployment": self.render_repository(state, application),
            "vhosts": render_hosts(id),
            "creationDate": application.created_ms,
            "last_deploy": application.deployments.len(),
            "archived": false, "stickySessions": false, "homogeneous": false, "favourite": false,
            "cancelOnPush": false,
            "webhookUrl": null, "webhookSecret": null,
            "separateBuild": false,
            "buildFlavor": build_flavor(),
            "ownerId": application.organization,
            "state": state.quirks.application_state.as_deref().unwrap_or(application.state.as_str()),
            "commitId": application.deployments.last().map(|deployment| &deployment.commit),
            "appliance": null,
            "branch": "master",
            "forceHttps": "DISABLED",
            "env": render_env(application),
        });
        object["deployUrl"] = object["deployment"]["url"].clone();
        object
    }

    fn render_repository(&self, state: &State, application: &Application) -> Value {
        let Application { id, repository, .. } = application;
        let repository_state = state.quirks.repository_state.as_deref();
        let mut object = json!({
            "shutdownable": false,
            "type": "GIT",
            "repoState": repository_state.unwrap_or(repository.as_str()),
            "url": self.ssh_url(id),
        });
        if !state.quirks.without_http_url {
            object["httpUrl"] = self.http_url(id).into();
        }
        object
    }

    pub(super) fn http_url(&self, id: &str) -> String {
        let base = self.git_url.get().map_or("", String::as_str);
        format!("{base}/{id}.git")
    }
}

fn instance_type(state: &State, application: &Application) -> Value {
    let spec = &application.spec;
    let (slug, name, flavors) = if spec.instance_variant == DOCKER_VARIANT {
        ("docker", "Docker", regular_flavors())
    } else {
        let (slug, name) = ("heptapod-docker-runner", "Heptapod Docker Runner");
        (slug, name, state.flavors.clone())
    };
    json!({
        "type": "docker",
        "version": spec.instance_version,
        "variant": {
            "id": spec.instance_variant, "slug": slug, "name": name, "deployType": "docker",
            "logo": format!("https://assets.clever-cloud.com/logos/{slug}.svg"),
        },
        "minInstances": spec.min_instances,
        "maxInstances": spec.max_instances,
        "maxAllowedInstances": 40,
        "minFlavor": spec.min_flavor,
        "maxFlavor": spec.max_flavor,
        "flavors": flavors,
        "defaultEnv": {},
        "lifetime": spec.lifetime,
        "instanceAndVersion": format!("docker-{}", spec.instance_version),
    })
}

/// Where the application would be found, were it one that serves.
pub(super) fn render_hosts(id: &str) -> Value {
    json!([{"fqdn": format!("{}.cleverapps.io", id.replace('_', "-"))}])
}

/// An array of pairs, though requests give an object.
pub(super) fn render_env(application: &Application) -> Value {
    let pairs = application.spec.env.iter();
    pairs
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

pub(super) fn render_deployment(number: usize, deployment: &Deployment) -> Value {
    json!({
        "id": number + 1,
        "uuid": deployment.uuid,
        "date": deployment.date_ms,
        "state": deployment.state.as_str(),
        "action": "DEPLOY",
        "commit": deployment.commit,
        "cause": deployment.cause,
        "instances": 1,
        "author": {"id": USER, "name": "CI robot"},
    })
}

/// The deployments that are listed by now, newest first.
pub(super) fn render_deployments(application: &Application) -> Vec<Value> {
    let visible = application.deployments.iter().enumerate().rev();
    visible
        .filter(|(_, deployment)| deployment.visible)
        .map(|(number, deployment)| render_deployment(number, deployment))
        .collect()
}

pub(super) fn render_instance(application: &Application, instance: &Instance) -> Value {
    let deployment = &application.deployments[instance.deployment];
    json!({
        "id": instance.id,
        "appId": application.id,
        "ip": "10.2.14.77",
        "appPort": 24101,
        "state": instance.state.as_str(),
        "flavor": instance.flavor,
        "commit": deployment.commit,
        "deployNumber": instance.deployment + 1,
        "deployId": deployment.uuid,
        "instanceNumber": 0,
        "displayName": "Gallant Ponyta",
        "creationDate": instance.created_ms,
    })
}
