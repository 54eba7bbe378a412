//! How heavy a machine is: the currency of the quota.
//!
//! The weight of a flavor is its memory in GiB to the power of 1.25, as in the Python runner, so
//! that a quota means the same. It is kept in whole millionths: sums of weights are then exact,
//! and eight machines fit into a quota of eight machines, which sums of floating point numbers
//! do not promise.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

const UNITS: f64 = 1e6;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u64);

impl Weight {
    pub const ZERO: Self = Self(0);
    /// The weight of a job of an executor that knows no sizes.
    pub const ONE: Self = Self(1_000_000);

    #[must_use]
    pub fn of_memory(mebibytes: u64) -> Self {
        Self::from_f64((mebibytes as f64 / 1024.0).powf(1.25))
    }

    /// For weights read from a file; what is no weight (negative, not a number) weighs nothing.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn from_f64(weight: f64) -> Self {
        Self((weight.max(0.0) * UNITS).round() as u64)
    }

    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / UNITS
    }

    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// This part of the weight, a fraction between 0 and 1.
    #[must_use]
    pub fn fraction(self, fraction: f64) -> Self {
        Self::from_f64(self.as_f64() * fraction)
    }

    /// What is left when `other` is taken away; nothing when there is too little.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Weight {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Weight {
    type Output = Self;
    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.as_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::Weight;

    #[test]
    fn weights_are_those_of_the_python_runner() {
        for (mebibytes, expected) in [(2048, 2.378_414), (8192, 13.454_343), (32768, 76.109_255)] {
            let weight = Weight::of_memory(mebibytes).as_f64();
            assert!(
                (weight - expected).abs() < 1e-6,
                "{mebibytes} MiB weigh {weight}"
            );
        }
    }

    #[test]
    fn as_many_machines_as_the_quota_counts_fit_exactly() {
        let machine = Weight::of_memory(24576);
        let in_use: Weight = (0..7).map(|_| machine).sum();
        assert_eq!((machine * 8).minus(in_use), machine);
    }
}
