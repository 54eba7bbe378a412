//! Whether a runner can serve a job: one that can't must not take any.
//!
//! What is looked at is what `--check` looks at, before the first request for a job, after something
//! was refused that concerns all jobs, and now and then. As long as something is bad no job is asked
//! for, which is told once, and it is looked at again and again, at least every minute. The jobs that
//! are here are none of its business: they go on.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::executor::Executor;
use crate::fact::{Fact, Verdict};
use crate::thread::lock;

/// While all is well.
const RENEWED_AFTER: Duration = Duration::from_secs(600);
/// While something is bad or unknown; if it is bad the first looks come sooner.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(60);

pub struct Health(Mutex<Known>);

struct Known {
    /// When it is time to look again; none: it was never looked.
    due: Option<Instant>,
    /// What is bad, as it was told.
    bad: Option<Fact>,
    pauses: Backoff,
}

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(Known {
            due: None,
            bad: None,
            pauses: Backoff::new(FIRST_LOOK, LOOKED_AT_AGAIN),
        }))
    }
}

impl Health {
    /// Whether a job may be asked for. May take as long as a few requests.
    ///
    /// # Errors
    /// The reason, which is in the log, and how long to wait before this is worth asking again.
    pub fn check(&self, executor: &dyn Executor) -> Result<(), (String, Duration)> {
        let mut known = lock(&self.0);
        let is_due = known.due.is_none_or(|due| due <= Instant::now());
        // A doubt is told once, so it is always asked for.
        let is_in_doubt = executor.is_in_doubt() && known.bad.is_none();
        if is_due || is_in_doubt {
            known.learn(&executor.probe());
        }
        let rest = known.due.unwrap_or_else(Instant::now);
        match &known.bad {
            Some(bad) => {
                let why = format!("{}: {bad}", bad.subject);
                Err((why, rest.saturating_duration_since(Instant::now())))
            }
            None => Ok(()),
        }
    }
}

impl Known {
    fn learn(&mut self, facts: &[Fact]) {
        let worst = facts.iter().find(|fact| fact.verdict == Verdict::Bad);
        let pause = match (worst, &self.bad) {
            (Some(worst), told) => {
                if told.as_ref() != Some(worst) {
                    let subject = &worst.subject;
                    log::error!(
                        "no job is taken: {subject}: {worst}; looking again at least every minute"
                    );
                }
                self.bad = Some(worst.clone());
                self.pauses.pause()
            }
            (None, Some(told)) if !is_good(facts, told) => self.pauses.pause(),
            (None, before) => {
                if let Some(told) = before {
                    log::info!("{} is well again: jobs are taken again", told.subject);
                }
                self.bad = None;
                self.pauses.succeeded();
                let is_unknown = |fact: &Fact| fact.verdict == Verdict::Unknown;
                if facts.iter().any(is_unknown) {
                    LOOKED_AT_AGAIN
                } else {
                    RENEWED_AFTER
                }
            }
        };
        self.due = Some(Instant::now() + pause);
    }
}

/// What was bad is not well as long as it can't be found out.
fn is_good(facts: &[Fact], told: &Fact) -> bool {
    let mut same = facts.iter().filter(|fact| fact.subject == told.subject);
    same.all(|fact| fact.verdict != Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Health, LOOKED_AT_AGAIN, RENEWED_AFTER};
    use crate::fact::Fact;
    use crate::thread::lock;

    #[test]
    fn what_is_bad_is_looked_at_every_minute_until_it_is_seen_to_be_well() {
        let health = Health::default();
        let mut known = lock(&health.0);
        let refused = || Fact::bad("organization", "refused", "check it");
        let silent = || Fact::unknown("organization", "no answer");
        let git = || Fact::good("git", "git 2.39");
        let well = || Fact::good("organization", "there");
        for (facts, is_bad, most) in [
            (vec![git(), silent()], false, LOOKED_AT_AGAIN),
            (vec![git(), refused()], true, LOOKED_AT_AGAIN),
            (vec![git(), silent()], true, LOOKED_AT_AGAIN),
            (vec![git(), refused()], true, LOOKED_AT_AGAIN),
            (vec![git(), well()], false, RENEWED_AFTER),
        ] {
            for _ in 0..12 {
                known.learn(&facts);
            }
            assert_eq!(known.bad.is_some(), is_bad, "{facts:?}");
            let due = known.due.unwrap().saturating_duration_since(Instant::now());
            assert!(due > most / 2 && due <= most, "{facts:?}: {due:?}");
        }
    }
}
