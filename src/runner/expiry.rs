//! Watches the ends of what a runner needs: its own token, and the credentials with which its
//! machines are made.
//!
//! It looks as soon as the runner's coordinator answers, and then once a day, which changes nothing,
//! and warns in time. A service that does not tell is no trouble: then it is as if nobody looked. One
//! that is down is not asked, so that it is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::{Roster, Runner};
use crate::clock::Timestamp;
use crate::executor::Expiry;
use crate::logger::{self, Subject};
use crate::shutdown::{Stop, Stopped};
use crate::thread::lock;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days before an end on which it is warned of: a fortnight to get a new credential, and so many
/// chances to see the warning.
const WARNED_BEFORE: [u32; 4] = [1, 3, 7, 14];

/// What is watched.
pub struct Watch {
    pub runners: Roster,
    /// Each runner whose coordinator has answered, once.
    pub answered: Receiver<Arc<Runner>>,
    /// Top-level groups that had a job here of late.
    pub tenants: Arc<Mutex<BTreeSet<String>>>,
    pub stop: Stop,
}

/// One runner, when to look the next time, and what was told of it.
struct Watched {
    runner: Arc<Runner>,
    due: Instant,
    told: BTreeMap<String, u32>,
}

impl Watch {
    /// Looks until the service stops.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn run(&self) -> Result<(), Stopped> {
        let mut watched: Vec<Watched> = Vec::new();
        loop {
            let due = watched.iter().map(|it| it.due).min();
            let pause = due.map_or(DAY, |due| due.saturating_duration_since(Instant::now()));
            let answered = self.stop.wait_or(&self.answered, pause)?;
            watched.extend(answered.map(|runner| Watched {
                runner,
                due: Instant::now(),
                told: BTreeMap::new(),
            }));
            let today = self.runners.now();
            watched.retain(|it| today.iter().any(|runner| Arc::ptr_eq(runner, &it.runner)));
            for it in &mut watched {
                if it.due <= Instant::now() {
                    self.look(it);
                }
            }
        }
    }

    fn look(&self, it: &mut Watched) {
        logger::about(Subject::runner(&it.runner.name));
        let tenants = lock(&self.tenants).clone();
        let expiries = it.runner.expiries(it.runner.token_end(), &tenants);
        it.told = warn(&expiries, &it.told);
        *lock(&it.runner.expiries) = expiries;
        it.due = Instant::now() + DAY;
    }
}

/// Warns of each that has come nearer than was `told`. Gives back what is told by now.
fn warn(expiries: &[Expiry], told: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let near = expiries.iter().filter_map(|expiry| {
        let days = days_before(expiry.ends.rest())?;
        if told.get(&expiry.what) != Some(&days) {
            log::warn!("{expiry}");
        }
        Some((expiry.what.clone(), days))
    });
    near.collect()
}

/// The last of the days before an end that has come; 0 for what has ended.
fn days_before(rest: Option<Duration>) -> Option<u32> {
    let Some(rest) = rest else {
        return Some(0);
    };
    WARNED_BEFORE.into_iter().find(|days| rest <= DAY * *days)
}

impl Runner {
    /// What this runner needs and that ends, as far as that is told. Of its own token `own` was heard.
    #[must_use]
    pub fn expiries(&self, own: Option<Timestamp>, tenants: &BTreeSet<String>) -> Vec<Expiry> {
        let own = own.map(|ends| Expiry {
            what: "the runner's token (token)".to_owned(),
            ends,
            remedy: "reset it at the coordinator, in the runner's settings, and put the new one \
                     into the configuration"
                .to_owned(),
        });
        let of_executor = self.executor.expiries(tenants);
        own.into_iter().chain(of_executor).collect()
    }

    /// The same as it was told when it was last looked at.
    #[must_use]
    pub fn known_expiries(&self) -> Vec<Expiry> {
        lock(&self.expiries).clone()
    }

    /// When its token ends, if it does and the coordinator says so; older ones don't.
    fn token_end(&self) -> Option<Timestamp> {
        let (token, system_id) = (&self.identity.token, self.identity.system_id.as_str());
        match self.coordinator.verified(token, Some(system_id)) {
            Ok(verified) => verified.expires,
            Err(why) => {
                log::debug!("the coordinator does not tell when the runner's token ends: {why:?}");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::{DAY, days_before, warn};
    use crate::clock::Timestamp;
    use crate::executor::Expiry;

    #[test]
    fn an_end_is_near_at_fourteen_seven_three_and_one_days() {
        let moment = Duration::from_secs(1);
        for (rest, days) in [
            (DAY * 14 + moment, None),
            (DAY * 14, Some(14)),
            (DAY * 7 + moment, Some(14)),
            (DAY * 7, Some(7)),
            (DAY * 3, Some(3)),
            (DAY + moment, Some(3)),
            (DAY, Some(1)),
            (Duration::ZERO, Some(1)),
        ] {
            assert_eq!(days_before(Some(rest)), days, "{rest:?}");
        }
        assert_eq!(days_before(None), Some(0));
    }

    #[test]
    fn what_is_renewed_is_forgotten_and_told_when_it_comes_near_again() {
        let expiry = |days| Expiry {
            what: "a token".to_owned(),
            ends: Timestamp::of(Instant::now() + DAY * days),
            remedy: String::new(),
        };
        let told = warn(&[expiry(6)], &BTreeMap::new());
        assert_eq!(told, BTreeMap::from([("a token".to_owned(), 7)]));
        assert_eq!(warn(&[expiry(90)], &told), BTreeMap::new());
        assert_eq!(warn(&[], &told), BTreeMap::new());
    }
}
