//! The program installs itself with all that belongs to it, anywhere, again, and without a trace of an
//! operator's own files lost.

mod shells;
mod unit;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::service::{program, register};

const LINKS: [&str; 3] = [
    "bin/heptapod-paas-runner-register",
    "share/bash-completion/completions/heptapod-paas-runner-register",
    "share/fish/vendor_completions.d/heptapod-paas-runner-register.fish",
];
/// Files, and what `--print` calls them.
const PIECES: [(&str, &[&str]); 11] = [
    (
        "share/man/man1/heptapod-paas-runner.1",
        &["man", "heptapod-paas-runner"],
    ),
    (
        "share/man/man1/heptapod-paas-runner-register.1",
        &["man", "heptapod-paas-runner-register"],
    ),
    ("lib/systemd/system/heptapod-paas-runner.service", &["unit"]),
    ("lib/sysusers.d/heptapod-paas-runner.conf", &["sysusers"]),
    ("lib/tmpfiles.d/heptapod-paas-runner.conf", &["tmpfiles"]),
    (
        "share/doc/heptapod-paas-runner/paas-runner.toml",
        &["config"],
    ),
    ("share/doc/heptapod-paas-runner/alerts.yml", &["alerts"]),
    (
        "share/doc/heptapod-paas-runner/dashboard.json",
        &["dashboard"],
    ),
    (
        "share/bash-completion/completions/heptapod-paas-runner",
        &["completion", "bash"],
    ),
    (
        "share/zsh/site-functions/_heptapod-paas-runner",
        &["completion", "zsh"],
    ),
    (
        "share/fish/vendor_completions.d/heptapod-paas-runner.fish",
        &["completion", "fish"],
    ),
];

/// Runs it as someone who denies others everything by default.
fn install(root: &Path, more: &[&str]) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 077; exec \"$0\" install --root \"$@\""]);
    command.arg(program()).arg(root).args(more);
    command.output().unwrap()
}

fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn print(words: &[&str]) -> String {
    printed(Command::new(program()).arg("--print").args(words))
}

/// All files and links below a folder.
fn files_in(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            assert_eq!(mode(&path), 0o755, "{}", path.display());
            files.extend(files_in(&path));
        } else {
            files.insert(path);
        }
    }
    files
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn check_everything_is_there(prefix: &Path) {
    let program = prefix.join("bin/heptapod-paas-runner");
    assert_eq!(mode(&program), 0o755);
    let texts = PIECES.map(|(path, words)| (prefix.join(path), print(words)));
    for (path, text) in &texts {
        assert_eq!(mode(path), 0o644, "{}", path.display());
        assert!(!text.is_empty() && fs::read_to_string(path).unwrap() == *text);
    }
    let links = LINKS.map(|link| prefix.join(link));
    for link in &links {
        let target = fs::canonicalize(link).unwrap();
        assert_eq!(target.parent(), link.parent(), "{}", target.display());
    }
    let all = texts.into_iter().map(|(path, _)| path);
    assert_eq!(
        files_in(prefix),
        all.chain(links).chain([program]).collect()
    );
}

#[test]
fn all_that_belongs_to_the_program_is_installed_for_everybody_and_removed_again() {
    let root = TempDir::new().unwrap();
    let prefix = root.path().join("usr/local");
    // What an older way of installing left: two programs.
    fs::create_dir_all(prefix.join("bin")).unwrap();
    for folder in ["usr", "usr/local", "usr/local/bin"] {
        let everybody = Permissions::from_mode(0o755);
        fs::set_permissions(root.path().join(folder), everybody).unwrap();
    }
    fs::write(prefix.join("bin/heptapod-paas-runner"), "old").unwrap();
    fs::write(prefix.join(LINKS[0]), "old").unwrap();

    let first = install(root.path(), &[]);
    assert!(first.status.success(), "{first:?}");
    check_everything_is_there(&prefix);
    let said = String::from_utf8(first.stdout).unwrap();
    assert_eq!(said.lines().count(), 1 + LINKS.len() + PIECES.len());
    assert!(
        said.lines().all(|line| line.starts_with("wrote  ")),
        "{said}"
    );

    let again = String::from_utf8(install(root.path(), &[]).stdout).unwrap();
    assert_eq!(again, said.replace("wrote    ", "unchanged"));
    // Neither stays another mode, nor a link to elsewhere.
    let manual = prefix.join(PIECES[0].0);
    fs::set_permissions(&manual, Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(prefix.join(LINKS[0])).unwrap();
    symlink("/bin/true", prefix.join(LINKS[0])).unwrap();
    install(root.path(), &[]);
    check_everything_is_there(&prefix);
    let version = printed(Command::new(prefix.join(LINKS[0])).arg("--version"));
    assert_eq!(version, printed(register().arg("--version")));

    let foreign = prefix.join("share/doc/heptapod-paas-runner/notes");
    fs::write(&foreign, "").unwrap();
    let removed = install(root.path(), &["--remove"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(files_in(&prefix), [foreign].into());
}

#[test]
fn a_package_has_its_own_prefix_and_a_configuration_is_left_alone() {
    let root = TempDir::new().unwrap();
    let configuration = root.path().join("etc/heptapod-runner/paas-runner.toml");
    fs::create_dir_all(configuration.parent().unwrap()).unwrap();
    fs::write(&configuration, "mine").unwrap();
    let output = install(root.path(), &["--prefix", "/usr/"]);
    assert!(output.status.success(), "{output:?}");
    let unit = root
        .path()
        .join("usr/lib/systemd/system/heptapod-paas-runner.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/heptapod-paas-runner /etc/"));
    assert!(!unit.contains("/usr/local"), "{unit}");
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "mine");
}

#[test]
fn what_can_not_be_installed_is_told_with_the_file() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("no-folder");
    fs::write(&root, "").unwrap();
    let output = install(&root, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let program = root.join("usr/local/bin/heptapod-paas-runner");
    assert!(
        said.contains(&format!("cannot write {}", program.display())),
        "{said}"
    );
    for (options, told) in [
        (&["--prefix", "usr"][..], "must begin with /"),
        (&["here"], "only options"),
    ] {
        let output = install(folder.path(), options);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn what_is_printed_is_named_as_it_is_asked_for() {
    let old = |option| printed(Command::new(program()).arg(option));
    assert_eq!(old("--print-config"), print(&["config"]));
    assert_eq!(old("--print-unit"), print(&["unit"]));
    for words in [
        &["units"][..],
        &["man"],
        &["unit", "x"],
        &["completion", "csh"],
    ] {
        let mut command = Command::new(program());
        let output = command.arg("--print").args(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&words.join(" ")), "{said}");
        assert!(said.contains("completion zsh, "), "{said}");
    }
}

/// A build has a program of this name, an installation a link.
#[test]
fn one_program_is_both_by_its_name_or_its_first_argument() {
    let mut built = Command::new(env!("CARGO_BIN_EXE_heptapod-paas-runner-register"));
    let help = printed(register().arg("--help"));
    assert!(help.contains("Usage: heptapod-paas-runner-register "));
    assert_eq!(printed(built.arg("--help")), help);
    let mut by_argument = Command::new(program());
    assert_eq!(printed(by_argument.args(["register", "--help"])), help);
}
