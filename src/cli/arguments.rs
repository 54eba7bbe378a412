//! What may stand on the service's command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::ValueExt;
use log::LevelFilter;

use super::commands;
use crate::config::{LONGEST_PAUSE, values};
use crate::install::pieces;
use crate::money::command::{By, Wish, month};
use crate::options::{CommandLine, Does, Offers, Operand, Opt, text, words};

/// The program `heptapod-paas-runner`. What must be installed besides the binary is in it: one file to
/// copy, nothing else to find.
pub static COMMAND_LINE: CommandLine<Arguments> = CommandLine {
    program: "heptapod-paas-runner",
    about: "\
Gives every CI job of a GitLab or Heptapod instance a Clever Cloud virtual machine of its own.
",
    operand: Some(Operand {
        name: "CONFIG",
        help: "the configuration file, paas-runner.toml",
        take: |arguments, path| arguments.config = path,
    }),
    groups: &[(
        "Options",
        &[
            &Opt::new(
                "logging-level",
                "DEBUG, INFO, WARNING or ERROR [default: `log_level`, INFO]",
                Does::Take("LEVEL", |arguments: &mut Arguments, _, value| {
                    let level = values::level(&text(value)?);
                    let level = level.map_err(|why| format!("the logging level {why}"))?;
                    arguments.level = Some(level);
                    Ok(())
                }),
            )
            .short('l')
            .offers(Offers::Words(|| words(&values::LEVELS))),
            &Opt::new(
                "status",
                "show what runs, why jobs wait and what is wrong, and leave",
                Does::Set(|arguments| arguments.status = true),
            ),
            &Opt::new(
                "watch",
                "with --status: again and again",
                Does::Set(|arguments| arguments.watch = true),
            ),
            &Opt::new(
                "reload",
                "let the service read its configuration again, if it is right",
                Does::Set(|arguments| arguments.reload = true),
            ),
            &Opt::new(
                "drain",
                "let the service take no new jobs, and wait for its end",
                Does::Set(|arguments| arguments.drain = true),
            ),
            &Opt::new(
                "check",
                "say what would not work, change nothing, and leave",
                Does::Set(|arguments| arguments.check = true),
            ),
            &Opt::new(
                "offline",
                "with --check: ask no service",
                Does::Set(|arguments| arguments.offline = true),
            ),
            &Opt::new(
                "json",
                "with --check, --status or --costs: for programs",
                Does::Set(|arguments| arguments.json = true),
            ),
            &Opt::new(
                "costs",
                "show what the jobs of a month have cost, and leave",
                Does::Set(|arguments| arguments.costs = true),
            ),
            &Opt::new(
                "month",
                "with --costs: such as 2026-11, in universal time [this one]",
                Does::Take("MONTH", |arguments: &mut Arguments, _, value| {
                    arguments.costs_wish.month = Some(month(&text(value)?)?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "by",
                "with --costs: group, project, user, flavor or runner [project]",
                Does::Take("WHAT", |arguments: &mut Arguments, _, value| {
                    arguments.costs_wish.by = text(value)?.parse()?;
                    Ok(())
                }),
            )
            .offers(Offers::Words(|| words(&By::ALL.map(|(name, _)| name)))),
            &Opt::new(
                "csv",
                "with --costs: for spreadsheets",
                Does::Set(|arguments| arguments.csv = true),
            ),
            &Opt::new(
                "orphans",
                "list the machines that nobody tracks, and leave",
                Does::Set(|arguments| arguments.orphans = true),
            ),
            &Opt::new(
                "delete",
                "with --orphans: remove those that this installation made",
                Does::Set(|arguments| arguments.delete = true),
            ),
            &Opt::new(
                "of-others",
                "with --orphans --delete: remove those that others made, too",
                Does::Set(|arguments| arguments.of_others = true),
            ),
            &Opt::new(
                "debug-signal",
                "deprecated: SIGUSR1 is always answered in the log",
                Does::Set(|_| {}),
            ),
            &Opt::new(
                "poll-cycles",
                "stop after N polling cycles (for tests)",
                Does::Take("N", |arguments, _, value| {
                    arguments.poll_cycles = Some(value.parse()?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "poll-interval",
                "deprecated: set `check_interval` in the configuration",
                Does::Take("N", |arguments, _, value| {
                    arguments.check_interval = Some(seconds(&value)?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "job-progress-poll-interval",
                "deprecated: set `job_progress_poll_interval`",
                Does::Take("N", |arguments, _, value| {
                    arguments.progress_interval = Some(seconds(&value)?);
                    Ok(())
                }),
            ),
            &Opt::new(
                "print",
                "print a piece of an installation: config, unit, man PAGE,\ncompletion SHELL, sysusers, tmpfiles, alerts or dashboard",
                Does::Show("WHAT", |words| pieces::print(words, &commands())),
            )
            .offers(Offers::Words(pieces::words)),
            &Opt::new(
                "print-config",
                "the same as --print config",
                Does::Print(pieces::CONFIG),
            ),
            &Opt::new(
                "print-unit",
                "the same as --print unit",
                Does::Print(pieces::UNIT),
            ),
            &Opt::new("help", "this text", Does::Help).short('h'),
            &Opt::new("version", "the version", Does::Version).short('V'),
        ],
    )],
    end: "\
Commands, each with a --help of its own:
  heptapod-paas-runner register   adds a runner to a configuration; it is the same as
                                  heptapod-paas-runner-register
  heptapod-paas-runner install    installs the program and all that belongs to it

Exit codes: 0 after SIGTERM, SIGINT or a drain, 2 for a bad configuration, 1 for other trouble at
start; with --check: 0 when nothing was found, 1 when something won't work, 2 when the file is
wrong; with --status, --reload, --drain and --costs: 0 when all is well or done, 1 without an
answer or when something is wrong, 2 when the file is wrong.
",
    check: |arguments| {
        if arguments.delete && !arguments.orphans {
            return Err("--delete goes with --orphans");
        }
        if arguments.of_others && !arguments.delete {
            return Err("--of-others goes with --orphans --delete");
        }
        if arguments.offline && !arguments.check {
            return Err("--offline goes with --check");
        }
        if arguments.json && !arguments.check && !arguments.status && !arguments.costs {
            return Err("--json goes with --check, --status or --costs");
        }
        let is_about_costs = arguments.csv || arguments.costs_wish != Wish::default();
        if is_about_costs && !arguments.costs {
            return Err("--month, --by and --csv go with --costs");
        }
        if arguments.csv && arguments.json {
            return Err("--csv and --json are two forms");
        }
        if arguments.watch && !arguments.status {
            return Err("--watch goes with --status");
        }
        let commands = [
            arguments.check,
            arguments.orphans,
            arguments.costs,
            arguments.status,
            arguments.reload,
            arguments.drain,
        ];
        if commands.iter().filter(|wanted| **wanted).count() > 1 {
            return Err("--check, --orphans, --costs, --status, --reload and --drain are six things");
        }
        Ok(())
    },
};

/// What the options say.
#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    pub config: PathBuf,
    pub level: Option<LevelFilter>,
    pub status: bool,
    pub watch: bool,
    pub reload: bool,
    pub drain: bool,
    pub costs: bool,
    pub costs_wish: Wish,
    pub csv: bool,
    pub check: bool,
    pub offline: bool,
    pub json: bool,
    pub orphans: bool,
    pub delete: bool,
    pub of_others: bool,
    pub poll_cycles: Option<u64>,
    pub check_interval: Option<Duration>,
    pub progress_interval: Option<Duration>,
}

fn seconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = value.parse()?;
    let time = Duration::try_from_secs_f64(seconds).ok();
    let longest = LONGEST_PAUSE.as_secs();
    time.filter(|time| *time <= LONGEST_PAUSE)
        .ok_or_else(|| format!("{seconds} is no number of seconds from 0 to {longest}").into())
}

#[cfg(test)]
mod tests {
    use super::{Arguments, COMMAND_LINE};
    use crate::options::Parsed;
    use log::LevelFilter;

    fn parsed(line: &str) -> Result<Parsed<Arguments>, String> {
        let arguments = line.split_whitespace().map(Into::into);
        COMMAND_LINE
            .parse(arguments)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_python_runner_is_understood() {
        let line = "--poll-interval 2 --job-progress-poll-interval=7 --poll-cycles 3 --debug-signal \
                    -l warning paas.toml";
        let Ok(Parsed::Run(arguments)) = parsed(line) else {
            panic!("not understood: {line}");
        };
        assert_eq!(arguments.config.to_str(), Some("paas.toml"));
        assert_eq!(arguments.poll_cycles, Some(3));
        assert_eq!(arguments.level, Some(LevelFilter::Warn));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("", "CONFIG is missing"),
            ("a b", "more than one CONFIG"),
            ("--tags a", "--tags"),
            ("--poll-cycles x a", "x"),
            ("--poll-interval -1 a", "-1"),
            ("-l loud a", "WARNING"),
            ("--delete a", "--orphans"),
            ("--orphans --of-others a", "--delete"),
            ("--json a", "--check"),
            ("--check --orphans a", "--orphans"),
            ("--watch a", "--status"),
            ("--month 2026-11 a", "--costs"),
            ("--costs --month 2026-13 a", "2026-13"),
            ("--costs --by hand a", "group, project"),
            ("--status --drain a", "--drain"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
