//! Sixty jobs of all sizes, the same ones in every run, in an order that looks like chance.
//!
//! The order is one of those in which more than nine tenths of every quota can be in use: in many another one
//! nobody comes so far, for a heavy job waits until enough of the others have ended.

use std::time::Duration;

use crate::schedule::Weight;

/// How many of each size there are, with the memory of its machine in GiB.
const SIZES: [(&str, usize, u32); 7] = [
    ("XS", 34, 2),
    ("S", 19, 4),
    ("M", 3, 8),
    ("L", 1, 12),
    ("XL", 1, 16),
    ("2XL", 1, 24),
    ("3XL", 1, 32),
];
const SHORTEST: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(100);
/// Between the shortest and the longest.
const STEPS: u64 = 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixed {
    pub flavor: &'static str,
    pub script: Duration,
}

/// In the order of their arrival.
pub fn jobs() -> Vec<Mixed> {
    let mut chance = Chance::default();
    let flavors = SIZES
        .iter()
        .flat_map(|(flavor, count, _)| vec![*flavor; *count]);
    let mut jobs: Vec<_> = flavors
        .map(|flavor| Mixed {
            flavor,
            script: SHORTEST + STEP * u32::try_from(chance.below(STEPS)).unwrap_or_default(),
        })
        .collect();
    for place in (1..jobs.len()).rev() {
        let other = chance.below(place as u64 + 1);
        jobs.swap(place, usize::try_from(other).unwrap_or_default());
    }
    jobs
}

/// What a machine counts in the quota: its memory in GiB to the power of 1.25, in millionths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn weight(flavor: &str) -> Weight {
    let size = SIZES.iter().find(|(name, ..)| *name == flavor);
    let memory = size.map_or(0, |(_, _, memory)| *memory);
    (f64::from(memory).powf(1.25) * 1e6).round() as Weight
}

/// Numbers that look like chance and are always the same: Marsaglia's xorshift.
pub struct Chance(u64);

impl Default for Chance {
    fn default() -> Self {
        Self(0x5068_8f9f_f648_a2d4)
    }
}

impl Chance {
    /// From 0 to one less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_mix_every_time_and_no_size_comes_all_at_once() {
        let jobs = jobs();
        assert_eq!(jobs.len(), 60);
        assert_eq!(jobs, super::jobs());
        let is_small = |job: &Mixed| job.flavor == "XS";
        assert!(jobs[..10].iter().any(is_small) && !jobs[..10].iter().all(is_small));
        let longest = SHORTEST + STEP * 30;
        assert!(
            jobs.iter()
                .all(|job| (SHORTEST..=longest).contains(&job.script))
        );
    }

    #[test]
    fn weights_are_those_of_the_quota() {
        assert_eq!((weight("XS"), weight("3XL")), (2_378_414, 76_109_255));
    }
}
