//! Limits the memory of responses that peers have not read yet. A peer that asks for megabytes and
//! reads slowly keeps them in memory; many such peers must not exhaust the node's memory.
//!
//! Invariant: the sum covers all responses still in flight and never exceeds [`BYTES_MAX`].

use std::{collections::HashMap, hash::Hash};

/// Bytes of all responses in flight: a few dozen of the largest.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// The responses in flight.
#[derive(Debug)]
pub(crate) struct Budget<K> {
    open: HashMap<K, usize>,
    sum: usize,
}

impl<K: Eq + Hash> Budget<K> {
    pub(crate) fn new() -> Self {
        Budget { open: HashMap::new(), sum: 0 }
    }

    /// Reserves `bytes` for a response; returns false and reserves nothing if they do not fit.
    pub(crate) fn take(&mut self, answer: K, bytes: usize) -> bool {
        let sum = self.sum.saturating_add(bytes);
        if sum > BYTES_MAX {
            return false;
        }
        self.sum = sum;
        *self.open.entry(answer).or_default() += bytes;
        true
    }

    /// Releases the bytes of a response that was read or dropped.
    pub(crate) fn give_back(&mut self, answer: &K) {
        self.sum -= self.open.remove(answer).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back_once() {
        let mut budget = Budget::new();
        assert!(budget.take(1, BYTES_MAX - 1));
        assert!(!budget.take(2, 2), "over the bound");
        assert!(budget.take(3, 1), "what was refused took nothing");
        budget.give_back(&2);
        budget.give_back(&1);
        budget.give_back(&1);
        assert_eq!(budget.sum, 1);
        budget.give_back(&3);
        assert!(budget.open.is_empty() && budget.sum == 0);
    }
}
