//! Jobs in containers of a Docker engine on this computer: for trying things out, and for those
//! who have one big machine and trust their users.
//!
//! A job gets the same three files as at Clever Cloud, as an image of its own, and a container of
//! it that may use the engine. The image is called by the job's name, and a container by that name
//! and chance: so what belongs to a job is never in question, whichever process made it, and
//! whatever step a crash came after. Once a container of the job was started none is ever started
//! again.
//!
//! Two traps. A `docker start` outlives the process that wanted it, and may reach the engine at any
//! later time, when the container has run and ended, too: then the engine runs it again. So a
//! container is started by the process that made it and by no other, once, and the next one makes a
//! new container when the old one is certain never to start. And the inner runner's own containers
//! are beside it, not in it: it is asked to end before it is killed, so that it can remove them.

mod engine;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::value::to_raw_value;

use self::engine::{Engine, State, label};
use super::{Executor, Failure, Halt, Inventory, Machine, NoWeight, Patience, Resource};
use crate::backoff::Backoff;
use crate::config::LocalDockerSettings;
use crate::deploy::scratch::Scratch;
use crate::deploy::{BuildContext, InnerRunner};
use crate::fact::{Fact, Verdict};
use crate::names::{MachineName, RunnerName};
use crate::payload::{FailureReason, Payload};
use crate::weight::Weight;

/// All jobs weigh the same; the quota needs a flavor to count in.
const ONLY_FLAVOR: &str = crate::config::values::LOCAL_DOCKER_FLAVOR;

/// A build whose `docker` was killed ends at its next words, and what it made is listed then.
const BUILD_LAG: Duration = Duration::from_secs(10);

const LAUNCH_ATTEMPTS: u32 = 3;
const ENGINE: &str = "engine";

pub struct LocalDocker {
    engine: Engine,
    scratch: Scratch,
    inner: InnerRunner,
}

impl LocalDocker {
    /// Builds are prepared in `scratch`.
    #[must_use]
    pub const fn new(settings: LocalDockerSettings, scratch: Scratch, inner: InnerRunner) -> Self {
        Self {
            engine: Engine::new(settings),
            scratch,
            inner,
        }
    }

    /// From wherever an earlier try left off, to a container that was started once.
    fn start(&self, name: &Name, payload: &Payload) -> Result<(), String> {
        let name = &name.0;
        for container in self.engine.containers(name)? {
            if container.state != State::Created || !self.engine.discard(&container, name)? {
                log::warn!("a container of {name} was started before");
                return Ok(());
            }
        }
        let context = BuildContext::new(&self.inner, payload).labelled(&label(name));
        let folder = self
            .scratch
            .lay_out(name, context)
            .map_err(|error| format!("cannot write the files for the image: {error}"))?;
        self.engine.build(name, folder.path())?;
        drop(folder);
        let container = self.engine.create(name)?;
        self.engine.start(&container)
    }

    fn remove(&self, name: &Name) -> Result<(), String> {
        let name = &name.0;
        let mut said = Ok(());
        for container in self.engine.containers(name)? {
            if container.state == State::Running {
                // What can't be stopped is killed in the next step.
                let _ = self.engine.stop(&container);
            }
            said = said.and(self.engine.remove(&container));
        }
        let images = self.engine.images(name)?;
        if !images.is_empty() {
            said = said.and(self.engine.remove_images(&images));
        }
        if !self.engine.containers(name)?.is_empty() || !self.engine.images(name)?.is_empty() {
            said?;
            return Err(format!("{name} was removed, but something is still listed"));
        }
        Ok(())
    }
}

impl Executor for LocalDocker {
    fn describe(&self) -> String {
        "jobs run in containers of this computer's own Docker engine".to_owned()
    }

    fn probe(&self) -> Vec<Fact> {
        let fact = match self.engine.check() {
            Ok(()) => Fact::good(ENGINE, "the Docker engine answers"),
            Err(why) => Fact::new(ENGINE, Verdict::Bad, why),
        };
        vec![fact]
    }

    fn look_closer(&self, _: &BTreeSet<String>) -> Vec<Fact> {
        Vec::new()
    }

    /// Without an engine jobs are better left in the queue.
    fn is_in_doubt(&self) -> bool {
        self.engine.check().is_err()
    }

    fn weigh(&self, _: &Payload, _: &Machine) -> Option<Weight> {
        Some(Weight::ONE)
    }

    fn goes_by_tags(&self, _: &Payload, _: &Machine) -> bool {
        false
    }

    fn choose(&self, _: &mut Machine, _: &[String]) {}

    fn weigh_flavor(&self, flavor: &str) -> Result<Weight, NoWeight> {
        if flavor == ONLY_FLAVOR {
            return Ok(Weight::ONE);
        }
        Err(NoWeight::NotOffered(format!(
            "local-docker knows no sizes: the one flavor is {ONLY_FLAVOR:?}"
        )))
    }

    fn weights(&self) -> Result<RangeInclusive<Weight>, String> {
        Ok(Weight::ONE..=Weight::ONE)
    }

    fn provision(&self, machine: &mut Machine, _: &Payload, _: &dyn Patience) -> Result<(), Halt> {
        if machine.resource.is_some() {
            // The process before us may have been killed over a build that is still going on: in
            // the end there must be a second look.
            machine.may_be_unseen();
        } else {
            machine.created(Name::of(&machine.name).write(), None);
        }
        Ok(())
    }

