//! Observations counted by size.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bounds of a histogram; one more bucket holds what exceeds the last.
const BOUNDS: usize = 14;
/// Microseconds that a disk takes.
pub(crate) const MICROS: [u64; BOUNDS] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];
/// Bytes of a block.
pub(crate) const BYTES: [u64; BOUNDS] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 4_000_000, 8_000_000,
];

/// Counters of a histogram. As with [`Counters`](crate::counters::Counters), nothing is synchronized
/// through them.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64; BOUNDS],
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buckets {
    /// The greatest value of each bucket but the last.
    pub bounds: &'static [u64; BOUNDS],
    /// How many observations are in each bucket and in no lower one.
    pub counts: [u64; BOUNDS + 1],
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self { bounds, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    pub(crate) fn read(&self) -> Buckets {
        let counts = self.counts.each_ref().map(|count| count.load(Relaxed));
        Buckets { bounds: self.bounds, counts, sum: self.sum.load(Relaxed) }
    }
}

impl Buckets {
    /// What two histograms of the same bounds hold together.
    #[must_use]
    pub(crate) fn with(mut self, other: &Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
        self
    }
}

/// None observed, in microseconds.
impl Default for Buckets {
    fn default() -> Self {
        Self { bounds: &MICROS, counts: [0; BOUNDS + 1], sum: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&MICROS);
        for value in [0, 100, 101, 5_000_000, 5_000_001] {
            histogram.observe(value);
        }
        let read = histogram.read();
        assert_eq!(
            (read.counts[0], read.counts[1], read.counts[13], read.counts[14]),
            (2, 1, 1, 1)
        );
        assert_eq!((read.sum, read.counts.iter().sum::<u64>()), (10_000_202, 5));
        assert_eq!(read.with(&read).sum, 20_000_404);
    }
}
