use std::ops::RangeInclusive;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Admission, Full, Limits, Part, Quota, Reservation, Share, Usage};
use crate::weight::Weight;

const LIMITS: Limits = Limits {
    jobs: 100,
    launching: 100,
    holds: true,
};
const WHOLE: Part = Part {
    jobs: usize::MAX,
    fraction: 1.0,
    fraction_per_group: 1.0,
};

fn quota(weight: u64, limits: Limits) -> Arc<Quota> {
    let quota = Quota::new(limits);
    quota.set_limit(Weight::ONE * weight);
    quota
}

fn part(fraction: f64) -> Part {
    Part { fraction, ..WHOLE }
}

fn weights(from: u64, to: u64) -> RangeInclusive<Weight> {
    Weight::ONE * from..=Weight::ONE * to
}

fn ask(share: &Share) -> Result<Reservation, Full> {
    share.ask(&weights(1, 10))
}

fn granted(share: &Share, weight: u64) -> Reservation {
    granted_to(share, weight, None)
}

fn granted_to(share: &Share, weight: u64, group: Option<&str>) -> Reservation {
    let mut reservation = ask(share).ok().unwrap();
    reservation.granted(Weight::ONE * weight, group);
    reservation
}

fn is_held(reservation: &Reservation) -> bool {
    reservation.admission() == Admission::Held
}

#[test]
fn a_job_that_does_not_fit_is_held_and_its_runner_asks_no_more() {
    let quota = quota(10, LIMITS);
    let (one, other) = (quota.share(WHOLE), quota.share(WHOLE));
    let first = granted(&one, 7);
    assert_eq!(first.admission(), Admission::Admitted);
    let second = granted(&one, 4);
    assert!(is_held(&second));
    assert_eq!(ask(&one).err(), Some(Full::Held));
    let in_use = Usage {
        weight: Weight::ONE * 7,
        jobs: 2,
        launching: 1,
    };
    assert_eq!(
        quota.snapshot().in_use,
        in_use,
        "it is a job without a weight"
    );
    assert!(ask(&other).is_ok());
    drop(first);
    assert_eq!(second.changed().try_recv(), Ok(()));
    assert_eq!(second.admission(), Admission::Admitted);
    assert_eq!(quota.weight(), Weight::ONE * 4);
    drop(second);
    assert_eq!(quota.snapshot().reserved, Usage::default());
}

#[test]
fn who_came_first_has_its_room_first_and_small_jobs_pass_only_where_that_delays_nobody() {
    let quota = quota(10, LIMITS);
    let [a, b, c] = [(); 3].map(|()| quota.share(WHOLE));
    let six = granted(&a, 6);
    let heavy = granted(&b, 8);
    assert!(is_held(&heavy));
    // When the six end there are ten: enough for the eight and two more.
    assert!(!is_held(&granted(&c, 2)));
    let two = granted(&c, 2);
    assert_eq!(
        ask(&c).err(),
        Some(Full::Weight),
        "another one would delay it"
    );
    drop(six);
    assert_eq!(heavy.admission(), Admission::Admitted);
    assert_eq!(two.admission(), Admission::Admitted);
}

#[test]
fn a_job_that_waits_for_its_runners_part_keeps_no_other_runner_from_the_rest() {
    let quota = quota(10, LIMITS);
    let (half, whole) = (quota.share(part(0.5)), quota.share(WHOLE));
    let _four = granted(&half, 4);
    let waiting = granted(&half, 5);
    assert!(is_held(&waiting));
    let _five = granted(&whole, 5);
    assert_eq!(
        ask(&whole).err(),
        Some(Full::Weight),
        "what the first one gets at last"
    );
}

#[test]
fn a_group_has_its_part_of_a_runners_part() {
    let quota = quota(10, LIMITS);
    let share = quota.share(Part {
        fraction_per_group: 0.4,
        ..WHOLE
    });
    let acme = granted_to(&share, 3, Some("acme"));
    assert!(!is_held(&granted_to(&share, 3, Some("other"))));
    let more = granted_to(&share, 2, Some("acme"));
    assert!(is_held(&more));
    drop(acme);
    assert!(!is_held(&more));
    drop(more);
    let too_heavy = granted_to(&share, 5, Some("acme"));
    let most = Weight::ONE * 4;
    assert_eq!(too_heavy.admission(), Admission::TooHeavy { most });
}

#[test]
fn what_is_only_asked_for_keeps_nobody_from_anything_but_a_place() {
    let limits = Limits { jobs: 3, ..LIMITS };
    let quota = quota(10, limits);
    let (idle, busy) = (quota.share(WHOLE), quota.share(WHOLE));
    let asking = ask(&idle).ok().unwrap();
    assert!(idle.leaves_room_for_others());
    let all = granted(&busy, 10);
    assert_eq!(all.awaited_among(), None);
    assert_eq!(ask(&busy).err(), Some(Full::Weight));
    assert_eq!(all.awaited_among(), Some(1));
    drop(asking);
    assert_eq!(busy.room().try_recv(), Ok(()));
    busy.waits_no_more();
    assert_eq!(all.awaited_among(), None);
    let _places = [(); 2].map(|()| busy.take_over(Weight::ZERO, None));
    assert_eq!(ask(&idle).err(), Some(Full::Jobs));
}

