//! Fee rates, compared by multiplication and never divided, and the dynamic minimum fee.
use crate::types::{Amount, Millis};
use std::cmp::Ordering;

/// A fee for a number of bytes. Two rates are equal if their quotients are.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// The fee.
    pub fee: Amount,
    /// The bytes it is paid for.
    pub bytes: usize,
}

impl Rate {
    /// The fee for this many bytes at this rate, rounded up; saturates at the largest amount.
    pub fn fee_for(self, bytes: usize) -> Amount {
        let product = u128::from(self.fee.0) * (bytes as u128);
        let fee = product.div_ceil((self.bytes as u128).max(1));
        Amount(u64::try_from(fee).unwrap_or(u64::MAX))
    }

    /// The rate in whole units per byte, rounded up.
    pub fn units_per_byte(self) -> u64 {
        self.fee_for(1).0
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let mine = u128::from(self.fee.0) * (other.bytes as u128);
        let theirs = u128::from(other.fee.0) * (self.bytes as u128);
        mine.cmp(&theirs)
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rate {}

/// Half-life of the floor. A pool that stays full raises the floor again at once, so a short
/// half-life costs nothing and lets a quiet pool recover.
const FLOOR_HALF_LIFE: Millis = Millis(10 * 60 * 1_000);
/// The floor is kept in units per this many bytes, so that it can fall below one unit per byte.
const FLOOR_BYTES: usize = 1_000;

/// The minimum fee after an eviction: above the rate of the evicted, halving over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Floor {
    units: u64,
    since: Millis,
}

impl Floor {
    /// The floor at a time: halved for each whole half-life, linear in between.
    pub(super) fn rate(&self, now: Millis) -> Rate {
        let elapsed = now.since(self.since).0;
        let halvings = u32::try_from(elapsed / FLOOR_HALF_LIFE.0).unwrap_or(u32::MAX);
        let units = u128::from(self.units.checked_shr(halvings).unwrap_or(0));
        let rest = u128::from(elapsed % FLOOR_HALF_LIFE.0);
        let fallen = units * rest / (2 * u128::from(FLOOR_HALF_LIFE.0));
        let units = u64::try_from(units - fallen).expect("it only falls");
        Rate { fee: Amount(units), bytes: FLOOR_BYTES }
    }

    /// Raises the floor to this many units per byte above a rate; never lowers it.
    pub(super) fn raise(&mut self, evicted: Rate, above: u64, now: Millis) {
        let step = above.saturating_mul(FLOOR_BYTES as u64);
        let units = evicted.fee_for(FLOOR_BYTES).0.saturating_add(step);
        if units > self.rate(now).fee.0 {
            *self = Self { units, since: now };
        }
    }

    /// Resets the floor.
    pub(super) fn clear(&mut self) {
        self.units = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(fee: u64, bytes: usize) -> Rate {
        Rate { fee: Amount(fee), bytes }
    }

    #[test]
    fn rates_are_compared_exactly() {
        assert_eq!(rate(1, 2), rate(2, 4));
        assert!(rate(1, 3) < rate(334, 1_000));
        assert!(rate(u64::MAX, 100_000) < rate(u64::MAX, 99_999));
        assert!(rate(u64::MAX - 1, 7) < rate(u64::MAX, 7));
    }

    #[test]
    fn a_fee_is_rounded_up_and_never_wraps() {
        assert_eq!(rate(1, 3).fee_for(4), Amount(2));
        assert_eq!(rate(10, 1).fee_for(196), Amount(1_960));
        assert_eq!(rate(u64::MAX, 1).fee_for(usize::MAX), Amount(u64::MAX));
        assert_eq!(rate(1, 1_000).units_per_byte(), 1);
        assert_eq!(rate(0, 1_000).units_per_byte(), 0);
    }

    #[test]
    fn the_floor_halves_and_ends_at_nothing() {
        let mut floor = Floor::default();
        floor.raise(rate(70, 1), 10, Millis(1_000));
        let at = |passed: u64| floor.rate(Millis(1_000 + passed)).fee.0;
        let half = FLOOR_HALF_LIFE.0;
        for (passed, units) in [
            (0, 80_000),
            (half / 2, 60_000),
            (half, 40_000),
            (3 * half, 10_000),
            (64 * half, 0),
            (u64::MAX - 1_000, 0),
        ] {
            assert_eq!(at(passed), units, "after {passed} ms");
        }
        let falling: Vec<u64> = (0..500).map(|step| at(step * half / 37)).collect();
        assert!(falling.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn a_lower_eviction_does_not_lower_the_floor() {
        let mut floor = Floor::default();
        floor.raise(rate(70, 1), 10, Millis(0));
        floor.raise(rate(20, 1), 10, Millis(0));
        assert_eq!(floor.rate(Millis(0)), rate(80, 1));
        assert_eq!(floor.rate(Millis(0)).units_per_byte(), 80);
    }
}
