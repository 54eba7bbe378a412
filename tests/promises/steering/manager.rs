//! What systemd is told: that the service is there, how it stands, that it lives.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::{PATIENCE, Scene};

/// How soon a sign of life must come.
const LIMIT: Duration = Duration::from_millis(800);

struct Manager(UnixDatagram);

impl Manager {
    fn hears(&self) -> Option<String> {
        let mut heard = [0; 1000];
        let length = self.0.recv(&mut heard).ok()?;
        Some(String::from_utf8(heard[..length].to_vec()).unwrap())
    }

    /// Waits for what begins so.
    fn await_word(&self, word: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(heard) = self.hears().filter(|heard| heard.starts_with(word)) {
                return heard;
            }
        }
        panic!("never heard of {word}");
    }
}

#[test]
fn the_service_manager_hears_of_each_step_and_feels_the_pulse_of_the_main_loop() {
    let mut scene = Scene::new();
    let path = scene.folder.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    manager.0.set_read_timeout(Some(LIMIT)).unwrap();
    for (name, value) in [
        ("NOTIFY_SOCKET", path.display().to_string()),
        ("WATCHDOG_USEC", LIMIT.as_micros().to_string()),
    ] {
        scene.environment.push((name.to_owned(), value));
    }
    let service = scene.start();
    manager.await_word("READY=1");
    let status = manager.await_word("STATUS=");
    assert!(status.starts_with("STATUS=0 jobs running"), "{status}");
    manager.await_word("WATCHDOG=1");
    let job = scene.submit_lasting("told");
    let told = "STATUS=1 job running, weight 2.4 of 608.9";
    assert_eq!(manager.await_word("STATUS=1 job running"), told);
    service.signal(Signal::HUP);
    manager.await_word("RELOADING=1\nMONOTONIC_USEC=");
    manager.await_word("READY=1");
    // One that does not turn gives no sign.
    service.signal(Signal::STOP);
    while manager.hears().is_some() {}
    service.signal(Signal::CONT);
    manager.await_word("WATCHDOG=1");
    scene.let_end();
    scene.await_end(job);
    let (exit, log) = service.stop();
    assert!(exit.success(), "{log}");
    manager.await_word("STOPPING=1");
}

#[test]
fn a_manager_that_is_gone_is_one_warning_for_as_long_as_it_is() {
    let mut scene = Scene::new();
    let path = scene.folder.path().join("notify");
    for (name, value) in [
        ("NOTIFY_SOCKET", path.display().to_string()),
        ("WATCHDOG_USEC", "20000".to_owned()),
    ] {
        scene.environment.push((name.to_owned(), value));
    }
    let service = scene.start();
    scene.await_end(scene.submit("needs no manager", "true"));
    let (exit, log) = service.stop();
    let warnings = log.matches("could not be told").count();
    assert!(exit.success() && warnings == 1, "{log}");
}
