//! Sixty mixed jobs that want more than the quota has: how near to the best schedule it is filled, for one
//! runner and for three that share it.

use std::rc::Rc;
use std::time::Instant;

use rig::configuration::{QUICK_RUNNER, QUICK_SERVICE};
use rig::world::{self, LATENCIES};
use rig::{Configuration, Section, Setting, Step};
use sandbox::RunnerSpec;

use super::{Scenario, job, setting};
use crate::figure::{FACTOR, Figure, PERCENT, SECONDS};
use crate::load::{Arrival, Load, Until};
use crate::mix::{self, Chance, Mixed};
use crate::schedule::{self, Job, Room, Schedule, Stay};
use crate::seen::{Seen, until_running};

/// In every scenario so large a part of the quota, at most, for each of the three runners. One of them would
/// fit into it with the heaviest job.
const SHARE: f64 = 0.75;
/// Nothing but the quota is a limit.
const NO_LIMIT: &str = "concurrent = 100\npaas_max_concurrent_provisioning = 100\n";
/// Unlike one another in the first eight characters, by which the Python runner knows them.
const THREE: [(&str, &str); 3] = [
    ("one", "glrt-ONEoneONEoneONE0001"),
    ("two", "glrt-TWOtwoTWOtwoTWO0002"),
    ("three", "glrt-THRthrTHRthrTHR0003"),
];

pub fn scenarios() -> Vec<Scenario> {
    let quotas = [(8, "M"), (2, "3XL")];
    let alone = quotas.map(|quota| scenario(quota, false));
    let three = quotas.map(|quota| scenario(quota, true));
    alone.into_iter().chain(three).collect()
}

