//! `gitlab-runner exec-fetched-job`: does one job, and tells the coordinator. GitLab page, 2.6,
//! 3.5 and 4.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{never, select, tick};

use super::handover::Handover;
use super::payload::Job;
use super::script::{self, Mask};
use super::session::{End, Session, Wish};
use super::shell::Shell;
use super::{Machine, MachineBehaviour};
use crate::stop::Stopped;

/// `gitlab-runner` sends its log every 3 s.
const SEND_EVERY: Duration = Duration::from_millis(100);

/// A job's end, as it is reported.
pub(super) enum JobResult {
    Success,
    Failed {
        reason: &'static str,
        exit_code: Option<i32>,
        text: String,
    },
}

/// Does the job, unless it is not wanted any more. The machine's stop is the only error: whatever
/// else happens, the container ends.
pub(super) fn exec_fetched_job(machine: Machine<'_>, handover: &Handover) -> Result<(), Stopped> {
    let mut session = Session::new(machine, handover);
    match do_job(machine, handover, &mut session) {
        Ok(()) => Ok(()),
        Err(End::Stopped) => Err(Stopped),
        Err(End::Aborted) => {
            machine.note("the job is not wanted any more".to_owned());
            Ok(())
        }
        Err(End::Crashed(why)) => {
            machine.note(format!("the inner runner crashed: {why}"));
            Ok(())
        }
    }
}

fn do_job(machine: Machine<'_>, handover: &Handover, session: &mut Session<'_>) -> Result<(), End> {
    let behaviour = &machine.order.behaviour;
    let is_old = matches!(behaviour, MachineBehaviour::OldInnerRunner);
    if !is_old && session.greet()? == Wish::Cancel {
        return session.report(&canceled());
    }
    write_banner(machine, handover, session);
    if matches!(behaviour, MachineBehaviour::HangsInJob) {
        session.send()?;
        machine.stop.wait_for_it();
        return Err(End::Stopped);
    }
    let result = if has_docker(machine) {
        run_scripts(machine, &handover.job, session)?
    } else {
        JobResult::Failed {
            reason: "runner_system_failure",
            exit_code: None,
            text: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock".to_owned(),
        }
    };
    if matches!(behaviour, MachineBehaviour::ExitsWithoutReporting) {
        session.send()?;
        return Err(End::Crashed("killed".to_owned()));
    }
    session.log.write_line(&match &result {
        JobResult::Success => "\x1b[32;1mJob succeeded\x1b[0;m".to_owned(),
        JobResult::Failed { text, .. } => format!("\x1b[31;1mERROR: Job failed: {text}\n\x1b[0;m"),
    });
    session.report(&result)
}

fn canceled() -> JobResult {
    JobResult::Failed {
        reason: "job_canceled",
        exit_code: None,
        text: "canceled".to_owned(),
    }
}

/// Without this in the application's environment the machine's Docker can't be reached.
fn has_docker(machine: Machine<'_>) -> bool {
    let value = machine.order.env.get("CC_MOUNT_DOCKER_SOCKET");
    value.is_some_and(|value| value == "true")
}

fn write_banner(machine: Machine<'_>, handover: &Handover, session: &mut Session<'_>) {
    let Handover { job, name, .. } = handover;
    let short: String = (handover.runner_token.trim_start_matches("glrt-").chars())
        .take(9)
        .collect();
    let log = &mut session.log;
    log.write_line("\x1b[0KRunning with gitlab-runner 18.9.0 (heptapod)\x1b[0;m");
    log.write_line(&format!("\x1b[0K  on {name} {short}\x1b[0;m"));
    let title = |title: &str| format!("\x1b[0K\x1b[36;1m{title}\x1b[0;m");
    log.write_line(&title("Preparing the \"docker\" executor"));
    let image = job.image.as_ref();
    let image = image.map_or_else(
        || "alpine:latest".to_owned(),
        |image| job.expand(&image.name),
    );
    for service in job.services.iter().flatten() {
        let alias = service.alias.as_deref().unwrap_or("no alias");
        let name = job.expand(&service.name);
        log.write_line(&format!(
            "\x1b[0KStarting service {name} ({alias})...\x1b[0;m"
        ));
    }
    log.write_line(&format!(
        "\x1b[0KUsing Docker executor with image {image} ...\x1b[0;m"
    ));
    log.write_line(&title("Preparing environment"));
    log.write_line(&format!(
        "Running on runner-{short}-project-{}-concurrent-0 via {}...",
        job.project(),
        machine.order.name
    ));
    if let Some(git) = &job.git_info {
        let is_hg = git.repo_type.as_deref() == Some("hg");
        let (kind, commit) = if is_hg {
            ("Mercurial", &git.hgsha)
        } else {
            ("Git", &git.sha)
        };
        let commit: String = commit.iter().flat_map(|it| it.chars()).take(12).collect();
        log.write_line(&title(&format!("Getting source from {kind} repository")));
        log.write_line(&format!(
            "\x1b[32;1mChecking out {commit} as {}...\x1b[0;m",
            git.r#ref
        ));
    }
    log.write_line(&title("Executing \"step_script\" stage of the job script"));
}

