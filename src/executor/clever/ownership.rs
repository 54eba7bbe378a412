//! Which applications are ours. Names are no proof: another installation may serve the same runner,
//! a staging copy of the coordinator has the same job numbers, and a person can name anything. Each
//! application says in a variable who made it, from its creation on.
//!
//! That is no proof either: a copy of this computer makes the same mark. So another variable has the
//! job's own token, with which the coordinator can be asked what became of a job that nobody knows
//! here. It tells nothing new to whoever can read it: the job is in the application's repository.

use super::{CleverDocker, Trouble};
use crate::clever::{Account, Application};
use crate::executor::Machine;
use crate::payload::Payload;
use crate::secret::Secret;

const MARK: &str = "HEPTAPOD_PAAS_RUNNER_INSTALLATION";
const JOB_TOKEN: &str = "HEPTAPOD_PAAS_RUNNER_JOB_TOKEN";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    ThisInstallation,
    /// The Python runner, or a person: there is no mark.
    Unmarked,
    AnotherInstallation,
}

/// What an application tells of its beginning.
pub(super) struct Origin {
    pub maker: Maker,
    pub job_token: Option<Secret>,
}

impl CleverDocker {
    /// What a job's application gets as its environment.
    pub(super) fn environment_for(&self, payload: &Payload) -> Vec<(String, String)> {
        let token = payload.credentials.token.reveal();
        let own = [(MARK, self.mark.as_str()), (JOB_TOKEN, token)];
        let configured = self.settings.environment.iter();
        let configured = configured.map(|(name, value)| (name.as_str(), value.reveal()));
        let all = configured.chain(own);
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// None, if it has gone by now.
    pub(super) fn origin_of(
        &self,
        account: &Account,
        application: &Application,
    ) -> Result<Option<Origin>, Trouble> {
        let names = [MARK, JOB_TOKEN];
        match self.api.variables(account, application, names) {
            Ok([mark, job_token]) => Ok(Some(Origin {
                maker: match mark {
                    Some(mark) if mark == self.mark => Maker::ThisInstallation,
                    Some(_) => Maker::AnotherInstallation,
                    None => Maker::Unmarked,
                },
                job_token: job_token.map(Secret::new),
            })),
            Err(error) if error.is_not_there() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The applications of the machine's name that may be used and deleted as its own, oldest first.
    pub(super) fn own_of(
        &self,
        account: &Account,
        machine: &Machine,
    ) -> Result<Vec<Application>, Trouble> {
        let mut own = Vec::new();
        for application in self.api.find(account, |other| machine.name.is(other))? {
            let origin = self.origin_of(account, &application)?;
            match origin.map(|origin| origin.maker) {
                Some(Maker::ThisInstallation) => own.push(application),
                Some(Maker::Unmarked) if machine.may_lack_mark => own.push(application),
                Some(_) => log::warn!(
                    "application {} ({}) bears the name of this job's machine, but this \
                     installation didn't make it: it is left alone",
                    machine.name,
                    application.id
                ),
                None => {}
            }
        }
        Ok(own)
    }
}
