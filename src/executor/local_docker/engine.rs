//! What a Docker engine is asked to do, through the system's `docker` command.
//!
//! Every call is told the engine, and has an environment of its own: no context, builder
//! or host that a user once chose can lead it elsewhere. Only the logins of that user are left to
//! it, since the image of the inner runner may be a private one. Nothing here knows of jobs.
//!
//! What is there is learnt from lists, never from the texts of errors: those change between
//! versions, an empty list doesn't.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::config::LocalDockerSettings;
use crate::deadline::Deadline;
use crate::digest::random_hex;
use crate::process::{Task, Tool, ToolError};

/// A first build pulls the inner runner's image, which may be big and far away.
const BUILD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a container may take to tidy up before it is killed: its job's own containers are at
/// the same engine, and nobody but the inner runner knows which they are.
const GRACE_SECONDS: &str = "10";

const DOCKER: Tool = Tool {
    name: "docker",
    // Where programs and logins are.
    inherited: &["PATH", "HOME", "DOCKER_CONFIG", "LD_LIBRARY_PATH"],
    fixed: &[
        ("LC_ALL", "C"),
        // The newer builder keeps what it was given, the job's secrets included, in a cache that
        // outlives the image.
        ("DOCKER_BUILDKIT", "0"),
    ],
};

/// Where the inner runner looks for an engine.
const SOCKET_INSIDE: &str = "/var/run/docker.sock";

pub struct Engine(LocalDockerSettings);

/// A container that exists.
#[derive(Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was never started.
    Created,
    Running,
    /// It has run, and will not run again.
    Ended,
}

impl Engine {
    pub const fn new(settings: LocalDockerSettings) -> Self {
        Self(settings)
    }

    /// Whether somebody listens. Costs next to nothing.
    ///
    /// # Errors
    /// A text that says where, and what to check.
    pub fn check(&self) -> Result<(), String> {
        UnixStream::connect(&self.0.socket)
            .map(drop)
            .map_err(|error| self.unreachable(&error.to_string()))
    }

    /// All containers of the job that is called `name`: older programs made one of just that name.
    ///
    /// # Errors
    /// What docker said, on one line; so with the others.
    pub fn containers(&self, name: &str) -> Result<Vec<Container>, String> {
        // The name as a whole: by itself a filter finds every name that contains it.
        let plain = name.replace('.', "\\.");
        let filter = format!("--filter=name=^/{plain}(\\.[0-9a-f]+)?$");
        let found = self.list(&["ps", "--all", &filter, "--format=found {{.ID}} {{.Status}}"])?;
        Ok(found.iter().map(|line| Container::read(line)).collect())
    }

    /// Makes an image of the files in `folder`. Docker talks while it does: should we be killed, it
    /// can't get rid of its next words and ends, too, and with it the build.
    pub fn build(&self, name: &str, folder: &Path) -> Result<(), String> {
        let arguments = ["build", "--force-rm", "--tag", name, "."];
        let build = Task {
            deadline: Deadline::within(BUILD_TIMEOUT),
            ..Task::local(&arguments, folder)
        };
        self.docker(build).map(drop)
    }

    /// Makes a container of the job's image, which may use this engine. Gives back what it is
    /// called, as no other ever was or will be.
    pub fn create(&self, name: &str) -> Result<String, String> {
        let container = unique(name)?;
        let called = format!("--name={container}");
        let volume = format!("--volume={}:{SOCKET_INSIDE}", self.0.socket);
        // An image of this name comes from us or not at all.
        self.local(&["create", "--pull=never", &called, &volume, name])?;
        Ok(container)
    }

    /// `called` is a container's name, not its id: then [`Engine::discard`] can keep it from starting.
    pub fn start(&self, called: &str) -> Result<(), String> {
        self.local(&["start", called])
    }

    /// Removes a container that was listed as `Created`, if it was never started; then it never will
    /// be. False when it was started meanwhile; an error, too, may mean that.
    pub fn discard(&self, container: &Container, name: &str) -> Result<bool, String> {
        let id = container.id.as_str();
        // A start that comes to the engine from now on does not find its name.
        self.local(&["rename", id, &unique(name)?])?;
        // The engine works on one that came before, and lists show that late. This look waits for it.
        let format = "--format=found {{.State.Status}}";
        if self.list(&["inspect", "--type=container", format, id])? != ["created"] {
            return Ok(false);
        }
        // Without force what runs is not removed, and what is being removed can't be started.
        self.local(&["rm", "--volumes", id]).map(|()| true)
    }

