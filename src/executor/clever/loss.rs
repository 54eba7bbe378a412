//! What has become of a machine that nobody hears of.

use super::trouble::Trouble;
use super::{CleverDocker, words};
use crate::clever::Account;
use crate::executor::{Failure, Machine};

impl CleverDocker {
    /// What has happened to an application whose job was handed over, if that is certain. A list of
    /// machines that can't be found is an empty one; what exists is told by the application itself.
    pub(super) fn loss_of(
        &self,
        machine: &Machine,
        owner: &Account,
        id: &str,
    ) -> Result<Option<Failure>, Trouble> {
        let name = &machine.name;
        let machines = self.api.instances(owner, id);
        if matches!(machines, Ok(1..)) {
            return Ok(None);
        }
        match self.api.get(owner, id) {
            Ok(application) if application.is_going() => Ok(Some(words::deleted_by_hand(name))),
            Err(error) if error.is_not_there() => Ok(Some(words::deleted_by_hand(name))),
            Err(error) => Err(error.into()),
            Ok(_) => match machines {
                Ok(_) => {
                    let has_run = machine.history.seen_running.is_some();
                    let end = self.api.deployment_end(owner, id)?;
                    Ok(end.map(|end| {
                        if has_run {
                            words::ended_too_early(name)
                        } else {
                            words::never_started(name, end)
                        }
                    }))
                }
                Err(error) if error.is_not_there() => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }
}
