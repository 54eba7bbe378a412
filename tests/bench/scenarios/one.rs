//! Jobs on their own, one after the other: what a launch takes when nothing else is going on.

use std::time::Duration;

use rig::{Configuration, Step, world};

use super::{Scenario, job, milliseconds, setting};
use crate::figure::{Figure, MEBIBYTES, MILLISECONDS, SECONDS};
use crate::load::{Arrival, Load, Until};
use crate::seen::{Seen, until_running};
use crate::statistics::median;

const JOBS: usize = 4;

pub fn scenario() -> Scenario {
    Scenario {
        name: "one",
        title: format!("One job at a time ({JOBS}, medians)"),
        setting: setting(),
        configuration: Configuration::quick(1, &world::account()),
        load: Load {
            jobs: (1..=JOBS)
                .map(|number| job(&format!("single-{number}"), Duration::ZERO))
                .collect(),
            arrival: Arrival::OneByOne,
            hold: None,
            until: Until::Over,
        },
        figures: Box::new(figures),
    }
}

fn figures(seen: &Seen) -> Vec<Figure> {
    let launch = median(seen.launch_overheads()).map(milliseconds);
    let running = median(seen.each(Step::Granted, Step::Running));
    let idle = seen.process.as_ref().and_then(|process| process.idle);
    let answering = seen.answering_git().into_values();
    let answering = answering.map(|time| time.as_secs_f64()).collect();
    vec![
        Figure::new(
            "launch overhead: grant to push, what the sandbox imposes taken off",
            MILLISECONDS,
            launch,
        )
        .at_most(50.0),
        Figure::new(
            "the sandbox's git remote answering, taken off",
            MILLISECONDS,
            median(answering).map(milliseconds),
        ),
        Figure::new(
            format!(
                "grant to running (imposed: {:.2} s)",
                until_running().as_secs_f64()
            ),
            SECONDS,
            running,
        ),
        Figure::new("resident memory, idle", MEBIBYTES, idle.map(mebibytes)).at_most(4.0),
    ]
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
