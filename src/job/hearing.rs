//! What is heard of a job, over its life: told to the administrator, and believed in the end.
//!
//! Trouble with a coordinator's answers is looked at every few seconds and may last for a night: it
//! is told when it begins and when it is over. And it keeps in mind for how long the coordinator has
//! refused the job while nothing else could be heard.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::coordinator::{Heard, Standing};

/// A replica that lags refuses what it does not know yet; GitLab asks none that lags by more than a
/// minute. A refusal for longer than that is the coordinator's last word, though it is the only one.
const LONGER_THAN_ANY_LAG: Duration = Duration::from_secs(5 * 60);

/// Replicas that are asked in the same moment lag in the same way. What two kinds of call say is the
/// last word only if they still say it after this.
pub const SETTLES_WITHIN: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Hearing {
    /// What has been told and is not over yet, by what it was that did not work.
    troubles: RefCell<BTreeMap<&'static str, Instant>>,
    refused_since: Cell<Option<Instant>>,
    refused_twice_since: Cell<Option<Instant>>,
}

impl Hearing {
    /// How the job stands, after all that was heard; `what` was tried.
    pub fn hear(&self, what: &'static str, heard: Heard) -> Standing {
        match &heard.trouble {
            Some(why) => self.trouble(what, why),
            None => self.works(what),
        }
        match heard.standing {
            Standing::Refused(why) => {
                let since = self.refused_since.get().unwrap_or_else(Instant::now);
                self.refused_since.set(Some(since));
                if since.elapsed() < LONGER_THAN_ANY_LAG {
                    return Standing::Refused(why);
                }
                let minutes = LONGER_THAN_ANY_LAG.as_secs() / 60;
                let why = format!("the coordinator has refused it for {minutes} minutes: {why}");
                log::warn!("{why}; nothing else could be heard");
                Standing::Over(why)
            }
            Standing::RefusedTwice(_) if self.is_refused_for_good() => {
                Standing::Over("it has finished, or is not ours any more".to_owned())
            }
            twice @ Standing::RefusedTwice(_) => twice,
            // That nothing is heard is no word against it.
            unknown @ Standing::Unknown(_) => unknown,
            known => {
                self.refused_since.set(None);
                self.refused_twice_since.set(None);
                known
            }
        }
    }

    /// Two kinds of call are refused: whether that has been so for long enough to be believed.
    pub fn is_refused_for_good(&self) -> bool {
        let since = self.refused_twice_since.get().unwrap_or_else(Instant::now);
        self.refused_twice_since.set(Some(since));
        since.elapsed() >= SETTLES_WITHIN
    }

    /// `what` did not work.
    pub fn trouble(&self, what: &'static str, why: &str) {
        let mut troubles = self.troubles.borrow_mut();
        if troubles.contains_key(what) {
            log::debug!("{what}: {why}");
            return;
        }
        troubles.insert(what, Instant::now());
        log::warn!("{what}: {why}; trying until it works");
    }

    /// `what` works, maybe again.
    pub fn works(&self, what: &'static str) {
        if let Some(since) = self.troubles.borrow_mut().remove(what) {
            let took = since.elapsed();
            log::info!("{what}: it works again, after {took:.0?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Hearing, LONGER_THAN_ANY_LAG, SETTLES_WITHIN};
    use crate::coordinator::{Heard, Standing};

    fn hear(hearing: &Hearing, standing: Standing) -> Standing {
        let trouble = None;
        hearing.hear("looking", Heard { standing, trouble })
    }

    #[test]
    fn a_lonely_refusal_is_believed_when_no_replica_can_lag_so_long() {
        let refused = || Standing::Refused("401".to_owned());
        let unknown = || Standing::Unknown("503".to_owned());
        let long_ago = Instant::now().checked_sub(LONGER_THAN_ANY_LAG);
        let hearing = Hearing::default();
        assert_eq!(hear(&hearing, refused()), refused());
        hearing.refused_since.set(long_ago);
        assert_eq!(hear(&hearing, Standing::Active), Standing::Active);
        assert_eq!(hear(&hearing, refused()), refused(), "it was contradicted");
        hearing.refused_since.set(long_ago);
        assert_eq!(hear(&hearing, unknown()), unknown(), "it is not said now");
        let over = hear(&hearing, refused());
        assert!(matches!(&over, Standing::Over(why) if why.contains("5 minutes")));
        let almost = long_ago.map(|at| at + Duration::from_secs(60));
        hearing.refused_since.set(almost);
        assert_eq!(hear(&hearing, refused()), refused());
    }

    #[test]
    fn two_refusals_in_one_moment_are_believed_when_they_are_repeated_later() {
        let twice = || Standing::RefusedTwice("401".to_owned());
        let hearing = Hearing::default();
        let a_while_ago = Instant::now().checked_sub(SETTLES_WITHIN);
        assert_eq!(hear(&hearing, twice()), twice());
        assert_eq!(hear(&hearing, twice()), twice(), "in the same moment");
        hearing.refused_twice_since.set(a_while_ago);
        assert_eq!(hear(&hearing, Standing::Active), Standing::Active);
        assert_eq!(hear(&hearing, twice()), twice(), "it was contradicted");
        hearing.refused_twice_since.set(a_while_ago);
        assert!(matches!(hear(&hearing, twice()), Standing::Over(_)));
    }
}