#[test]
fn a_runners_limit_counts_its_jobs_held_ones_too_and_not_those_of_others() {
    let quota = quota(10, LIMITS);
    let (few, many) = (quota.share(Part { jobs: 2, ..WHOLE }), quota.share(WHOLE));
    let running = granted(&few, 8);
    let held = granted(&few, 5);
    assert!(is_held(&held));
    drop(running);
    assert!(!is_held(&held));
    let other = granted(&few, 1);
    assert_eq!(ask(&few).err(), Some(Full::Limit(2)));
    let theirs = [(); 3].map(|()| granted(&many, 1));
    assert_eq!(ask(&few).err(), Some(Full::Limit(2)));
    drop(theirs);
    drop(other);
    assert_eq!(few.room().try_recv(), Ok(()), "told that there is room");
    assert!(ask(&few).is_ok());
    let _taken_over = few.take_over(Weight::ZERO, None);
    assert_eq!(ask(&few).err(), Some(Full::Limit(2)), "from the state file");
}

#[test]
fn runners_that_wait_for_a_place_have_their_turns_one_after_the_other() {
    let quota = quota(100, Limits { jobs: 1, ..LIMITS });
    let (flood, other) = (quota.share(WHOLE), quota.share(WHOLE));
    for _ in 0..3 {
        let job = granted(&flood, 1);
        assert_eq!(ask(&flood).err(), Some(Full::Jobs));
        assert_eq!(ask(&other).err(), Some(Full::Jobs));
        drop(job);
        assert_eq!(
            ask(&flood).err(),
            Some(Full::Jobs),
            "it is the other one's turn"
        );
        let job = granted(&other, 1);
        assert_eq!(ask(&flood).err(), Some(Full::Jobs));
        assert_eq!(ask(&other).err(), Some(Full::Jobs));
        drop(job);
        assert_eq!(flood.room().try_recv(), Ok(()));
    }
    // Who doesn't come keeps nobody.
    let job = granted(&flood, 1);
    assert_eq!(ask(&other).err(), Some(Full::Jobs));
    drop(job);
    assert_eq!(ask(&flood).err(), Some(Full::Jobs));
    assert!(ask(&flood).is_ok());
}

#[test]
fn a_place_that_a_runner_can_not_use_is_told_on_once() {
    let quota = quota(10, Limits { jobs: 2, ..LIMITS });
    let (flood, small) = (quota.share(WHOLE), quota.share(part(0.5)));
    let first = [granted(&flood, 1), granted(&small, 5)];
    for share in [&flood, &small] {
        assert_eq!(ask(share).err(), Some(Full::Jobs));
    }
    let [of_flood, _of_small] = first;
    drop(of_flood);
    // Its part is full.
    assert_eq!(ask(&small).err(), Some(Full::Share));
    for _ in 0..2 {
        while flood.room().try_recv().is_ok() || small.room().try_recv().is_ok() {}
        assert_eq!(ask(&small).err(), Some(Full::Share));
        assert!(
            small.room().try_recv().is_err(),
            "it would wake itself for ever"
        );
    }
    assert!(ask(&flood).is_ok());
}

#[test]
fn launches_have_turns_in_the_order_of_arrival() {
    let limits = Limits {
        launching: 1,
        ..LIMITS
    };
    let quota = quota(10, limits);
    let share = quota.share(WHOLE);
    let [first, second, third] = [(); 3].map(|()| granted(&share, 1));
    assert_eq!(first.admission(), Admission::Admitted);
    assert_eq!(second.admission(), Admission::Queued);
    first.launched();
    assert_eq!(second.admission(), Admission::Admitted);
    assert_eq!(third.admission(), Admission::Queued);
    drop(second);
    assert_eq!(third.changed().try_recv(), Ok(()));
    assert_eq!(third.admission(), Admission::Admitted);
}

#[test]
fn the_last_turns_are_for_those_who_launch_nothing_yet_where_there_are_others() {
    let limits = Limits {
        launching: 4,
        ..LIMITS
    };
    let quota = quota(100, limits);
    let share = quota.share(WHOLE);
    let is_launched = |job: &Reservation| job.admission() == Admission::Admitted;
    let alone = [(); 5].map(|()| granted(&share, 1));
    assert_eq!(alone.iter().filter(|job| is_launched(job)).count(), 4);
    drop(alone);
    let other = quota.share(WHOLE);
    let hanging = [(); 5].map(|()| granted(&share, 1));
    assert_eq!(hanging.iter().filter(|job| is_launched(job)).count(), 2);
    let (first, second) = (granted(&other, 1), granted(&other, 1));
    assert!(is_launched(&first) && !is_launched(&second));
    drop(first);
    assert!(is_launched(&second));
    drop((hanging, second, other));
    let only = [(); 4].map(|()| granted_to(&share, 1, Some("acme")));
    assert_eq!(only.iter().filter(|job| is_launched(job)).count(), 4);
    drop(only);
    let elsewhere = granted_to(&share, 1, Some("elsewhere"));
    elsewhere.launched();
    let acme = [(); 3].map(|()| granted_to(&share, 1, Some("acme")));
    assert_eq!(acme.iter().filter(|job| is_launched(job)).count(), 2);
    assert!(is_launched(&granted_to(&share, 1, Some("other"))));
}

