use std::sync::Arc;

use proptest::prelude::*;

use super::{Claim, Full, Limits, Quota, Reservation, Share, Usage};
use crate::weight::Weight;

fn quota(weight: u64) -> Arc<Quota> {
    let quota = Quota::new(Limits {
        jobs: 100,
        launching: 100,
    });
    quota.set_limit(Weight::ONE * weight);
    quota
}

fn reserve(share: &Share, weight: u64) -> Result<Reservation, Full> {
    share.reserve(Weight::ONE * weight, Claim::Firm)
}

fn refused(share: &Share, weight: u64) -> Option<Full> {
    reserve(share, weight).err()
}

#[test]
fn a_reservation_shrinks_to_its_job_and_is_given_back() {
    let quota = quota(10);
    let (one, other) = (quota.share(1.0), quota.share(1.0));
    let reservation = reserve(&one, 10).ok().unwrap();
    assert_eq!(refused(&other, 1), Some(Full::Weight));
    assert_eq!(
        quota.snapshot().in_use,
        Usage::default(),
        "no job is here yet"
    );
    reservation.weighed(Weight::ONE * 3);
    let in_use = Usage {
        weight: Weight::ONE * 3,
        jobs: 1,
        launching: 1,
    };
    assert_eq!(quota.snapshot().in_use, in_use);
    reservation.launched();
    drop(reservation);
    assert_eq!(quota.snapshot().reserved, Usage::default());
    assert_eq!(quota.weight(), Weight::ZERO);
}

#[test]
fn a_runner_that_needs_much_is_not_starved_by_one_that_needs_little() {
    let quota = quota(10);
    let (little, much) = (quota.share(1.0), quota.share(1.0));
    let small = reserve(&little, 1).ok().unwrap();
    assert_eq!(refused(&much, 10), Some(Full::Weight));
    assert_eq!(refused(&little, 1), Some(Full::Weight));
    drop(small);
    assert_eq!(refused(&little, 1), Some(Full::Weight));
    assert!(reserve(&much, 10).is_ok());
    assert!(reserve(&little, 1).is_ok());
}

#[test]
fn room_is_not_kept_for_a_runner_that_has_no_jobs() {
    let quota = quota(10);
    let (busy, idle) = (quota.share(1.0), quota.share(1.0));
    let _small = reserve(&busy, 1).ok().unwrap();
    let loose = idle.reserve(Weight::ONE * 10, Claim::Loose);
    assert_eq!(loose.err(), Some(Full::Weight));
    assert!(reserve(&busy, 1).is_ok());
}

#[test]
fn a_runner_at_its_own_limit_keeps_no_other_waiting() {
    let quota = quota(10);
    let (half, whole) = (quota.share(0.5), quota.share(1.0));
    let _all_of_it = reserve(&half, 5).ok().unwrap();
    assert_eq!(refused(&half, 1), Some(Full::Share));
    assert!(reserve(&whole, 5).is_ok());
    assert!(!half.is_contended());
}

#[test]
fn a_runner_that_goes_leaves_the_queue_and_its_jobs_still_weigh() {
    let quota = quota(10);
    let (stays, goes) = (quota.share(1.0), quota.share(1.0));
    let _here = stays.hold(Weight::ONE * 2);
    let job = reserve(&goes, 4).ok().unwrap();
    job.weighed(Weight::ONE * 4);
    assert_eq!(refused(&goes, 5), Some(Full::Weight));
    assert_eq!(refused(&stays, 1), Some(Full::Weight), "behind the other");
    drop(goes);
    assert_eq!(refused(&stays, 5), Some(Full::Weight), "the job is here");
    assert!(reserve(&stays, 4).is_ok());
}

proptest! {
    #[test]
    fn the_counter_is_what_all_reservations_weigh(
        steps in prop::collection::vec((0_usize..4, 0_u64..9, 0_usize..5), 0..60),
    ) {
        let quota = quota(20);
        let shares = [quota.share(1.0), quota.share(0.5)];
        let mut held: Vec<Reservation> = Vec::new();
        for (step, weight, which) in steps {
            match (step, held.len()) {
                (0, _) => held.extend(reserve(&shares[which % 2], weight)),
                (1, _) => held.push(shares[which % 2].hold(Weight::ONE * weight)),
                (2, 1..) => held[which % held.len()].weighed(Weight::ONE * weight),
                (3, 1..) => drop(held.swap_remove(which % held.len())),
                _ => {}
            }
            let snapshot = quota.snapshot();
            prop_assert_eq!(quota.weight(), snapshot.reserved.weight);
            prop_assert_eq!(snapshot.reserved.jobs, held.len());
        }
        drop(held);
        prop_assert_eq!(quota.weight(), Weight::ZERO);
    }
}
