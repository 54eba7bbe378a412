//! Many jobs at once, and room for all: what they cost the computer that the program runs on, and their users
//! in time.

use std::collections::BTreeSet;
use std::time::Duration;

use rig::Step;

use super::{Scenario, crowd_configuration, job, milliseconds, setting};
use crate::figure::{COUNT, FACTOR, Figure, KIBIBYTES, MEBIBYTES, MILLISECONDS, RATE};
use crate::load::{Arrival, Load, Until};
use crate::process::Used;
use crate::seen::{Process, Seen, until_running};
use crate::statistics::{median, percentile};

/// A crowd must last until all of it runs, but nobody waits longer than this.
const LONGEST: f64 = 60.0;
const SHORTEST: f64 = 2.0;
const PER_JOB: f64 = 0.4;

pub fn scenario(jobs: usize) -> Scenario {
    let seconds = (jobs as f64 * PER_JOB).clamp(SHORTEST, LONGEST).round();
    let duration = Duration::from_secs_f64(seconds);
    Scenario {
        name: "many",
        title: format!("{jobs} jobs of {seconds} s at once, room for all, default intervals"),
        setting: setting(),
        configuration: crowd_configuration(jobs),
        load: Load {
            jobs: (1..=jobs)
                .map(|number| job(&format!("many-{number}"), duration))
                .collect(),
            arrival: Arrival::AtOnce,
            hold: None,
            until: Until::Over,
        },
        figures: Box::new(move |seen| {
            let mut figures = times(seen, duration);
            figures.extend(costs(seen));
            figures.extend(network(seen));
            figures
        }),
    }
}

fn times(seen: &Seen, duration: Duration) -> Vec<Figure> {
    let least = (until_running() + duration).as_secs_f64();
    let all = seen.first(Step::Granted).zip(seen.last(Step::Finished));
    let all = all.map(|(first, last)| (last - first).as_secs_f64() / least);
    let overheads = || seen.launch_overheads();
    let answering = seen.answering_git().into_values();
    let answering = answering.map(|time| time.as_secs_f64()).collect();
    vec![
        Figure::new(
            "launch overhead, what the sandbox imposes taken off, median",
            MILLISECONDS,
            median(overheads()).map(milliseconds),
        ),
        Figure::new(
            "the same, 95th percentile",
            MILLISECONDS,
            percentile(overheads(), 0.95).map(milliseconds),
        )
        .at_most(300.0),
        Figure::new(
            "the sandbox's git remote answering, taken off, median",
            MILLISECONDS,
            median(answering).map(milliseconds),
        ),
        Figure::new(
            "from the first taken to the last end ÷ (a job and its boot)",
            FACTOR,
            all,
        )
        .at_most(1.15),
    ]
}

fn costs(seen: &Seen) -> Vec<Figure> {
    let process = seen.process.as_ref();
    let used = process.and_then(|process| process.used);
    let sandbox = process.and_then(|process| process.used_by_sandbox);
    let processor = |time: Duration| seen.per_job(milliseconds(time.as_secs_f64()));
    let all = |used: Used| used.own + used.by_children;
    let memory = |of: fn(&Process) -> Option<u64>| process.and_then(of).map(|size| size as f64);
    let (idle, running) = (
        memory(|process| process.idle),
        memory(|process| process.running),
    );
    let more = running
        .zip(idle)
        .and_then(|(running, idle)| seen.per_job(running - idle));
    let peak = memory(|process| process.peak);
    vec![
        Figure::new(
            "processor per job, git and watching included",
            MILLISECONDS,
            used.map(all).and_then(processor),
        )
        .at_most(25.0),
        Figure::new(
            "of that, the program itself",
            MILLISECONDS,
            used.and_then(|used| processor(used.own)),
        ),
        Figure::new(
            "beside it, the sandbox and its machines, on the same processors",
            MILLISECONDS,
            sandbox.map(all).and_then(processor),
        ),
        Figure::new(
            "resident memory, idle",
            MEBIBYTES,
            idle.map(|size| size / 1024.0),
        )
        .at_most(4.0),
        Figure::new(
            "resident memory, at most",
            MEBIBYTES,
            peak.map(|size| size / 1024.0),
        )
        .at_most(12.0),
        Figure::new("resident memory for each running job", KIBIBYTES, more).at_most(64.0),
        Figure::new(
            "written to files per job, git included",
            KIBIBYTES,
            used.and_then(|used| seen.per_job(used.written as f64 / 1024.0)),
        ),
        Figure::new(
            "of that, not gone before it reached the disk",
            KIBIBYTES,
            used.and_then(|used| {
                let kept = used.written.saturating_sub(used.cancelled);
                seen.per_job(kept as f64 / 1024.0)
            }),
        )
        .at_most(60.0),
    ]
}

fn network(seen: &Seen) -> Vec<Figure> {
    let calls = || seen.calls.iter().filter(|call| !call.is_by_git());
    let is_known = !seen.calls.is_empty();
    let known = |count: usize| is_known.then_some(count as f64);
    let connections: BTreeSet<_> = calls()
        .map(|call| (call.source.to_string(), call.connection))
        .collect();
    let requests = known(calls().count());
    vec![
        Figure::new(
            "HTTP requests per job, from queue to deletion",
            RATE,
            requests.and_then(|requests| seen.per_job(requests)),
        ),
        Figure::new(
            "HTTP requests per running job and minute",
            RATE,
            seen.calls_per_running_job_and_minute(),
        ),
        Figure::new(
            "connections opened in all, git's apart",
            COUNT,
            known(connections.len()),
        ),
    ]
}
