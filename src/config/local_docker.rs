//! The keys of a `local-docker` runner: which Docker engine on this computer runs its jobs.

use std::env;

use super::keys;
use super::written::Section;

/// Where an engine listens that was installed and left as it is.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

#[derive(Debug, PartialEq, Eq)]
pub struct LocalDockerSettings {
    /// The engine's address, as `docker --host` takes it.
    pub host: String,
    /// The path in that address: an engine's socket is all that a job's container needs of us.
    pub socket: String,
}

impl LocalDockerSettings {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let environment = env::var("DOCKER_HOST").unwrap_or_default();
        choose(section.text(&keys::HOST), environment).unwrap_or_else(|why| {
            section.problem_at(&keys::HOST, why);
            Self {
                host: DEFAULT_HOST.to_owned(),
                socket: String::new(),
            }
        })
    }
}

/// What is written counts more than the environment; what is empty says nothing.
fn choose(written: String, environment: String) -> Result<LocalDockerSettings, String> {
    let (source, host) = match (written.as_str(), environment.as_str()) {
        ("", "") => ("", DEFAULT_HOST.to_owned()),
        ("", _) => ("`host` is not set, and $DOCKER_HOST", environment),
        _ => ("`host`", written),
    };
    let socket = host.strip_prefix("unix://").map(str::to_owned);
    // Docker takes what stands behind a colon for the place in the container.
    match socket.filter(|path| path.starts_with('/') && !path.contains(':')) {
        Some(socket) => Ok(LocalDockerSettings { host, socket }),
        None => Err(format!(
            "{source} is {host:?}, but a `local-docker` runner needs the socket of a Docker engine \
             on this computer, such as \"{DEFAULT_HOST}\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_HOST, choose};
    use crate::config::keys::{HOST, Unwritten};

    fn chosen(written: &str, environment: &str) -> Result<(String, String), String> {
        let settings = choose(written.to_owned(), environment.to_owned())?;
        Ok((settings.host, settings.socket))
    }

    #[test]
    fn the_engine_is_the_written_one_or_the_environments_or_the_usual_one() {
        for (written, environment, socket) in [
            ("unix:///run/a.sock", "unix:///run/b.sock", "/run/a.sock"),
            ("", "unix:///run/b.sock", "/run/b.sock"),
            ("", "", "/var/run/docker.sock"),
        ] {
            let host = format!("unix://{socket}");
            assert_eq!(chosen(written, environment), Ok((host, socket.to_owned())));
        }
    }

    #[test]
    fn the_usual_one_is_the_one_that_the_manual_tells_of() {
        let Unwritten::Words(words) = HOST.unwritten else {
            panic!("it depends on the environment");
        };
        assert!(words.ends_with(DEFAULT_HOST), "{words}");
    }

    #[test]
    fn an_engine_elsewhere_is_refused_in_words_that_say_where_it_was_named() {
        for wrong in [
            "tcp://10.0.0.1:2375",
            "ssh://far",
            "unix://relative",
            "/run/a.sock",
        ] {
            let why = chosen(wrong, "").unwrap_err();
            assert!(why.starts_with("`host` is") && why.contains(wrong), "{why}");
        }
        let why = chosen("", "tcp://10.0.0.1:2375").unwrap_err();
        assert!(why.contains("$DOCKER_HOST is \"tcp://"), "{why}");
    }
}
