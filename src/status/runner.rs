//! One runner, as it is shown: above all why it does not ask for jobs, if it doesn't.

use serde::{Deserialize, Serialize};

use super::{JobReport, Phase};
use crate::clock::Timestamp;
use crate::runner::Runner;
use crate::runner::standing::Doing;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunnerReport {
    pub name: String,
    /// The address of its coordinator.
    pub coordinator: String,
    pub does: Does,
    /// The same for people, with all that there is to say.
    pub reason: String,
    pub since: Timestamp,
    pub last_job: Option<Timestamp>,
    pub jobs: usize,
    pub weight: f64,
    /// All that it may use at once.
    pub weight_limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// It has not asked yet.
    Begin,
    /// It asks for jobs.
    Ask,
    /// There is no room, or none for it.
    Wait,
    /// Its jobs would fail.
    Refuse,
    /// Its coordinator is in trouble.
    Fail,
    /// No new jobs are taken.
    Drain,
}

/// What a service's state means for all of its runners.
pub(super) struct Known {
    pub is_draining: bool,
    pub knows_quota: bool,
}

impl RunnerReport {
    pub(super) fn of(runner: &Runner, jobs: &[JobReport], service: &Known) -> Self {
        let stand = runner.standing.now();
        let (does, reason) = match stand.doing {
            _ if service.is_draining => (Does::Drain, "takes no new jobs".to_owned()),
            Doing::Begins if service.knows_quota => (
                Does::Begin,
                "has not asked since the configuration was read; a request of before that may be \
                 under way"
                    .to_owned(),
            ),
            Doing::Begins => (
                Does::Begin,
                "has not asked yet: the weight of the reference flavor is being learnt".to_owned(),
            ),
            Doing::Asks => (
                Does::Ask,
                asking(stand.idle.map(|idle| idle.as_secs() / 3600)),
            ),
            Doing::Waits(why) => (Does::Wait, format!("does not ask: {why}")),
            Doing::CanNot(why) => (Does::Refuse, format!("takes no job: {why}")),
            Doing::Fails(why) => (Does::Fail, format!("its coordinator is in trouble: {why}")),
        };
        let own = jobs.iter().filter(|job| job.runner == runner.name);
        let weighing = own
            .clone()
            .filter(|job| job.phase != Phase::Held && job.phase != Phase::Telling);
        Self {
            name: runner.name.clone(),
            coordinator: runner.coordinator.url().to_owned(),
            does,
            reason,
            since: stand.since,
            last_job: stand.last_job,
            jobs: own.count(),
            // An empty sum would be less than nothing.
            weight: weighing.fold(0.0, |sum, job| sum + job.weight),
            weight_limit: runner.share.most().as_f64(),
        }
    }

    pub(super) fn is_in_trouble(&self) -> bool {
        matches!(self.does, Does::Refuse | Does::Fail)
    }
}

/// `hours` without a job, if that is long.
fn asking(hours: Option<u64>) -> String {
    match hours {
        None => "asks for jobs; there is none for it".to_owned(),
        Some(hours) => format!(
            "asks for jobs, and had none for {hours} h: is it paused there, or does no job that waits \
             have its tags?"
        ),
    }
}
