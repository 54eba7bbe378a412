//! An API token and an SSH key are enough: jobs are pushed by the system's `ssh`, which knows nothing
//! but the key and the host keys that were seen before. With a real server, where there is one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sandbox::{AppPhase, Hook, JobStatus, Key, Role, SshRemote};

use crate::scene::{CLEVER_TOKEN, ORGANIZATION, Scene, eventually};
use crate::service::Service;

const API_TOKEN: &str = "apiT0ken";

/// A scene in which nothing but an API token is worth anything.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.clever.revoke_token(CLEVER_TOKEN);
    let key = Key::ApiToken(API_TOKEN.to_owned());
    scene.clever.add_key(ORGANIZATION, key, Role::Manager);
    scene
}

fn start(scene: &Scene, key: &Path) -> Service {
    let lines = format!(
        "cc_auth = \"api-token\"\ncc_token = \"{API_TOKEN}\"\ncc_bridge_url = \"{}\"\n\
         cc_ssh_key = \"{}\"",
        scene.clever.bridge_url(),
        key.display()
    );
    scene.start_changed(&[(&format!("cc_token = \"{CLEVER_TOKEN}\""), &lines)])
}

/// With a server, or without a test.
fn served() -> Option<(Scene, SshRemote)> {
    let scene = scene();
    match scene.clever.serve_ssh() {
        Ok(remote) => Some((scene, remote)),
        Err(why) => {
            eprintln!("skipped: pushes by ssh to a real server: {why}");
            None
        }
    }
}

fn known_hosts(scene: &Scene) -> PathBuf {
    scene.folder.path().join("state.json.known_hosts")
}