/// The main script, then `after_script`, whose failure changes nothing.
fn run_scripts(
    machine: Machine<'_>,
    job: &Job,
    session: &mut Session<'_>,
) -> Result<JobResult, End> {
    let place = Place::prepare(machine, job).map_err(|error| End::Crashed(error.to_string()))?;
    let deadline = Instant::now() + job.timeout();
    let result = match run_script(&place, &job.main_script(), deadline, session)? {
        ScriptEnd::Exit(0) => JobResult::Success,
        ScriptEnd::Exit(code) => JobResult::Failed {
            reason: "script_failure",
            exit_code: Some(code),
            text: format!("exit code {code}"),
        },
        ScriptEnd::TimedOut => JobResult::Failed {
            reason: "job_execution_timeout",
            exit_code: None,
            text: format!("execution took longer than {:?}", job.timeout()),
        },
        ScriptEnd::Canceled => canceled(),
    };
    let after_script = job.after_script();
    if !after_script.is_empty() {
        session
            .log
            .write_line("\x1b[0K\x1b[36;1mRunning after_script\x1b[0;m");
        let deadline = Instant::now() + job.timeout();
        run_script(&place, &after_script, deadline, session)?;
    }
    Ok(result)
}

/// Where scripts run, and with what.
struct Place {
    folder: PathBuf,
    scripts: PathBuf,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Place {
    fn prepare(machine: Machine<'_>, job: &Job) -> io::Result<Self> {
        let folder = machine.order.disk.join("builds");
        let files = machine.order.disk.join("builds.tmp");
        fs::create_dir_all(&folder)?;
        fs::create_dir_all(&files)?;
        let mut place = Self {
            variables: vec![("CI_PROJECT_DIR".to_owned(), folder.display().to_string())],
            secrets: Vec::new(),
            scripts: files.clone(),
            folder,
        };
        for (variable, value) in job.resolved_variables() {
            if variable.masked {
                place.secrets.push(value.clone());
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !variable.key.chars().all(is_name) || value.contains('\0') {
                continue;
            }
            let value = if variable.file {
                let path = files.join(&variable.key);
                fs::write(&path, value)?;
                path.display().to_string()
            } else {
                value
            };
            place.variables.push((variable.key.clone(), value));
        }
        Ok(place)
    }
}

enum ScriptEnd {
    Exit(i32),
    TimedOut,
    Canceled,
}

/// Runs the lines to their end, or until somebody ends them, while the log goes out.
fn run_script(
    place: &Place,
    lines: &[String],
    deadline: Instant,
    session: &mut Session<'_>,
) -> Result<ScriptEnd, End> {
    let path = place.scripts.join("script.sh");
    let shell = fs::write(&path, script::render(lines))
        .and_then(|()| Shell::start(&path, &place.folder, place.variables.iter().cloned()))
        .map_err(|error| End::Crashed(error.to_string()))?;
    let mut mask = Mask::new(place.secrets.clone());
    let stop = session.stop().channel().clone();
    let death = session.death();
    let ticks = tick(SEND_EVERY);
    let mut output = shell.output.clone();
    loop {
        select! {
            recv(output) -> bytes => match bytes {
                Ok(bytes) => session.log.write(&mask.pass(&bytes)),
                // It closed its output and goes on.
                Err(_) => output = never(),
            },
            recv(shell.exit) -> code => {
                let last = mask.pass(&shell.last_output());
                session.log.write(&last);
                session.log.write(&mask.finish());
                return Ok(ScriptEnd::Exit(code.unwrap_or(1)));
            }
            recv(stop) -> _ => return Err(End::Stopped),
            recv(death) -> _ => return Err(End::Crashed("its machine died".to_owned())),
            recv(ticks) -> _ => {
                if session.send()? == Wish::Cancel {
                    session.log.write(&mask.finish());
                    return Ok(ScriptEnd::Canceled);
                }
                if Instant::now() >= deadline {
                    session.log.write(&mask.finish());
                    return Ok(ScriptEnd::TimedOut);
                }
            }
        }
    }
}