#[test]
fn by_the_old_rule_the_heaviest_is_reserved_and_nothing_is_held() {
    let limits = Limits {
        launching: 2,
        holds: false,
        ..LIMITS
    };
    let quota = quota(20, limits);
    let share = quota.share(WHOLE);
    let mut reservation = ask(&share).ok().unwrap();
    assert_eq!(quota.weight(), Weight::ONE * 10);
    reservation.granted(Weight::ONE * 3, None);
    assert_eq!(reservation.admission(), Admission::Admitted);
    let second = granted(&share, 9);
    assert_eq!(ask(&share).err(), Some(Full::Launching));
    second.launched();
    assert_eq!(ask(&share).err(), Some(Full::Weight));
    drop(second);
    assert!(ask(&share).is_ok());
}

#[test]
fn a_runner_that_goes_leaves_its_jobs_which_still_weigh() {
    let quota = quota(10, LIMITS);
    let (stays, goes) = (quota.share(WHOLE), quota.share(WHOLE));
    let job = granted(&goes, 10);
    assert_eq!(ask(&goes).err(), Some(Full::Weight));
    drop(goes);
    assert_eq!(job.awaited_among(), None);
    assert_eq!(ask(&stays).err(), Some(Full::Weight), "the job is here");
    drop(job);
    assert!(ask(&stays).is_ok());
}

proptest! {
    #[test]
    fn the_quota_is_never_exceeded_and_nobody_waits_for_nothing(
        holds in any::<bool>(),
        steps in prop::collection::vec((0_usize..4, 0_usize..3, 1_u64..=10, 0_usize..9), 0..80),
    ) {
        let quota = quota(20, Limits { holds, ..LIMITS });
        let parts = [(1.0, usize::MAX), (0.5, 4), (0.6, 2)];
        let shares = parts.map(|(fraction, jobs)| quota.share(Part { jobs, ..part(fraction) }));
        let mut here: Vec<(usize, Reservation)> = Vec::new();
        for (step, runner, weight, which) in steps {
            match (step, here.len()) {
                (0 | 1, _) => here.extend(ask(&shares[runner]).map(|mut reservation| {
                    reservation.granted(Weight::ONE * weight, None);
                    (runner, reservation)
                })),
                (2, 1..) if !is_held(&here[which % here.len()].1) => {
                    here[which % here.len()].1.launched();
                }
                (3, 1..) => drop(here.swap_remove(which % here.len())),
                _ => {}
            }
            let snapshot = quota.snapshot();
            prop_assert!(quota.weight() <= snapshot.limit);
            prop_assert_eq!(quota.weight(), snapshot.reserved.weight);
            prop_assert_eq!(snapshot.reserved.jobs, here.len());
            for (runner, (_, most)) in parts.iter().enumerate() {
                let own = here.iter().filter(|(whose, _)| *whose == runner);
                prop_assert!(own.count() <= *most);
            }
            let waiting = here.iter().filter(|(_, job)| is_held(job));
            let idle = snapshot.in_use.weight == Weight::ZERO;
            prop_assert!(!idle || waiting.count() == 0, "all is free, and a job waits");
        }
        drop(here);
        prop_assert_eq!(quota.weight(), Weight::ZERO);
    }

    #[test]
    fn a_job_that_waits_has_its_room_when_those_have_ended_that_were_here_before_it(
        before in prop::collection::vec((0_usize..2, 1_u64..=10), 1..12),
        heavy in 10_u64..=20,
        later in prop::collection::vec((0_usize..2, 1_u64..=10), 12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let quota = quota(20, LIMITS);
        let (others, own) = ([(); 2].map(|()| quota.share(WHOLE)), quota.share(WHOLE));
        let take = |(runner, weight): (usize, u64)| {
            let mut reservation = ask(&others[runner]).ok()?;
            reservation.granted(Weight::ONE * weight, None);
            Some(reservation)
        };
        let mut before: Vec<_> = before.into_iter().filter_map(take).collect();
        let Ok(mut waits) = ask(&own) else { return Ok(()) };
        waits.granted(Weight::ONE * heavy, None);
        let mut passing = Vec::new();
        for index in order {
            passing.extend(later.iter().copied().filter_map(take));
            if !before.is_empty() {
                drop(before.swap_remove(index.index(before.len())));
            }
        }
        prop_assert!(before.is_empty() && !is_held(&waits));
    }
}
