//! What a Docker engine is asked to do, through the system's `docker` command.
//!
//! Every call names the engine explicitly, and has an environment of its own: no context, builder
//! or host that a user once chose can lead it elsewhere. Only the logins of that user are left to
//! it, since the image of the inner runner may be a private one. Nothing here knows of jobs.
//!
//! What is there is learnt from lists, never from the texts of errors: those change between
//! versions, an empty list doesn't.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::config::LocalDockerSettings;
use crate::process::{self, Ended, Run};

/// A first build pulls the inner runner's image, which may be big and far away.
const BUILD_TIMEOUT: Duration = Duration::from_secs(600);
/// Everything else is local and takes seconds, even on a busy computer.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a container may take to tidy up before it is killed: its job's own containers are at
/// the same engine, and nobody but the inner runner knows which they are.
const GRACE_SECONDS: &str = "10";

/// The variables of our own environment that `docker` may see: where programs and logins are.
const INHERITED: [&str; 4] = ["PATH", "HOME", "DOCKER_CONFIG", "LD_LIBRARY_PATH"];

/// Where the inner runner looks for an engine.
const SOCKET_INSIDE: &str = "/var/run/docker.sock";

pub struct Engine(LocalDockerSettings);

/// A container that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
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

    /// # Errors
    /// What docker said, on one line; so with the others.
    pub fn container(&self, name: &str) -> Result<Option<Container>, String> {
        // The name as a whole: by itself a filter finds every name that contains it.
        let filter = format!("--filter=name=^/{name}$");
        let status = self.list(&["ps", "--all", &filter, "--format=found {{.Status}}"])?;
        Ok(status.first().map(|status| match status.as_str() {
            "Created" => Container::Created,
            status if status.starts_with("Exited") || status == "Dead" => Container::Ended,
            _ => Container::Running,
        }))
    }

    /// Makes an image of the files in `folder`. Docker talks while it does: should we be killed, it
    /// can't get rid of its next words and ends, too, and with it the build.
    pub fn build(&self, name: &str, folder: &Path) -> Result<(), String> {
        let arguments = ["build", "--force-rm", "--tag", name, "."];
        self.docker(&arguments, folder, BUILD_TIMEOUT).map(drop)
    }

    /// Makes a container of the image of the same name, which may use this engine.
    pub fn create(&self, name: &str) -> Result<(), String> {
        let called = format!("--name={name}");
        let volume = format!("--volume={}:{SOCKET_INSIDE}", self.0.socket);
        // An image of this name comes from us or not at all.
        self.local(&["create", "--pull=never", &called, &volume, name])
    }

    pub fn start(&self, name: &str) -> Result<(), String> {
        self.local(&["start", name])
    }

    /// Asks the container to end, and kills it if it doesn't.
    pub fn stop(&self, name: &str) -> Result<(), String> {
        self.local(&["stop", "-t", GRACE_SECONDS, name])
    }

    /// Removes the container with what belongs to it alone.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        self.local(&["rm", "--force", "--volumes", name])
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
        let output = self.docker(arguments, Path::new("/"), LOCAL_TIMEOUT)?;
        let entries = output
            .lines()
            .filter_map(|line| line.strip_prefix("found "));
        Ok(entries.map(|entry| entry.trim().to_owned()).collect())
    }

    fn local(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.docker(arguments, Path::new("/"), LOCAL_TIMEOUT);
        output.map(drop)
    }

    fn docker(
        &self,
        arguments: &[&str],
        folder: &Path,
        timeout: Duration,
    ) -> Result<String, String> {
        let all: Vec<&str> = ["--host", self.0.host.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let run = Run {
            program: "docker",
            arguments: &all,
            environment: &environment(),
            folder,
            input: Vec::new(),
            timeout,
            address_space: None,
            is_wanted: &|| true,
        };
        let what = arguments[0];
        match process::run(run) {
            Ok(Ended::Success(output)) => Ok(output),
            Ok(Ended::Failure { output, .. }) if tells_of_no_engine(&output) => {
                Err(self.unreachable(&last_words(&output)))
            }
            Ok(Ended::Failure { code, output }) => Err(format!(
                "docker {what} at {} ended with {code}: {}",
                self.0.host,
                last_words(&output)
            )),
            Ok(Ended::TimedOut | Ended::GivenUp) => Err(format!(
                "docker {what} at {} took longer than {} s",
                self.0.host,
                timeout.as_secs()
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err("cannot start docker: the command is not installed, or not in PATH".to_owned())
            }
            Err(error) => Err(format!("cannot run docker {what}: {error}")),
        }
    }

    fn unreachable(&self, why: &str) -> String {
        format!(
            "no Docker engine can be reached at {}: {why}; check that it runs, that `host` is \
             right, and that this program's user may use it (is it in the group `docker`?)",
            self.0.host
        )
    }
}

/// What is written on all that is built for `name`, unfinished images included: the job's secrets
/// are in them.
pub fn label(name: &str) -> String {
    format!("heptapod-paas-runner.job={name}")
}

fn environment() -> Vec<(OsString, OsString)> {
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let fixed = [
        ("LC_ALL", "C"),
        // The newer builder keeps what it was given, the job's secrets included, in a cache that
        // outlives the image.
        ("DOCKER_BUILDKIT", "0"),
    ];
    let fixed = fixed.map(|(name, value)| (name.into(), value.into()));
    inherited.chain(fixed).collect()
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

/// The end of the output, on one line: docker warns first and fails last.
fn last_words(output: &str) -> String {
    let words: Vec<_> = output.split_whitespace().collect();
    let line = words.join(" ");
    let skipped = line.chars().count().saturating_sub(600);
    line.chars().skip(skipped).collect()
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
