//! A push is carried by our own client and decided by what the git remote says, whichever git the
//! system has; and without one no job is taken.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{AppPhase, Fault, Hook, JobSpec, JobStatus, Response, Rule, Stranger};

use crate::scene::{CLEVER_TOKEN, PATIENCE, Scene, eventually};
use crate::tenants::{self, two_tenants};

const REFS: &str = "*/info/refs";
const PACK: &str = "*/git-receive-pack";

/// What a remote says of an empty repository when it can do `capabilities`.
fn nothing_yet(capabilities: &str) -> Fault {
    let line = format!("{} capabilities^{{}}\0 {capabilities}\n", "0".repeat(40));
    let line = format!("{:04x}{line}", line.len() + 4);
    let body = format!("001f# service=git-receive-pack\n0000{line}0000").into_bytes();
    let answer = Response {
        body,
        ..Response::empty(200)
    };
    let kind = "application/x-git-receive-pack-advertisement";
    Fault::Replace(answer.with("Content-Type", kind))
}

#[test]
fn a_push_is_three_git_processes_that_know_nothing_but_the_job() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("no_proxy", "127.0.0.1"),
        ("SSL_CERT_DIR", "/etc/ssl/certs"),
    ] {
        scene.environment.push((name.to_owned(), value.to_owned()));
    }
    let folder = scene.wrap_git(
        r#"env >>"$folder/environment"
echo "git $*" >>"$folder/calls"
GIT_TRACE2_EVENT="$folder/trace" real_git "$@""#,
    );
    let service = scene.start();
    let job = scene.submit("watched", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    scene.await_no_machines();
    let (_, log) = service.stop();
    scene.assert_no_complaints();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (calls, environment) = (read("calls"), read("environment"));
    let verbs: Vec<_> = calls
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(verbs, ["version", "fast-import", "send-pack"], "{log}");
    let starts = read("trace");
    let starts = starts
        .lines()
        .filter(|line| line.contains(r#""event":"start""#));
    // One of them only once in the life of the program.
    assert_eq!(starts.count(), 1 + 3, "{}", read("trace"));
    for foreign in [CLEVER_TOKEN, "Basic", "http", "SSL_", "proxy", "PROXY"] {
        assert!(!environment.contains(foreign), "{environment}");
        assert!(!calls.contains(foreign), "{calls}");
    }
}

/// Each version of git at hand, by what it says of itself.
fn gits() -> BTreeMap<String, PathBuf> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/opt/git/bin"].map(PathBuf::from);
    let folders = env::split_paths(&search_path).chain(usual);
    let mut found = BTreeMap::new();
    for program in folders.map(|folder| folder.join("git")) {
        let said = Command::new(&program).arg("version").output();
        let Ok(said) = said else { continue };
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        found.entry(version).or_insert(program);
    }
    found
}

#[test]
fn every_git_at_hand_pushes_once_whatever_becomes_of_the_answers() {
    let gits = gits();
    if gits.len() < 2 {
        eprintln!("skipped: a second version of git; the only one is {gits:?}");
    }
    assert!(!gits.is_empty());
    thread::scope(|scope| {
        for (version, program) in &gits {
            scope.spawn(|| pushes_once(version, program));
        }
    });
}

fn pushes_once(version: &str, program: &Path) {
    let mut scene = Scene::new();
    let folder = scene.wrap_git("");
    fs::remove_file(folder.join("git")).unwrap();
    symlink(program, folder.join("git")).unwrap();
    let service = scene.start_with(&["-l", "debug"]);
    let number = version.trim_start_matches("git version ");
    let minor = number.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    service.await_log(&format!("pushing with git {minor}"));
    let on_pack = || Rule::on("POST", PACK);
    let on_refs = || Rule::on("GET", REFS);
    let plain = nothing_yet("report-status delete-refs");
    let overtaken = nothing_yet("report-status side-band-64k");
    for (case, rules) in [
        ("a new branch", vec![]),
        ("few capabilities", vec![on_refs().with(plain)]),
        ("no answer", vec![on_pack().with(Fault::CutAfter)]),
        ("half an answer", vec![on_pack().with(Fault::Truncate(9))]),
        (
            "overtaken between both requests",
            vec![
                on_pack().with(Fault::CutAfter),
                on_refs().after(1).with(overtaken),
            ],
        ),
    ] {
        let is_repeated = rules.iter().any(|rule| rule.path == PACK);
        for rule in rules {
            scene.clever.git_faults().inject(rule);
        }
        let end = folder.join(case);
        let script = format!("until test -e '{}'; do sleep 0.1; done", end.display());
        let job = scene.submit(case, &script);
        if is_repeated {
            service.await_log(&format!("{} was pushed before", scene.machine_name(job)));
        }
        fs::write(end, "").unwrap();
        let ended = scene.await_end(job);
        let log = service.whole_log();
        assert_eq!(ended.status, JobStatus::Success, "{version}, {case}: {log}");
        scene.await_no_machines();
        scene.assert_started_once(job);
    }
    scene
        .clever
        .set_quirks(|quirks| quirks.hook = Hook::Refuses);
    let job = scene.submit("declined", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Failed);
    let line = service.await_log("failed to launch");
    for words in ["hook declined", "remote: "] {
        assert!(line.contains(words), "{version}: {line}");
    }
    scene.await_no_machines();
}

#[test]
fn without_a_git_that_can_push_no_job_is_taken_and_those_that_are_here_come_to_their_end() {
    let mut scene = Scene::new();
    let service = scene.start();
    let before = scene.submit_lasting("granted before");
    service.await_log("running, seen");
    service.kill();
    let folder = scene.wrap_git(r#"[ "$1" = version ] && cat "$folder/version" || real_git "$@""#);
    let script = fs::read(folder.join("git")).unwrap();
    fs::remove_file(folder.join("git")).unwrap();
    // No other one is found, and neither are `cat` and the like.
    let usual_path = scene.environment.pop().unwrap();
    scene
        .environment
        .push(("PATH".to_owned(), folder.display().to_string()));
    let service = scene.start();
    let line = service.await_log("no job is taken: git: ");
    assert!(
        line.contains("ERROR") && line.contains("not installed"),
        "{line}"
    );
    assert!(line.contains("install git 2.20 or newer"), "{line}");
    let waiting = scene.submit("waits for git", "true");
    scene.let_end();
    assert_eq!(scene.await_end(before).status, JobStatus::Success);
    scene.await_no_machines();
    let (_, log) = service.stop();
    assert_eq!(log.matches("no job is taken").count(), 1, "{log}");
    scene.environment.pop();
    scene.environment.push(usual_path);
    fs::write(folder.join("version"), "git version 2.9.5\n").unwrap();
    fs::write(folder.join("git"), script).unwrap();
    fs::set_permissions(folder.join("git"), executable()).unwrap();
    let service = scene.start();
    let line = service.await_log("no job is taken: git: ");
    assert!(line.contains("git 2.9 is too old"), "{line}");
    let status = scene.coordinator.job(waiting).status;
    assert_eq!(status, JobStatus::Pending, "{}", service.whole_log());
    fs::write(folder.join("version"), "git version 2.20.0\n").unwrap();
    service.await_log("git is well again: jobs are taken again");
    assert_eq!(scene.await_end(waiting).status, JobStatus::Success);
    let (_, log) = service.stop();
    assert_eq!(log.matches("no job is taken").count(), 1, "{log}");
}

#[test]
fn a_git_that_is_missing_for_a_moment_costs_no_job() {
    let mut scene = Scene::new();
    let folder = scene.wrap_git(r#"real_git "$@""#);
    let git = folder.join("git");
    scene.environment.pop();
    scene
        .environment
        .push(("PATH".to_owned(), folder.display().to_string()));
    let gate = sandbox::Gate::new();
    let hold = Rule::on("GET", REFS).with(Fault::HoldBefore(gate.clone()));
    scene.clever.git_faults().inject(hold);
    let service = scene.start();
    let job = scene.submit("during an upgrade", "true");
    assert!(gate.wait_reached(PATIENCE));
    fs::rename(&git, folder.join("git.old")).unwrap();
    gate.open();
    service.await_log("pushing hpd-job-kvzWdEMo-");
    service.await_log("no job is taken: git: ");
    fs::rename(folder.join("git.old"), &git).unwrap();
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    service.await_log("jobs are taken again");
}

fn executable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

/// One job for each, all at once: whatever answers in the remote's place is said with where it
/// came from, and costs a moment.
#[test]
fn what_answers_in_a_git_remotes_place_is_told_and_decides_nothing() {
    let scene = Scene::new();
    let status = |code, headers: &[(&str, &str)], body: &str| Fault::Status {
        code,
        headers: (headers.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
    };
    let sign_in = "https://somebody:word@login.corp.test/sign-in?for=push#here";
    let page = "<html><title>Sign in</title></html>";
    let mut cases = vec![
        (
            status(302, &[("Location", sign_in)], ""),
            "a redirection to https://login.corp.test/sign-in",
        ),
        (
            status(200, &[], page),
            "(a page, \"Sign in\"), which is not a git",
        ),
        (
            status(401, &[("WWW-Authenticate", "Negotiate")], ""),
            "status 401",
        ),
        (status(404, &[], page), "status 404 (a page, \"Sign in\")"),
        (
            // Longer than any pause of our own.
            status(503, &[("Retry-After", "11")], ""),
            "trying again in 11s",
        ),
    ];
    for stranger in Stranger::ALL {
        cases.push((stranger.says(401), "status 401"));
        cases.push((stranger.says(403), "from corp-gate"));
    }
    let service = scene.start();
    let (mut jobs, mut lines) = (Vec::new(), Vec::new());
    for (number, (fault, line)) in cases.into_iter().enumerate() {
        let (method, path) = [("GET", REFS), ("POST", PACK)][number % 3 % 2];
        let rule = Rule::on(method, path).with(fault);
        scene.clever.git_faults().inject(rule);
        jobs.push(scene.submit("hindered", "true"));
        lines.push((format!("{method} {}/app_", scene.clever.git_url()), line));
    }
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.assert_started_once(job);
    }
    let log = service.whole_log();
    for (from, line) in lines {
        let is_told = |it: &&str| it.contains(line) && it.contains(&from) && it.contains("WARN");
        assert!(log.lines().find(is_told).is_some(), "{from}, {line}: {log}");
    }
    assert!(!log.contains("for=push") && !log.contains("word@"), "{log}");
    scene.await_no_machines();
}

/// With what it started itself, and also when the service stops.
#[test]
fn a_git_that_hangs_is_ended_as_soon_as_it_is_not_wanted() {
    let mut scene = Scene::new();
    let folder = scene.wrap_git(
        r#"[ "$1" = send-pack ] && [ ! -e "$folder/well" ] || { real_git "$@"; exit; }
sleep 600 &
echo $! >"$folder/pid"
wait"#,
    );
    let is_alive = || {
        let pid = fs::read_to_string(folder.join("pid")).unwrap_or_default();
        let pid: Option<u32> = pid.trim().parse().ok();
        let stat = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stat.is_some_and(|stat| !stat.contains(") Z "))
    };
    let service = scene.start();
    let canceled = scene.submit("canceled", "true");
    assert!(eventually(is_alive));
    scene.coordinator.cancel(canceled);
    let asked = Instant::now();
    scene.await_phase(canceled, AppPhase::Deleted);
    assert!(asked.elapsed() < Duration::from_secs(10));
    assert!(eventually(|| !is_alive()));
    let kept = scene.submit("kept", "true");
    assert!(eventually(is_alive));
    let asked = Instant::now();
    service.signal(Signal::TERM);
    let (exit, log) = service.stop();
    assert!(
        exit.success() && asked.elapsed() < Duration::from_secs(5),
        "{log}"
    );
    assert!(eventually(|| !is_alive()));
    fs::write(folder.join("well"), "").unwrap();
    let _service = scene.start();
    assert_eq!(scene.await_end(kept).status, JobStatus::Success);
    scene.await_no_machines();
}

#[test]
fn a_remote_that_hangs_does_not_hold_up_a_stop() {
    let scenes = [("GET", REFS), ("POST", PACK)].map(|(method, path)| {
        let scene = Scene::new();
        let gate = sandbox::Gate::new();
        let hold = Rule::on(method, path).with(Fault::HoldAfter(gate.clone()));
        scene.clever.git_faults().inject(hold);
        let service = scene.start();
        let job = scene.submit("hangs", "true");
        assert!(gate.wait_reached(PATIENCE));
        let asked = Instant::now();
        let (exit, log) = service.stop();
        assert!(
            exit.success() && asked.elapsed() < Duration::from_secs(5),
            "{log}"
        );
        gate.open();
        (scene, job)
    });
    for (scene, job) in scenes {
        let _service = scene.start();
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
        scene.await_no_machines();
        scene.assert_started_once(job);
    }
}

#[test]
fn a_login_that_the_git_remote_refuses_is_looked_up_once_more_where_it_may_have_changed() {
    let scene = two_tenants();
    let service = tenants::start(&scene);
    let submit = || {
        let spec = JobSpec::new("refused", ["true"]).flavor("XS");
        scene.coordinator.submit(spec.project("acme/x"))
    };
    let refuse = |method, path| {
        let challenge = [("WWW-Authenticate".to_owned(), "basic realm=git".to_owned())];
        Rule::on(method, path).with(Fault::Status {
            code: 401,
            headers: challenge.to_vec(),
            body: Vec::new(),
        })
    };
    let look_ups = || {
        let is_it = |path: &str| path.ends_with("/groups/acme/custom_attributes");
        scene.journal.count_requests("GET", is_it)
    };
    // Whatever else was wrong before.
    let down = Rule::on("GET", REFS).with(Fault::html(503));
    scene.clever.git_faults().inject(down);
    scene.clever.git_faults().inject(refuse("POST", PACK));
    let renewed = submit();
    assert_eq!(scene.await_end(renewed).status, JobStatus::Success);
    let before = look_ups();
    assert_eq!(before, 2, "{}", scene.journal);
    for (method, path) in [("GET", REFS), ("GET", REFS)] {
        scene.clever.git_faults().inject(refuse(method, path));
    }
    let refused = submit();
    let ended = scene.await_end(refused);
    assert_eq!(ended.status, JobStatus::Failed);
    let line = service.await_log("check the organization's token and cc_auth_user");
    assert!(
        line.contains("status 401") && line.contains("ERROR"),
        "{line}"
    );
    assert_eq!(look_ups(), before + 1, "{}", scene.journal);
    scene.await_no_machines();
}

#[test]
fn whose_git_host_hangs_keeps_nobody_else_waiting_and_their_canceled_jobs_go() {
    let (mut scene, hanging) = (Scene::new(), Scene::new());
    scene.more = hanging.runner_elsewhere("hanging");
    let hang = Rule::on("POST", PACK).always().with(Fault::Hang);
    hanging.clever.git_faults().inject(hang);
    let stuck: Vec<_> = (0..20)
        .map(|number| hanging.submit(&format!("stuck {number}"), "true"))
        .collect();
    let service = scene.start();
    // As many as there may be into one organization's repositories.
    hanging.await_that("eight pushes hang", || {
        let begun = |path: &str| path.ends_with("/info/refs");
        hanging.journal.count_requests("GET", begun) >= 8
    });
    let began = Instant::now();
    let jobs: Vec<_> = (0..3)
        .map(|number| scene.submit(&format!("free {number}"), "true"))
        .collect();
    for job in jobs {
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    for job in &stuck {
        hanging.coordinator.cancel(*job);
    }
    hanging.await_no_machines();
    for job in stuck {
        service.await_log(&format!("job={job} runner=hanging: finished"));
    }
}

#[test]
fn a_folder_for_pushes_that_somebody_removed_is_made_anew() {
    let scene = Scene::new();
    let service = scene.start();
    let pushes = scene.folder.path().join("state.json.pushes");
    let run = |name: &str| {
        let job = scene.submit(name, "true");
        assert_eq!(scene.await_end(job).status, JobStatus::Success);
    };
    run("first");
    let own = fs::read_dir(&pushes).unwrap().next().unwrap();
    fs::remove_dir_all(own.unwrap().path()).unwrap();
    run("without its own");
    fs::remove_dir_all(&pushes).unwrap();
    run("without any");
    scene.await_no_machines();
    let (_, log) = service.stop();
    assert!(!log.contains("WARN"), "{log}");
    assert!(!pushes.exists());
}
