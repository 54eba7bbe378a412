//! What restarts the service, or calls somebody, hears in words why.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Scene, eventually};

#[test]
fn it_is_healthy_while_its_loop_turns_and_its_state_file_can_be_written() {
    let scene = Scene::listening();
    let site = scene.serve();
    assert_eq!(site.get("/healthz").status, 200);
    let obstacle = scene.folder.path().join("state.json.new");
    fs::create_dir(&obstacle).unwrap();
    let job = scene.submit("unwritten", "true");
    scene.await_end(job);
    assert!(eventually(|| site.get("/healthz").status == 503));
    let answer = site.get("/healthz");
    assert!(
        answer.body.contains("cannot write the state file"),
        "{}",
        answer.body
    );
    site.await_metric("heptapod_paas_runner_state_file_writable 0");
    fs::remove_dir(&obstacle).unwrap();
    assert!(eventually(|| site.get("/healthz").status == 200));
}

#[test]
fn it_is_ready_when_every_runner_can_work_and_says_which_can_not_and_why() {
    let mut scene = Scene::listening();
    scene.more = scene
        .runner_elsewhere("second")
        .replace("kvzWdEMoTESTtoken000", "glrt-unknown-token00");
    let site = scene.serve();
    site.service.await_log("runner=second: asking for a job");
    site.await_metric("heptapod_paas_runner_runner_can_work{runner=\"second\"} 0");
    site.await_metric("heptapod_paas_runner_runner_can_work{runner=\"ci\"} 1");
    let answer = site.get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .body
            .starts_with("runner second: its coordinator is in trouble")
            && answer.body.lines().count() == 1,
        "{}",
        answer.body
    );
    assert_eq!(site.get("/healthz").status, 200);
    let page = site.get("/").body;
    assert!(
        page.contains("class=w") && page.contains("its coordinator is in trouble"),
        "{page}"
    );
    scene.more.clear();
    scene.write_configuration();
    assert_eq!(scene.ask(&["--reload"]).0, Some(0));
    assert!(eventually(|| site.get("/readyz").status == 200));
    let job = scene.submit_lasting("lasts");
    scene.await_status(job, |status| status == sandbox::JobStatus::Running);
    site.service.signal(Signal::QUIT);
    assert!(eventually(|| site.get("/readyz").status == 503));
    assert!(site.get("/").body.contains("draining: 1 job left"));
    scene.let_end();
}