fn scenario(quota: (usize, &'static str), is_shared: bool) -> Scenario {
    let mixed = mix::jobs();
    let runners = if is_shared { THREE.len() } else { 1 };
    let owners = owners(mixed.len(), runners);
    let room = room(quota, is_shared, runners);
    let specs = mixed.iter().zip(&owners).enumerate();
    let specs = specs.map(|(number, (mixed, owner))| {
        let spec = job(&format!("mixed-{number}"), mixed.script).flavor(mixed.flavor);
        if is_shared {
            spec.tag(THREE[*owner].0)
        } else {
            spec
        }
    });
    let load = Load {
        jobs: specs.collect(),
        arrival: Arrival::AtOnce,
        hold: None,
        until: Until::Over,
    };
    let jobs: Vec<_> = mixed
        .iter()
        .zip(owners)
        .map(|(mixed, owner)| weighs(*mixed, owner))
        .collect();
    let (jobs, room) = (Rc::new(jobs), Rc::new(room));
    let (count, flavor) = quota;
    let whose = if is_shared {
        format!("three runners with {SHARE} each")
    } else {
        "one runner".to_owned()
    };
    Scenario {
        name: "fill",
        title: format!(
            "{} mixed jobs (XS to 3XL, 1 to 4 s), a quota of {count} `{flavor}`, {whose}",
            mixed.len()
        ),
        setting: if is_shared {
            shared_setting()
        } else {
            setting()
        },
        configuration: Configuration {
            service: format!("{QUICK_SERVICE}{NO_LIMIT}"),
            quota,
            runners: if is_shared {
                sections()
            } else {
                vec![Section::new(&lines())]
            },
        },
        load,
        figures: Box::new(move |seen| figures(seen, &jobs, &room)),
    }
}

/// Whose each job is.
fn owners(jobs: usize, runners: usize) -> Vec<usize> {
    let mut chance = Chance::default();
    let owners = (0..jobs).map(|_| chance.below(runners as u64));
    owners
        .map(|owner| usize::try_from(owner).unwrap_or_default())
        .collect()
}

fn weighs(mixed: Mixed, runner: usize) -> Job {
    Job {
        weight: mix::weight(mixed.flavor),
        runner,
        takes: until_running() + mixed.script + LATENCIES.deletion,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn room((count, flavor): (usize, &str), is_shared: bool, runners: usize) -> Room {
    let quota = mix::weight(flavor) * count as u64;
    let share = if is_shared { SHARE } else { 1.0 };
    let share = (quota as f64 * share).round() as u64;
    Room {
        quota,
        shares: vec![share; runners],
    }
}

fn lines() -> String {
    format!("{QUICK_RUNNER}{}", world::account())
}

fn sections() -> Vec<Section> {
    let section = |(name, token): (&str, &str)| Section {
        name: name.to_owned(),
        token: token.to_owned(),
        lines: format!("  quota_max_fraction = {SHARE}\n{}", lines()),
    };
    THREE.map(section).into()
}

fn shared_setting() -> Setting {
    let runner = |(name, token)| RunnerSpec::new(token).tags([name]).only_tagged();
    Setting {
        runners: THREE.map(runner).into(),
        ..setting()
    }
}

fn figures(seen: &Seen, jobs: &[Job], room: &Room) -> Vec<Figure> {
    let best = schedule::best(jobs, room);
    let best_end = best.as_ref().map(|best| best.end().as_secs_f64());
    let best_share = best.as_ref().and_then(Schedule::share_in_use);
    let done = done(seen, jobs, room);
    let share = done.as_ref().and_then(Schedule::share_in_use);
    let (end, idleness) = (
        done.as_ref().map(|done| done.end().as_secs_f64()),
        done.as_ref().map(Schedule::longest_idleness),
    );
    let percent = |share: f64| share * 100.0;
    vec![
        Figure::new(
            format!(
                "time to finish all ÷ the best in-order schedule ({:.1} s)",
                best_end.unwrap_or_default()
            ),
            FACTOR,
            end.zip(best_end).map(|(end, best)| end / best),
        )
        .at_most(1.05),
        Figure::new(
            format!(
                "quota in use while jobs wait (the best schedule: {:.0} %)",
                percent(best_share.unwrap_or_default())
            ),
            PERCENT,
            share.map(percent),
        )
        .at_least(90.0),
        Figure::new(
            "nothing is launched while the next job fits, at longest",
            SECONDS,
            idleness.map(|time| time.as_secs_f64()),
        )
        .at_most(2.0),
    ]
}

/// What came of it: a job weighs from the order for its machine until the machine is gone.
fn done<'a>(seen: &Seen, jobs: &'a [Job], room: &'a Room) -> Option<Schedule<'a>> {
    let begin = seen.first(Step::Queued)?;
    let since = |at: Instant| at.saturating_duration_since(begin);
    let stay = |job: &_| -> Option<Stay> {
        Some(Stay {
            from: since(seen.ordered(*job)?),
            until: since(seen.times.at(*job, Step::Gone)?),
        })
    };
    let stays: Option<Vec<_>> = seen.jobs.iter().map(stay).collect();
    stays.map(|stays| Schedule { jobs, room, stays })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_best_schedules_are_short_and_full_and_every_runner_has_jobs() {
        for quota in [(8, "M"), (2, "3XL")] {
            for runners in [1, THREE.len()] {
                let mixed = mix::jobs();
                let owners = owners(mixed.len(), runners);
                assert!((0..runners).all(|runner| owners.contains(&runner)));
                let mixed = mixed.into_iter().zip(owners);
                let jobs: Vec<_> = mixed.map(|(mixed, owner)| weighs(mixed, owner)).collect();
                let room = room(quota, runners > 1, runners);
                let best = schedule::best(&jobs, &room).expect("every job fits");
                let (end, share) = (best.end(), best.share_in_use().unwrap_or_default());
                assert!(end < Duration::from_secs(25), "{end:?}");
                assert!(share > 0.95, "{share}");
                assert_eq!(best.longest_idleness(), Duration::ZERO);
            }
        }
    }
}
