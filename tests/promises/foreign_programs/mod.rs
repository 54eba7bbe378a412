//! Programs that nobody here wrote go through the sandbox unmodified: where one stumbles, the sandbox is
//! wrong, and so may be what was built on it.
//!
//! They are run, never copied into the project. Where one can't be had, its test says "skipped" and why.
//! `found` makes them ready, once, in a folder below `target`: the official command line of Clever Cloud
//! (`clever-tools-4.tgz`, which lies in `../shared/clients` beside the project, or in the folder that
//! `FOREIGN_CLIENTS` names, for `node`, 20 or newer), and from `PyPI` the Python runner and libraries for
//! GitLab and Clever Cloud (for `python3`, with its `venv` and a package registry). `.ci/run` installs
//! `node` and `python3-venv` where they are missing.

mod clever_tools;
pub mod found;
mod libraries;
mod python_runner;

use std::process::Command;

use sandbox::{Key, Role};

use crate::scene::{ORGANIZATION, Scene};

/// Of a user; a login like any other to their programs.
const PAIR: (&str, &str) = ("oauthT0ken0user", "oauthS3cret0user");
const API_TOKEN: &str = "apiT0ken0user";

/// The world as it is outside: the git remote speaks https. A user has credentials of their own.
fn scene() -> Scene {
    let scene = Scene::with(|_| {}, |clever| clever.git_over_https = true);
    let (token, secret) = (PAIR.0.to_owned(), PAIR.1.to_owned());
    for key in [
        Key::OAuth { token, secret },
        Key::ApiToken(API_TOKEN.to_owned()),
    ] {
        scene.clever.add_key(ORGANIZATION, key, Role::Manager);
    }
    scene
}

/// What the program printed.
fn succeed(scene: &Scene, command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if !output.status.success() {
        scene.give_up(&format!("{command:?}: {}\n{said}", output.status));
    }
    said
}
