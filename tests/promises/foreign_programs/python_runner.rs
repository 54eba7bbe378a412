//! The Python runner with whole pipelines: what ours replaces, in the world that ours is tested in.

use std::fs;

use rig::belief;
use sandbox::{JobId, JobSpec, JobStatus};

use super::scene;
use crate::python_runner::peer;
use crate::scene::Scene;
use crate::service::Service;
use crate::tenants::{add_two_tenants, changes};

/// With the configuration that is in the scene's folder.
fn start(scene: &Scene) -> Option<Service> {
    let program = peer::program()?;
    let authority = scene.clever.authority().pem();
    let environment = belief::environment(scene.folder.path(), &authority).unwrap();
    let environment = environment
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_string().unwrap()));
    let environment: Vec<_> = environment.collect();
    let arguments = [scene.config_path().display().to_string()];
    Some(Service::start_program(&program, &arguments, &environment))
}

/// Each job has the status it should have, and has had one machine, which is gone.
fn assert_ends(scene: &Scene, service: Service, jobs: &[(JobId, JobStatus)]) {
    for &(job, status) in jobs {
        let ended = scene.await_end(job);
        assert_eq!(
            ended.status,
            status,
            "{}\n{}",
            ended.log(),
            service.whole_log()
        );
        scene.assert_started_once(job);
    }
    scene.await_no_machines();
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    assert!(!log.contains("Traceback"), "{log}");
}

#[test]
fn the_python_runner_runs_a_whole_pipeline() {
    let scene = scene();
    scene.write_configuration();
    let Some(service) = start(&scene) else {
        return;
    };
    let jobs = [
        (scene.submit("build", "echo built"), JobStatus::Success),
        (
            scene.submit_for("test", "sleep 0.3", "S"),
            JobStatus::Success,
        ),
        (scene.submit("lint", "false"), JobStatus::Failed),
    ];
    assert_ends(&scene, service, &jobs);
    assert!(scene.coordinator.job(jobs[0].0).log().contains("built"));
}

#[test]
fn the_python_runner_runs_the_jobs_of_two_tenants() {
    let scene = scene();
    add_two_tenants(&scene);
    let changes = changes();
    let changes = changes
        .each_ref()
        .map(|(before, after)| (before.as_str(), after.as_str()));
    fs::write(scene.config_path(), scene.configuration_but(&changes)).unwrap();
    let Some(service) = start(&scene) else {
        return;
    };
    let submit = |project: &str| {
        let spec = JobSpec::new("tenants", ["true"])
            .flavor("XS")
            .project(project);
        scene.coordinator.submit(spec)
    };
    let (here, there) = (submit("acme/a/b"), submit("other/c"));
    assert_ends(
        &scene,
        service,
        &[here, there].map(|job| (job, JobStatus::Success)),
    );
    assert_eq!(scene.machine(here).unwrap().organization, "orga_acme");
    assert_eq!(scene.machine(there).unwrap().organization, "orga_other");
}
