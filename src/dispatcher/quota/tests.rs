use std::sync::Arc;

use super::{Claim, Full, Limits, Quota};
use crate::weight::Weight;

fn quota(weight: u64, fractions: &[f64]) -> Arc<Quota> {
    let quota = Quota::new(Limits {
        jobs: 100,
        launching: 100,
        fractions: fractions.to_vec(),
    });
    quota.set_limit(Weight::ONE * weight);
    quota
}

#[test]
fn a_seat_shrinks_to_its_job_and_is_given_back() {
    let quota = quota(10, &[1.0, 1.0]);
    let mut seat = quota
        .reserve(0, Weight::ONE * 10, Claim::Firm)
        .ok()
        .unwrap();
    assert_eq!(
        quota.reserve(1, Weight::ONE, Claim::Firm).err(),
        Some(Full::Weight)
    );
    assert_eq!(quota.usage_of_jobs().jobs, 0, "no job is here yet");
    seat.settle(Weight::ONE * 3);
    let usage = quota.usage();
    assert_eq!(
        (usage.weight, usage.jobs, usage.launching),
        (Weight::ONE * 3, 1, 1)
    );
    seat.launched();
    drop(seat);
    let usage = quota.usage();
    assert_eq!(
        (usage.weight, usage.jobs, usage.launching),
        (Weight::ZERO, 0, 0)
    );
}

#[test]
fn a_runner_that_needs_much_is_not_starved_by_one_that_needs_little() {
    let quota = quota(10, &[1.0, 1.0]);
    let small = quota.reserve(0, Weight::ONE, Claim::Firm).ok().unwrap();
    assert_eq!(
        quota.reserve(1, Weight::ONE * 10, Claim::Firm).err(),
        Some(Full::Weight)
    );
    assert_eq!(
        quota.reserve(0, Weight::ONE, Claim::Firm).err(),
        Some(Full::Weight)
    );
    drop(small);
    assert_eq!(
        quota.reserve(0, Weight::ONE, Claim::Firm).err(),
        Some(Full::Weight)
    );
    assert!(quota.reserve(1, Weight::ONE * 10, Claim::Firm).is_ok());
    assert!(quota.reserve(0, Weight::ONE, Claim::Firm).is_ok());
}

#[test]
fn room_is_not_kept_for_a_runner_that_has_no_jobs() {
    let quota = quota(10, &[1.0, 1.0]);
    let _small = quota.reserve(0, Weight::ONE, Claim::Firm).ok().unwrap();
    let idle = quota.reserve(1, Weight::ONE * 10, Claim::Loose);
    assert_eq!(idle.err(), Some(Full::Weight));
    assert!(quota.reserve(0, Weight::ONE, Claim::Firm).is_ok());
}

#[test]
fn a_runner_at_its_own_limit_keeps_nobody_waiting() {
    let quota = quota(10, &[0.5, 1.0]);
    let _seat = quota.reserve(0, Weight::ONE * 5, Claim::Firm).ok().unwrap();
    assert_eq!(
        quota.reserve(0, Weight::ONE, Claim::Firm).err(),
        Some(Full::Share)
    );
    assert!(quota.reserve(1, Weight::ONE * 5, Claim::Firm).is_ok());
    assert!(!quota.is_contended());
}
