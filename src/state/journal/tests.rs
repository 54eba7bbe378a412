use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use proptest::prelude::*;

use super::{Budget, Change, Journal, read, replay};
use crate::job::{Job, Phase, Untold};
use crate::names::{JobKey, RunnerName};
use crate::payload::{FailureReason, Payload};
use crate::secret::Secret;
use crate::state::Tracked;
use crate::weight::Weight;

fn job(number: u64) -> Tracked {
    let runner = RunnerName::of(&Secret::new("glrt-TESTtoken0001"), "https://x", &[]);
    let payload =
        format!(r#"{{"id": {number}, "token": "token-{number}", "big": "{number:2000}"}}"#);
    let payload = Payload::parse(payload.as_bytes()).unwrap();
    Tracked {
        job: Job::granted(&runner, payload, Duration::from_secs(3600)),
        runner,
        section: Some("ci".to_owned()),
        weight: Weight::ONE,
    }
}

/// The next thing that happens to a job.
fn advanced(mut tracked: Tracked) -> Tracked {
    tracked.job.log_bytes += 1;
    tracked.job.phase = match tracked.job.phase {
        Phase::Pending(_) if tracked.job.log_bytes > 2 => Phase::Launched,
        Phase::Held(payload) | Phase::Pending(payload) => Phase::Pending(payload),
        Phase::Launched | Phase::Ended { .. } => Phase::Ended {
            untold: Some(Untold {
                words: "it is over".to_owned(),
                reason: FailureReason::RunnerSystemFailure,
            }),
        },
    };
    tracked
}

/// What must be known of each job.
fn known(tracked: &[Tracked]) -> BTreeSet<(JobKey, u64, String)> {
    let known = |tracked: &Tracked| {
        let phase = match &tracked.job.phase {
            Phase::Held(payload) => format!("held {}", payload.raw().get()),
            Phase::Pending(payload) => format!("pending {}", payload.raw().get()),
            Phase::Launched => "launched".to_owned(),
            Phase::Ended { untold } => format!("ended {untold:?}"),
        };
        (tracked.key(), tracked.job.log_bytes, phase)
    };
    tracked.iter().map(known).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A crash cuts what was being added at any byte.
    #[test]
    fn after_a_crash_every_job_is_as_it_was_before_a_change_or_after_it(
        before in 0_u64..3,
        steps in prop::collection::vec((0_usize..4, any::<bool>(), any::<prop::sample::Index>()), 1..24),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let whole: Vec<_> = (0..before).map(job).collect();
        let mut journal = Journal::at(path.clone());
        journal.begin_anew("first", whole.iter().map(Tracked::key).collect());
        let (mut now, mut next) = (whole.clone(), before);
        let mut history = vec![known(&now)];
        for (step, is_held, which) in steps {
            if now.is_empty() || step == 0 {
                let mut new = job(next);
                next += 1;
                if is_held {
                    new.job = new.job.held();
                }
                journal.add(&[Change::Is(&new)]).unwrap();
                now.push(new);
            } else {
                let which = which.index(now.len());
                if step == 1 {
                    let gone = now.swap_remove(which);
                    journal.add(&[Change::Gone(&gone.key())]).unwrap();
                } else {
                    now[which] = advanced(now[which].clone());
                    journal.add(&[Change::Is(&now[which])]).unwrap();
                }
            }
            history.push(known(&now));
        }
        let (name, text) = read(&path).unwrap().unwrap();
        prop_assert_eq!(name, "first");
        prop_assert_eq!(journal.length(), text.len() as u64);
        let mut all = whole.clone();
        replay(&text, &mut all);
        prop_assert_eq!(known(&all), history.last().unwrap().clone());

        let cut = &text[..cut.index(text.len() + 1)];
        let lines = String::from_utf8_lossy(cut).matches('\n').count();
        let mut left = whole;
        replay(cut, &mut left);
        prop_assert_eq!(known(&left), history[lines.saturating_sub(1)].clone());
    }

    #[test]
    fn nothing_that_may_stand_there_is_more_than_odd(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut tracked = vec![job(1)];
        replay(&text, &mut tracked);
        let odd = [b"{\"journal\":\"a\"}\n".to_vec(), text].concat();
        replay(&odd, &mut tracked);
        prop_assert!(!tracked.is_empty());
    }
}

#[test]
fn a_payload_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::at(folder.path().join("journal"));
    journal.begin_anew("first", BTreeSet::new());
    let new = job(1);
    journal.add(&[Change::Is(&new)]).unwrap();
    let first = journal.length();
    assert!(first > 2000, "{first}");
    journal.add(&[Change::Is(&new)]).unwrap();
    assert!(journal.length() - first < 1500, "{}", journal.length());
}

#[test]
fn what_can_not_be_added_is_for_the_whole_file_and_a_new_one_takes_the_place_of_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut journal = Journal::at(path.clone());
    let new = job(1);
    let changes = [Change::Is(&new)];
    assert!(
        journal.add(&changes).is_err(),
        "the state file has no name for it"
    );
    journal.begin_anew("first", BTreeSet::new());
    journal.add(&changes).unwrap();
    journal.begin_anew("second", BTreeSet::new());
    assert!(!path.exists() && journal.length() == 0);
    fs::create_dir(&path).unwrap();
    assert!(journal.add(&changes).is_err());
    assert!(
        journal.add(&changes).is_err(),
        "there may be a part of a line"
    );
    fs::remove_dir(&path).unwrap();
    journal.begin_anew("third", BTreeSet::new());
    journal.add(&changes).unwrap();
    assert_eq!(read(&path).unwrap().unwrap().0, "third");
    fs::remove_file(&path).unwrap();
    assert!(journal.add(&changes).is_err(), "it would be nowhere");
}

#[test]
fn what_is_written_whole_is_a_part_of_what_each_job_pays_for() {
    let mut budget = Budget::at_first();
    let size = 100 << 10;
    let mut whole = 0_u64;
    for _ in 0..1000 {
        budget.has_job();
        if budget.allows(0) {
            budget.written(size);
            whole += size;
        }
    }
    assert!(whole <= (128 << 10) + 1000 * (8 << 10), "{whole}");
    assert!(whole > 1000 * (7 << 10), "{whole}");
}
