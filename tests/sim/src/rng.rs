//! The one source of chance: ChaCha8 streams from the seed, one for each kind of decision, so that
//! an additional message does not change the time of the next crash. Integers only, so that every
//! machine draws the same values.
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng},
};

/// The stream of one seed.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream from its beginning.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Another stream of the same seed. Each kind of decision uses its own stream number.
    pub fn stream(seed: u64, number: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(number);
        Self(stream)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; zero if `end` is zero.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.number()) * u128::from(end);
        u64::try_from(product >> 64).expect("the upper half of a product of two 64-bit numbers")
    }

    /// An index of a list of this length, which is not empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True in this many of a thousand cases.
    pub fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.below(1_000) < permille
    }

    /// Exponentially distributed with this mean, at most sixteen times the mean. The logarithm is
    /// linear within each octave, which is within 9 % of the true one.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        const LN_2_IN_65536: u128 = 45_426;
        let drawn = self.number() | 1;
        let octave = drawn.leading_zeros();
        let fraction = (drawn << octave << 1) >> 48;
        let log2 = u128::from(octave) * 65_536 + (65_536 - u128::from(fraction));
        let value = (u128::from(mean) * LN_2_IN_65536 * log2) >> 32;
        u64::try_from(value).unwrap_or(u64::MAX).min(mean.saturating_mul(16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_an_exponential_is_what_was_asked_for() {
        let mut rng = Rng::new(1);
        let sum: u64 = (0..10_000).map(|_| rng.exponential(1_000)).sum();
        assert!((9_000_000..11_500_000).contains(&sum), "{sum}");
    }

    #[test]
    fn bounds_are_kept() {
        let mut rng = Rng::new(2);
        for _ in 0..1_000 {
            assert!(rng.below(3) < 3);
            assert!((5..=7).contains(&rng.between(5, 7)));
            assert!(!rng.chance(0));
            assert!(rng.chance(1_000));
        }
    }
}
