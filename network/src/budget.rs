//! Memory that answers may take while peers read them. A peer that asks for megabytes and reads slowly keeps them here;
//! many such peers must not be able to keep more than a node has.
//!
//! Invariant: the sum is that of all answers whose end was not reported yet, and never above [`BYTES_MAX`].

use std::{collections::HashMap, hash::Hash};

/// Bytes of all answers on their way: a few dozen of the largest.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// The answers on their way.
#[derive(Debug)]
pub(crate) struct Budget<K> {
    open: HashMap<K, usize>,
    sum: usize,
}

impl<K: Eq + Hash> Budget<K> {
    pub(crate) fn new() -> Self {
        Budget { open: HashMap::new(), sum: 0 }
    }

    /// Takes `bytes` for an answer, or nothing and returns false.
    pub(crate) fn take(&mut self, answer: K, bytes: usize) -> bool {
        let sum = self.sum.saturating_add(bytes);
        if sum > BYTES_MAX {
            return false;
        }
        self.sum = sum;
        *self.open.entry(answer).or_default() += bytes;
        true
    }

    /// The answer was read, or never will be.
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
