//! The program puts itself into a system: all that must be installed besides it is in it.
//!
//! `install` copies the program and writes its [`pieces`] below a root, this computer's or a package's;
//! it may be repeated, and never touches what an operator has written. It only writes files: which
//! commands make them count is told, and left to the operator. What a piece says is in `pieces`, how
//! shells complete our command lines in [`completion`].

pub mod completion;
pub mod pieces;

mod place;

use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::completion::Command;
use self::pieces::{LINKS, PIECES, UNIT_PREFIX};
use self::place::Place;
use crate::options::{CommandLine, Does, Offers, Opt, text};
use crate::output;

/// Where the configuration is looked for by the unit. It is the operator's, and never written.
const CONFIGURATION: &str = "/etc/heptapod-runner/paas-runner.toml";
/// Makes the user, and the folder of the configuration, and tells systemd of the unit.
const PREPARE: &str = "  \
systemd-sysusers heptapod-paas-runner.conf
  systemd-tmpfiles --create heptapod-paas-runner.conf
  systemctl daemon-reload
";
const WHAT_IS_LEFT: &str = "
The configuration, the state file and the service's user are left. As long as the state file tells of
jobs, their machines cost money: only the service deletes them.
";
const DOCUMENTATION: &str = "share/doc/heptapod-paas-runner";
/// Where units lie that systemd prefers to the one that is installed, the strongest first.
const STRONGER: [&str; 2] = ["/etc/systemd/system", "/usr/local/lib/systemd/system"];

/// The command `heptapod-paas-runner install`.
pub static COMMAND_LINE: CommandLine<Given> = CommandLine {
    program: "heptapod-paas-runner install",
    about: "\
Installs the program: itself and its second name, the manuals, completions for bash, zsh and fish, a
systemd unit with its user and folder, and a sample configuration. A configuration is never touched.
",
    operand: None,
    groups: &[(
        "Options",
        &[
            &Opt::new(
                "root",
                "below which folder [default: /]",
                Does::Take("DIR", |given: &mut Given, _, value| {
                    given.root = Some(value.into());
                    Ok(())
                }),
            )
            .offers(Offers::Folders),
            &Opt::new(
                "prefix",
                "where in it; packages say /usr [default: /usr/local]",
                Does::Take("DIR", |given: &mut Given, _, value| {
                    let prefix = text(value)?;
                    if !prefix.starts_with('/') {
                        return Err("--prefix must begin with /".into());
                    }
                    given.prefix = Some(prefix.trim_end_matches('/').to_owned());
                    Ok(())
                }),
            )
            .offers(Offers::Folders),
            &Opt::new(
                "remove",
                "remove what an installation has written",
                Does::Set(|given| given.action = Action::Remove),
            ),
            &Opt::new("help", "this text", Does::Help).short('h'),
            &Opt::new("version", "the version", Does::Version).short('V'),
        ],
    )],
    end: "\
Exit codes: 0 when all is there, 2 for a bad command line, 1 for other trouble.
",
    check: |_| Ok(()),
};

/// What the options say.
#[derive(Debug, Default)]
pub struct Given {
    root: Option<PathBuf>,
    prefix: Option<String>,
    action: Action,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Action {
    #[default]
    Install,
    Remove,
}

/// Runs it, to its exit code; `commands` are all that shells are to complete.
pub fn main(arguments: impl IntoIterator<Item = OsString>, commands: &[Command]) -> ExitCode {
    let given = match COMMAND_LINE.read(arguments) {
        Ok(given) => given,
        Err(exit_code) => return exit_code,
    };
    let root = given.root.unwrap_or_else(|| "/".into());
    let prefix = given.prefix.unwrap_or_else(|| UNIT_PREFIX.to_owned());
    let mut report = String::new();
    let done = match given.action {
        Action::Install => install(&root, &prefix, commands, &mut report),
        Action::Remove => remove(&root, &prefix, &mut report),
    };
    let printed = output::print(&report);
    match done {
        Ok(()) => printed,
        Err(why) => {
            output::complain(format_args!("{}: {why}", COMMAND_LINE.program));
            ExitCode::FAILURE
        }
    }
}

fn install(
    root: &Path,
    prefix: &str,
    commands: &[Command],
    report: &mut String,
) -> Result<(), String> {
    let program = env::current_exe().and_then(fs::read);
    let program = program.map_err(|error| format!("cannot read the program itself: {error}"))?;
    for place in places(root, prefix, program, commands) {
        let done = place.fill()?;
        let _ = writeln!(report, "{:9} {}", done.word(), place.path.display());
    }
    if root == Path::new("/") {
        *report += &what_comes_next(prefix);
    }
    Ok(())
}

fn remove(root: &Path, prefix: &str, report: &mut String) -> Result<(), String> {
    for place in places(root, prefix, Vec::new(), &[]) {
        let done = place.clear()?;
        let _ = writeln!(report, "{:9} {}", done.word(), place.path.display());
    }
    // It stays where something else is in it.
    let _ = fs::remove_dir(below(root, prefix, DOCUMENTATION));
    report.push_str(WHAT_IS_LEFT);
    Ok(())
}

/// All that an installation has, the program first.
fn places(root: &Path, prefix: &str, program: Vec<u8>, commands: &[Command]) -> Vec<Place> {
    let program = Place::program(below(root, prefix, "bin/heptapod-paas-runner"), program);
    let links = LINKS.map(|(path, target)| Place::link(below(root, prefix, path), target));
    let pieces = PIECES.iter().map(|piece| {
        let text = piece.text(prefix, commands);
        Place::text(below(root, prefix, piece.path), text)
    });
    [program].into_iter().chain(links).chain(pieces).collect()
}

fn below(root: &Path, prefix: &str, path: &str) -> PathBuf {
    root.join(prefix.trim_start_matches('/')).join(path)
}

fn what_comes_next(prefix: &str) -> String {
    let ours = format!("{prefix}/lib/systemd/system");
    let stronger = STRONGER.iter().take_while(|folder| **folder != ours);
    let mut text = String::new();
    for folder in stronger {
        let unit = format!("{folder}/heptapod-paas-runner.service");
        if Path::new(&unit).exists() {
            let _ = write!(
                text,
                "\n{unit} is another unit, which systemd prefers to {ours}/heptapod-paas-runner.service.\n\
                 Remove it; what you have changed belongs into `systemctl edit heptapod-paas-runner`.\n"
            );
        }
    }
    let then = if Path::new(CONFIGURATION).exists() {
        "  systemctl restart heptapod-paas-runner\n".to_owned()
    } else {
        format!(
            "  heptapod-paas-runner register {CONFIGURATION}\n  systemctl enable --now \
             heptapod-paas-runner\n"
        )
    };
    text + "\nNext:\n" + PREPARE + &then
}
