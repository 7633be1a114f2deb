//! Every single fault of a seed has a running number: a lost message, a crash, a partition. Shrinking a
//! failure ends with the few numbers that it takes.
use std::collections::BTreeSet;

/// Counts faults, and says which strike.
#[derive(Debug, Default)]
pub struct Instances {
    count: u64,
    only: Option<BTreeSet<u64>>,
}

impl Instances {
    /// All strike, or only those with these numbers.
    pub fn new(only: Option<&[u64]>) -> Self {
        Self { count: 0, only: only.map(|only| only.iter().copied().collect()) }
    }

    /// The next fault: whether it strikes. One that does not is numbered all the same.
    pub fn strikes(&mut self) -> bool {
        self.count += 1;
        self.only.as_ref().is_none_or(|only| only.contains(&self.count))
    }

    /// The number of the last one.
    pub fn count(&self) -> u64 {
        self.count
    }
}