/// A private key, or what looks like one from outside.
fn a_key(scene: &Scene) -> PathBuf {
    let path = scene.folder.path().join("key");
    let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n\
        -----END OPENSSH PRIVATE KEY-----\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn jobs_are_pushed_by_ssh_to_the_host_key_of_the_first_contact_and_to_no_other() {
    let Some((mut scene, remote)) = served() else {
        return;
    };
    let agent = ("SSH_AUTH_SOCK".to_owned(), "/nonexistent".to_owned());
    scene.environment.push(agent);
    let folder = scene.wrap(
        "ssh",
        r#"env >>"$folder/environment"
echo "ssh $*" >>"$folder/calls"
[ -e "$folder/lose_answer" ] || { real_ssh "$@"; exit; }
rm "$folder/lose_answer"
real_ssh "$@" | { length=$(head -c 4); printf %s "$length"; head -c $((0x$length)); cat >/dev/null; }"#,
    );
    let key = scene.folder.path().join("key");
    remote.renew_user_key(&key);
    let service = start(&scene, &key);
    let first = scene.submit("pushed by ssh", "true");
    let ended = scene.await_end(first);
    assert_eq!(ended.status, JobStatus::Success, "{}", service.whole_log());
    let pinned = fs::read_to_string(known_hosts(&scene)).unwrap();
    assert!(
        pinned.starts_with(&remote.name()) && pinned.lines().count() == 1,
        "{pinned}"
    );

    fs::write(folder.join("lose_answer"), "").unwrap();
    let lost = scene.submit_lasting("without an answer");
    service.await_log(&format!("{} was pushed before", scene.machine_name(lost)));
    scene.let_end();
    assert_eq!(scene.await_end(lost).status, JobStatus::Success);
    scene.assert_started_once(lost);

    scene
        .clever
        .set_quirks(|quirks| quirks.hook = Hook::Refuses);
    let declined = scene.submit("declined", "true");
    assert_eq!(scene.await_end(declined).status, JobStatus::Failed);
    let line = service.await_log("hook declined");
    assert!(line.contains("remote: "), "{line}");
    scene.clever.set_quirks(|quirks| quirks.hook = Hook::Normal);

    // Of another type, which ssh by itself would take for one more, and of the same.
    let file = known_hosts(&scene).display().to_string();
    for kind in ["another type", "the same type"] {
        remote.change_host_key();
        let job = scene.submit(kind, "true");
        assert_eq!(scene.await_end(job).status, JobStatus::Failed, "{kind}");
        let name = scene.machine_name(job);
        let line = service.await_log(&format!("failed to launch: pushing {name}: "));
        let words = "has another host key than at the first contact";
        assert!(line.contains(words) && line.contains(&file), "{line}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), pinned);

    fs::remove_file(&file).unwrap();
    let again = scene.submit("a new one that was announced", "true");
    assert_eq!(scene.await_end(again).status, JobStatus::Success);

    remote.renew_user_key(&scene.folder.path().join("another"));
    let refused = scene.submit("with a key that is not known", "true");
    assert_eq!(scene.await_end(refused).status, JobStatus::Failed);
    let line = service.await_log("its public half must be among the SSH keys");
    assert!(line.contains(&key.display().to_string()), "{line}");
    scene.await_no_machines();
    scene.assert_no_complaints();
    let (_, log) = service.stop();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (calls, environment) = (read("calls"), read("environment"));
    for foreign in [API_TOKEN, "SSH_AUTH_SOCK", "HOME=", "DISPLAY"] {
        assert!(
            !calls.contains(foreign) && !environment.contains(foreign),
            "{foreign}"
        );
    }
    assert!(!log.contains(API_TOKEN), "{log}");
    let http = scene
        .journal
        .count_requests("GET", |path| path.ends_with("/info/refs"));
    assert_eq!(http, 0, "{}", scene.journal);
}

/// With what it started itself, as soon as the job is not wanted.
#[test]
fn an_ssh_that_hangs_is_ended_and_without_a_new_one_no_job_is_taken() {
    let mut scene = scene();
    let folder = scene.wrap(
        "ssh",
        r#"[ "$1" = -V ] && { cat "$folder/version"; exit; }
sleep 600 &
echo $! >"$folder/pid"
wait"#,
    );
    fs::write(folder.join("version"), "OpenSSH_7.5p1\n").unwrap();
    let key = a_key(&scene);
    let Ok(_remote) = scene.clever.serve_ssh() else {
        eprintln!("skipped: a push by ssh that hangs: there is no sshd to have an address of");
        return;
    };
    let service = start(&scene, &key);
    let job = scene.submit("canceled", "true");
    service.await_log("no job is taken: ssh: ssh of OpenSSH 7.5 is too old to push with");
    assert_eq!(scene.coordinator.job(job).status, JobStatus::Pending);
    fs::write(folder.join("version"), "OpenSSH_10.0p2, OpenSSL 3\n").unwrap();
    let is_alive = || {
        let pid = fs::read_to_string(folder.join("pid")).unwrap_or_default();
        let pid: Option<u32> = pid.trim().parse().ok();
        let stat = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stat.is_some_and(|stat| !stat.contains(") Z "))
    };
    assert!(eventually(is_alive));
    scene.coordinator.cancel(job);
    let asked = Instant::now();
    scene.await_phase(job, AppPhase::Deleted);
    assert!(asked.elapsed() < Duration::from_secs(10));
    assert!(eventually(|| !is_alive()));
}

#[test]
fn a_repository_that_is_elsewhere_gets_nothing_by_ssh() {
    let scene = scene();
    let service = start(&scene, &a_key(&scene));
    let job = scene.submit("elsewhere", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Failed);
    let line = service.await_log("by ssh is neither one of Clever Cloud's nor where cc_api_url is");
    assert!(line.contains("push-n3-par.sandbox.invalid"), "{line}");
    assert!(!known_hosts(&scene).exists());
    scene.await_no_machines();
}

#[test]
fn a_key_that_ssh_would_not_take_is_a_mistake_at_start_with_its_line() {
    let scene = scene();
    let key = a_key(&scene);
    let fails = |path: &str, words: &str| {
        let (exit, log) = start(&scene, Path::new(path)).wait();
        assert_eq!(exit.code(), Some(2), "{path}: {log}");
        let text = fs::read_to_string(scene.config_path()).unwrap();
        let line = text.lines().position(|line| line.starts_with("cc_ssh_key"));
        let place = format!("{}:{}: ", scene.config_path().display(), line.unwrap() + 1);
        let is_it = |line: &str| line.contains(&place) && line.contains(words);
        assert!(log.lines().any(is_it), "{path}, {words}: {log}");
    };
    fails("/nonexistent/key", "cannot read /nonexistent/key");
    fails("key", "nor one of systemd's credentials");
    let path = key.display().to_string();
    for mode in [0o604, 0o640] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        fails(&path, "chmod 600");
    }
    fs::write(&key, "ssh-ed25519 AAAA sandbox\n").unwrap();
    // What is no key is better not touched.
    fails(&path, "is it the public half?");
    let usual = format!("cc_token = \"{CLEVER_TOKEN}\"");
    let lines = format!("{usual}\ncc_ssh_key = \"{path}\"");
    let (exit, log) = scene.start_changed(&[(&usual, &lines)]).wait();
    assert_eq!(exit.code(), Some(2), "{log}");
    assert!(
        log.contains("`cc_ssh_key` is for a push where `cc_auth` is \"api-token\""),
        "{log}"
    );
}
