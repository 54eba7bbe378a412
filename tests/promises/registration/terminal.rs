//! A person at a terminal, as a program sees one: a pseudo-terminal, and what is on its screen.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{PATIENCE, command};

pub struct Terminal {
    child: Child,
    /// The person's side.
    hands: File,
    screen: Arc<Screen>,
    /// How much of the screen was read.
    read: usize,
}

#[derive(Default)]
struct Screen {
    /// What is on it, and whether nothing more will come.
    state: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Terminal {
    pub fn start(config: &Path, options: &[String]) -> Self {
        Self::start_in(config, options, &[])
    }

    /// With these variables in its environment.
    pub fn start_in(config: &Path, options: &[String], variables: &[(&str, String)]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let hands = openpt(flags).unwrap();
        grantpt(&hands).unwrap();
        unlockpt(&hands).unwrap();
        let name = ptsname(&hands, Vec::new()).unwrap();
        let seat = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(name.to_bytes()))
            .unwrap();
        let mut command = command(config, options);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(seat.try_clone().unwrap()).stderr(seat);
        let child = command.spawn().unwrap();
        // It has the other copies of the program's side: the last one that is closed is the child's.
        drop(command);
        let hands = File::from(hands);
        let screen = Arc::new(Screen::default());
        let (eyes, seen) = (hands.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || watch(eyes, &seen));
        Self {
            child,
            hands,
            screen,
            read: 0,
        }
    }

    /// Waits until `text` is on the screen, behind what was read before.
    pub fn await_text(&mut self, text: &str) {
        let state = self.screen.state.lock().unwrap();
        let from = self.read;
        let missing = |state: &mut (String, bool)| !(state.0[from..].contains(text) || state.1);
        let waited = self
            .screen
            .changed
            .wait_timeout_while(state, PATIENCE, missing);
        let (state, _) = waited.unwrap();
        let Some(place) = state.0[from..].find(text) else {
            panic!("{text:?} does not come after {from} bytes of\n{}", state.0);
        };
        self.read = from + place + text.len();
    }

    pub fn answer(&mut self, prompt: &str, text: &str) {
        self.await_text(prompt);
        assert!(self.shows_what_is_typed(), "at {prompt:?}");
        self.type_in(&format!("{text}\n"));
    }

    pub fn answer_hidden(&mut self, prompt: &str, text: &str) {
        self.await_text(prompt);
        assert!(!self.shows_what_is_typed(), "at {prompt:?}");
        self.type_in(&format!("{text}\n"));
    }

    pub fn type_in(&mut self, text: &str) {
        self.hands.write_all(text.as_bytes()).unwrap();
    }

    pub fn shows_what_is_typed(&self) -> bool {
        let modes = tcgetattr(&self.hands).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Waits until the program has ended.
    pub fn await_end(&self) {
        let state = self.screen.state.lock().unwrap();
        let going_on = |state: &mut (String, bool)| !state.1;
        let waited = self
            .screen
            .changed
            .wait_timeout_while(state, PATIENCE, going_on);
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "it does not end:\n{}", state.0);
    }

    /// Waits until the program has ended; its exit code and all that was on the screen.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.await_end();
        let screen = self.screen.state.lock().unwrap().0.clone();
        (self.child.wait().unwrap().code(), screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the program's side is closed, which is an error here.
fn watch(mut eyes: File, screen: &Screen) {
    let mut bytes = [0; 4096];
    let mut pending = Vec::new();
    while let Ok(n @ 1..) = eyes.read(&mut bytes) {
        pending.extend_from_slice(&bytes[..n]);
        // A letter may have come in parts.
        let whole = match str::from_utf8(&pending) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = pending.split_off(whole);
        let text = String::from_utf8(std::mem::replace(&mut pending, rest)).unwrap();
        let mut state = screen.state.lock().unwrap();
        state.0.push_str(&text.replace('\r', ""));
        screen.changed.notify_all();
    }
    screen.state.lock().unwrap().1 = true;
    screen.changed.notify_all();
}
