//! A queue of jobs, with room for all of them and default settings: how soon they are taken and on their way.

use std::time::{Duration, Instant};

use rig::Step;

use super::{Scenario, default_configuration, job, setting};
use crate::figure::{COUNT, Figure, RATE, SECONDS};
use crate::load::{Arrival, Load, Until};
use crate::seen::Seen;
use crate::statistics::most_at_once;

const JOBS: usize = 20;

pub fn scenario() -> Scenario {
    Scenario {
        name: "take",
        title: format!("{JOBS} waiting jobs, default settings, room for all"),
        setting: setting(),
        configuration: default_configuration(JOBS),
        load: Load {
            jobs: (1..=JOBS)
                .map(|number| job(&format!("waiting-{number}"), Duration::from_secs(2)))
                .collect(),
            arrival: Arrival::AtOnce,
            hold: None,
            until: Until::Pushed,
        },
        figures: Box::new(figures),
    }
}

fn figures(seen: &Seen) -> Vec<Figure> {
    let first = seen.first(Step::Granted);
    let since_first = |at: Option<Instant>| Some((at? - first?).as_secs_f64());
    let span = |job| Some((seen.ordered(job)?, seen.times.at(job, Step::Pushed)?));
    let launches: Vec<_> = seen.jobs.iter().filter_map(|job| span(*job)).collect();
    let at_once = (!launches.is_empty()).then(|| most_at_once(&launches) as f64);
    let started = seen.process.as_ref().map(|process| process.started as f64);
    vec![
        Figure::new(
            "from the first taken to the last taken",
            SECONDS,
            since_first(seen.last(Step::Granted)),
        )
        .at_most(1.0),
        Figure::new(
            "from the first taken to the last pushed",
            SECONDS,
            since_first(seen.last(Step::Pushed)),
        ),
        Figure::new("launches side by side, at most", COUNT, at_once).at_least(10.0),
        // Git starts one more itself.
        Figure::new(
            "git processes started per job (not those that git starts)",
            RATE,
            started.and_then(|started| seen.per_job(started)),
        )
        .at_most(2.0),
    ]
}