    fn launch(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        let name = Name::known_or_own(machine).map_err(|why| not_started(&machine.name, &why))?;
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        loop {
            patience.wait(Duration::ZERO)?;
            let Err(why) = self.start(&name, payload) else {
                machine.handed_over(name.write());
                return Ok(());
            };
            let pause = backoff.pause();
            if backoff.failures() >= LAUNCH_ATTEMPTS {
                return Err(not_started(&machine.name, &why).into());
            }
            log::warn!("starting {}: {why}; trying again in {pause:.0?}", name.0);
            patience.wait(pause)?;
        }
    }

    fn is_lost(&self, machine: &Machine) -> Result<Option<Failure>, String> {
        let name = Name::known_or_own(machine)?;
        let containers = self.engine.containers(&name.0)?;
        let any_is = |state| containers.iter().any(|it| it.state == state);
        let has_ended = any_is(State::Ended) && !any_is(State::Running);
        Ok(has_ended.then(|| ended_too_early(&name)))
    }

    /// This engine is a developer's own, who sees its containers.
    fn machines(&self, _: &RunnerName, _: &BTreeSet<String>) -> Inventory {
        Inventory {
            left_out: Some("its containers are on this computer: `docker ps` tells of them"),
            ..Inventory::default()
        }
    }

    fn decommission(&self, machine: &Machine) -> Result<(), String> {
        let own = Name::of(&machine.name);
        let known = Name::known_or_own(machine)?;
        if known != own {
            self.remove(&known)?;
        }
        self.remove(&own)
    }

    fn listed_within(&self) -> Duration {
        BUILD_LAG
    }

    fn created_within(&self) -> Duration {
        BUILD_LAG
    }
}

/// What a job's image is called, and how the names of its containers begin.
#[derive(Debug, PartialEq, Eq)]
struct Name(String);

impl Name {
    /// Images have lower-case names, in which a run of hyphens separates but other signs in a row
    /// don't.
    fn of(machine: &MachineName) -> Self {
        let letters = machine.as_str().chars().map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '-',
        });
        Self(letters.collect())
    }

    /// The name that is remembered of a machine, else its own.
    ///
    /// # Errors
    /// As [`Name::read`].
    fn known_or_own(machine: &Machine) -> Result<Self, String> {
        let own = || Ok(Self::of(&machine.name));
        machine.resource.as_ref().map_or_else(own, Self::read)
    }

    /// The name in the state file, which the Python runner may have written: by rules of its own.
    ///
    /// # Errors
    /// A text when that is no name of a job's image: then it is something else that must not be
    /// forgotten.
    fn read(resource: &Resource) -> Result<Self, String> {
        let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.');
        let name: Option<String> = serde_json::from_str(resource.raw().get()).ok();
        // What else is there may be a secret: it is not quoted.
        name.filter(|name| name.starts_with("hpd-job-") && name.chars().all(plain))
            .map(Self)
            .ok_or_else(|| {
                "the state file has something else where the name of a local image should be; has \
                 this runner had another `executor` before? Let that one finish its jobs first"
                    .to_owned()
            })
    }

    fn write(&self) -> Resource {
        // A text always has a JSON form.
        Resource::new(to_raw_value(&self.0).unwrap_or_default())
    }
}

fn not_started(name: &MachineName, why: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: "The container for this job could not be started. Please retry it later, and tell \
               the runner's administrator if that does not help."
            .to_owned(),
        admin: format!("starting {name} in a local container: {why}"),
    }
}

fn ended_too_early(name: &Name) -> Failure {
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: "The job's container stopped without a result. It may have been out of memory: \
               please retry the job, and tell the runner's administrator if that does not help."
            .to_owned(),
        admin: format!(
            "its container {} has ended and the coordinator has no result; the engine's events and \
             this computer's kernel log may say why",
            name.0
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{MachineName, Name, Resource};
    use crate::names::{JobId, RunnerName};
    use crate::secret::Secret;

    fn resource(json: &str) -> Resource {
        Resource::new(RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn an_image_has_the_jobs_name_in_letters_that_docker_takes() {
        for (token, expected) in [
            ("kvzWdEMoTESTtoken000", "hpd-job-kvzwdemo-42"),
            ("_x-_.Y__rest-of-it", "hpd-job--x---y---42"),
        ] {
            let runner = RunnerName::of(&Secret::new(token), "https://here", &[]);
            let name = Name::of(&MachineName::of(&runner, JobId(42)));
            assert_eq!(name.0, expected);
            assert_eq!(name.write().raw().get(), format!("\"{expected}\""));
        }
    }

    #[test]
    fn what_the_state_file_tells_of_is_a_name_or_is_not_touched() {
        let read = |json: &str| Name::read(&resource(json)).map(|name| name.0);
        let pythons = "hpd-job-ab_cdefg-7";
        assert_eq!(read(&format!("\"{pythons}\"")), Ok(pythons.to_owned()));
        for other in [
            r#""--all""#,
            r#""postgres""#,
            r#""hpd-job-a b""#,
            r#"{"id":"app_1"}"#,
        ] {
            let why = read(other).unwrap_err();
            assert!(!why.contains(other) && why.contains("executor"), "{why}");
        }
    }
}