    /// Asks the container to end, and kills it if it doesn't.
    pub fn stop(&self, container: &Container) -> Result<(), String> {
        self.local(&["stop", "-t", GRACE_SECONDS, &container.id])
    }

    /// Removes the container with what belongs to it alone.
    pub fn remove(&self, container: &Container) -> Result<(), String> {
        self.local(&["rm", "--force", "--volumes", &container.id])
    }

    /// What is called `name`, and what a build that was cut short left of it: all have [`label`].
    pub fn images(&self, name: &str) -> Result<Vec<String>, String> {
        let mut images = self.list(&["images", "--format=found {{.ID}}", name])?;
        let label = format!("--filter=label={}", label(name));
        images.extend(self.list(&["images", "--all", &label, "--format=found {{.ID}}"])?);
        Ok(images)
    }

    /// An image goes together with those that were only steps to it.
    pub fn remove_images(&self, images: &[String]) -> Result<(), String> {
        let mut arguments = vec!["rmi", "--force"];
        arguments.extend(images.iter().map(String::as_str));
        self.local(&arguments)
    }

    /// The entries of a list. Only lines that begin with `found` are one: docker may have warnings
    /// to tell, too.
    fn list(&self, arguments: &[&str]) -> Result<Vec<String>, String> {
        let output = self.docker(Task::local(arguments, Path::new("/")))?;
        let entries = output
            .lines()
            .filter_map(|line| line.strip_prefix("found "));
        Ok(entries.map(|entry| entry.trim().to_owned()).collect())
    }

    fn local(&self, arguments: &[&str]) -> Result<(), String> {
        let task = Task::local(arguments, Path::new("/"));
        self.docker(task).map(drop)
    }

    fn docker(&self, task: Task<'_>) -> Result<String, String> {
        // Before any context that a user chose.
        let host = vec![("DOCKER_HOST", self.0.host.as_str().into())];
        let task = Task {
            environment: host,
            ..task
        };
        DOCKER.run(task).map_err(|error| match &error {
            ToolError::Failed { said, .. } if tells_of_no_engine(said) => {
                self.unreachable(&error.to_string())
            }
            _ => format!("Docker engine at {}: {error}", self.0.host),
        })
    }

    fn unreachable(&self, why: &str) -> String {
        format!(
            "no Docker engine can be reached at {}: {why}; check that it runs, that `host` is \
             right, and that this program's user may use it (is it in the group `docker`?)",
            self.0.host
        )
    }
}

impl Container {
    fn read(line: &str) -> Self {
        let (id, status) = line.split_once(' ').unwrap_or((line, ""));
        let state = match status {
            "Created" => State::Created,
            status if status.starts_with("Exited") || status == "Dead" => State::Ended,
            _ => State::Running,
        };
        Self {
            id: id.to_owned(),
            state,
        }
    }
}

/// A name for a container of the job that is called `name`, which nothing had before.
fn unique(name: &str) -> Result<String, String> {
    let chance = random_hex(8).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(format!("{name}.{chance}"))
}

/// What is written on all that is built for `name`, unfinished images included: the job's secrets
/// are in them.
pub fn label(name: &str) -> String {
    format!("heptapod-paas-runner.job={name}")
}

/// Only for a better hint; nothing is decided by it.
fn tells_of_no_engine(output: &str) -> bool {
    [
        "Cannot connect to the Docker daemon",
        "permission denied while trying to connect",
    ]
    .iter()
    .any(|sign| output.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::{Engine, LocalDockerSettings};

    #[test]
    fn an_engine_that_is_not_there_is_named_with_what_to_check() {
        let engine = Engine::new(LocalDockerSettings {
            host: "unix:///nowhere/docker.sock".to_owned(),
            socket: "/nowhere/docker.sock".to_owned(),
        });
        let why = engine.check().unwrap_err();
        for part in ["unix:///nowhere/docker.sock", "No such file", "`host`"] {
            assert!(why.contains(part), "{why}");
        }
    }
}
