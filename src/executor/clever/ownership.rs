//! Which applications are ours. Names are no proof: another installation may serve the same runner,
//! a staging copy of the coordinator has the same job numbers, and a person can name anything. Each
//! application says in a variable who made it, from its creation on.

use super::{CleverDocker, Trouble};
use crate::clever::{Account, Application};
use crate::executor::Machine;

/// The variable.
pub(super) const MARK: &str = "HEPTAPOD_PAAS_RUNNER_INSTALLATION";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    ThisInstallation,
    /// The Python runner, or a person: there is no mark.
    Unmarked,
    AnotherInstallation,
}

impl CleverDocker {
    /// None, if it has gone by now.
    pub(super) fn maker_of(
        &self,
        account: &Account,
        application: &Application,
    ) -> Result<Option<Maker>, Trouble> {
        match self.api.variable(account, application, MARK) {
            Ok(Some(mark)) if mark == self.mark => Ok(Some(Maker::ThisInstallation)),
            Ok(Some(_)) => Ok(Some(Maker::AnotherInstallation)),
            Ok(None) => Ok(Some(Maker::Unmarked)),
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
            match self.maker_of(account, &application)? {
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
