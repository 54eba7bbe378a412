//! Jobs that end one after the other, default intervals: how soon their machines go, and how often they are
//! looked at until then.

use std::time::Duration;

use rig::Step;
use sandbox::coordinator::JobSpec;

use super::{Scenario, crowd_configuration, setting};
use crate::figure::{COUNT, Figure, RATE, SECONDS};
use crate::load::{Arrival, GATE, Load, Until};
use crate::seen::Seen;
use crate::statistics::{largest, median, most_within};

/// Besides as many as are wanted at once, where that is more.
const JOBS: [usize; 2] = [10, 100];
/// The ends are spread over this.
const SPREAD: Duration = Duration::from_secs(10);
/// For so long all run: each is looked at some times.
const HOLD: Duration = Duration::from_secs(10);

pub fn scenarios(jobs: usize) -> Vec<Scenario> {
    let more = (jobs > JOBS[1]).then_some(jobs);
    JOBS.into_iter().chain(more).map(scenario).collect()
}

fn scenario(jobs: usize) -> Scenario {
    let count = u32::try_from(jobs).unwrap_or(u32::MAX);
    Scenario {
        name: "ends",
        title: format!(
            "{jobs} running jobs that end within {} s, default intervals",
            SPREAD.as_secs()
        ),
        setting: setting(),
        configuration: crowd_configuration(jobs),
        load: Load {
            jobs: (0..count)
                .map(|number| held_job(number, SPREAD * number / count))
                .collect(),
            arrival: Arrival::AtOnce,
            hold: Some(HOLD),
            until: Until::Over,
        },
        figures: Box::new(figures),
    }
}

/// One that does nothing for so long once it is let go.
fn held_job(number: u32, duration: Duration) -> JobSpec {
    let script = format!(": <\"${GATE}\"; exec sleep {:.1}", duration.as_secs_f64());
    JobSpec::new(format!("ending-{number}"), [script]).flavor("XS")
}

fn figures(seen: &Seen) -> Vec<Figure> {
    let stays = || seen.each(Step::Finished, Step::Deleted);
    let all_run = seen.last(Step::Running);
    let calls = seen
        .calls
        .iter()
        .filter(|call| all_run.is_some_and(|all_run| call.at >= all_run));
    let busiest = most_within(Duration::from_secs(1), calls.map(|call| call.at).collect());
    vec![
        Figure::new(
            "a machine stays after its job's end, median",
            SECONDS,
            median(stays()),
        ),
        Figure::new(
            "a machine stays after its job's end, at most",
            SECONDS,
            largest(stays()),
        ),
        Figure::new(
            "HTTP requests per running job and minute, before the first end",
            RATE,
            seen.calls_per_running_job_and_minute(),
        ),
        Figure::new(
            "HTTP requests in one second, at most, once all run",
            COUNT,
            all_run.map(|_| busiest as f64),
        ),
    ]
}
