//! The real program at work in a small world of its own on loopback: what the demo and the bench
//! both stand on.
//!
//! It starts the sandbox, writes a configuration, has the program built, runs it as a process, and
//! says at the end whether all is as it must be. It knows the program only from outside: its
//! binary, its configuration, its signals. It may not know what is shown or measured.

pub mod belief;
pub mod configuration;
pub mod program;
pub mod show;
pub mod table;
pub mod times;
pub mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::coordinator::JobView;
use signal_hook::consts::{SIGINT, SIGTERM};

pub use crate::belief::Environment;
pub use crate::configuration::{Configuration, Section};
pub use crate::program::Program;
pub use crate::show::{Colour, Show};
pub use crate::times::{Step, Times};
pub use crate::world::{Setting, World};

/// How long the program may take until it asks for jobs.
const START_PATIENCE: Duration = Duration::from_secs(30);

const NOT_AS_IT_MUST: u8 = 1;
const NOT_UNDERSTOOD: u8 = 2;
/// As a shell says it of a Ctrl-C.
const INTERRUPTED: u8 = 130;

/// A world and the program in it. Both are gone when this is dropped.
pub struct Rig {
    pub program: Program,
    pub world: World,
    interrupted: Arc<AtomicBool>,
}

impl Rig {
    /// The program starts; `environment` is what it sees besides ours.
    ///
    /// # Errors
    /// In words, when it can't be started.
    pub fn start(
        world: World,
        binary: &Path,
        configuration: &Configuration,
        environment: Environment,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let configuration = configuration.render(&world);
        Ok(Self {
            program: Program::start(binary, &configuration, environment, world.folder())?,
            world,
            interrupted: Arc::clone(interrupted),
        })
    }

    /// # Errors
    /// When there is no use in waiting any longer: the program has ended, or somebody pressed Ctrl-C.
    pub fn check(&mut self) -> Result<(), String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        self.program.check()
    }

    /// Waits until the program has asked for a job so many times, and got none.
    ///
    /// # Errors
    /// In words, when that does not happen.
    pub fn await_requests(&mut self, count: usize) -> Result<(), String> {
        let until = Instant::now() + START_PATIENCE;
        let is_asking = |path: &str| path.ends_with("/jobs/request");
        while self.world.journal.count_requests("POST", is_asking) < count {
            self.check()?;
            if Instant::now() > until {
                return Err(format!(
                    "the program has not asked for jobs within {START_PATIENCE:.0?}"
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What is wrong with any job that is over, however it ended; each in words.
    #[must_use]
    pub fn problems_of(&self, job: &JobView) -> Vec<String> {
        let verdicts = job.verdicts().len();
        let applications = self.world.applications_of(job.id).len();
        let verdicts = (verdicts != 1)
            .then(|| format!("{}: it has {verdicts} verdicts instead of one", job.name));
        let applications =
            (applications > 1).then(|| format!("{}: it had {applications} applications", job.name));
        verdicts.into_iter().chain(applications).collect()
    }

    /// Ends it all where it stands, and says what the world complained about until then.
    #[must_use]
    pub fn abandon(self) -> Vec<String> {
        let complaints = self.complaints();
        // A request that is held would hold the program up.
        self.world.coordinator.suspend();
        drop(self.program);
        // What is left is of no interest, and lies in a temporary folder.
        let _ = self.world.end();
        complaints
    }

    fn complaints(&self) -> Vec<String> {
        let complaints = self.world.journal.complaints();
        let complaints = complaints.iter().map(|it| format!("complaint of {it}"));
        complaints.collect()
    }

    /// Stops the program and removes the world, and says what is not as it must be: what is left,
    /// and what the world complained about.
    #[must_use]
    pub fn end(self) -> Vec<String> {
        let left = self.world.clever.applications();
        let left = left
            .iter()
            .map(|it| format!("application {} is left", it.name));
        let mut problems: Vec<_> = left.chain(self.complaints()).collect();
        problems.extend(self.program.stop().err());
        problems.extend(self.world.end().err());
        problems
    }
}

/// The whole life of an example: `body`, and the exit code that says how it went.
///
/// 0: as it must, or `help` was asked for (no arguments). 1: not as it must. 2: what was asked for
/// was not understood. 130: interrupted.
pub fn run<T>(
    name: &str,
    help: &str,
    asked: Result<Option<T>, String>,
    body: impl FnOnce(T, &Arc<AtomicBool>) -> Result<(), String>,
) -> ExitCode {
    let asked = match asked {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            show::print(help);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&interrupted)) {
            eprintln!("{name}: cannot listen to signals: {error}");
        }
    }
    match body(asked, &interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupted.load(Ordering::Relaxed) => {
            eprintln!("{name}: interrupted; everything is stopped");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(NOT_AS_IT_MUST)
        }
    }
}

/// Says what went wrong, in red, or that nothing did.
///
/// # Errors
/// When something did.
pub fn conclude(show: &Show, problems: &[String]) -> Result<(), String> {
    show::print("");
    for problem in problems {
        show::print(&show.paint(Colour::Red, problem));
    }
    if !problems.is_empty() {
        return Err("not everything ended as it must".to_owned());
    }
    let elapsed = show.elapsed().as_secs_f64();
    let good = format!("Everything ended as it must, after {elapsed:.0} s.");
    show::print(&show.paint(Colour::Green, &good));
    Ok(())
}
