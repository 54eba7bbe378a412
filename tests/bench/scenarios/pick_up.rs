//! Now and then a job, while there is nothing else to do: how soon it is taken, default settings.

use std::time::Duration;

use rig::{Setting, Step};

use super::{Scenario, default_configuration, job, setting};
use crate::figure::{Figure, SECONDS};
use crate::load::{Arrival, Load, Until};
use crate::mix::Chance;
use crate::seen::Seen;
use crate::statistics::{largest, median};

const JOBS: usize = 8;
/// As coordinators hold requests where they hold them.
const HELD: Duration = Duration::from_secs(50);
/// A new job comes at any moment between two requests.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(100);
const STEPS: u64 = 30;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        // Half a default check_interval.
        scenario("a coordinator that answers at once", None, 1.5),
        scenario(
            "a coordinator that holds requests (long polling)",
            Some(HELD),
            0.2,
        ),
    ]
}

fn scenario(coordinator: &str, long_poll: Option<Duration>, aim: f64) -> Scenario {
    let mut chance = Chance::default();
    let mut pause = || {
        let steps = u32::try_from(chance.below(STEPS)).unwrap_or_default();
        SHORTEST_PAUSE + STEP * steps
    };
    Scenario {
        name: "pick-up",
        title: format!("A new job now and then ({JOBS}), default settings, {coordinator}"),
        setting: Setting {
            long_poll,
            ..setting()
        },
        configuration: default_configuration(JOBS),
        load: Load {
            jobs: (1..=JOBS)
                .map(|number| job(&format!("new-{number}"), Duration::ZERO))
                .collect(),
            arrival: Arrival::Spaced((0..JOBS).map(|_| pause()).collect()),
            hold: None,
            until: Until::Taken,
        },
        figures: Box::new(move |seen| figures(seen, aim)),
    }
}

fn figures(seen: &Seen, aim: f64) -> Vec<Figure> {
    let waits = || seen.each(Step::Queued, Step::Granted);
    vec![
        Figure::new("a new job is taken after, median", SECONDS, median(waits())).at_most(aim),
        Figure::new(
            "a new job is taken after, at most",
            SECONDS,
            largest(waits()),
        ),
    ]
}
