//! Each single fault of a seed (a lost message, a crash, a partition) has a running number in its
//! class. Shrinking a failure keeps only the faults that it needs.
use std::collections::BTreeMap;

/// The classes of single faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A message is lost.
    Loss,
    /// A message arrives twice.
    Duplicate,
    /// A peer lies.
    Tamper,
    /// A peer is busy.
    Busy,
    /// Bits of a message flip.
    Corrupt,
    /// A message of an earlier height comes again.
    Replay,
    /// A link holds everything for a while.
    Clog,
    /// A link loses one kind of message for a while.
    Filter,
    /// A partition.
    Partition,
    /// A node crashes.
    Crash,
    /// A node crashes before an effect.
    CrashAtEffect,
    /// A node crashes while it writes.
    CrashInWrite,
    /// A node crashes after it made a record durable.
    CrashAfterPersist,
    /// A node crashes soon after its start.
    CrashInRecovery,
    /// All nodes crash.
    CrashAll,
    /// A machine pauses.
    Pause,
    /// Wall clocks jump or stand still.
    Clock,
}

/// One fault: its class, and its number in it, from 1.
pub type Instance = (Class, u64);

/// Counts faults and decides which ones strike.
#[derive(Debug, Default)]
pub struct Instances {
    counts: BTreeMap<Class, u64>,
    only: Option<Vec<Instance>>,
}

impl Instances {
    /// All strike, or only these.
    pub fn new(only: Option<Vec<Instance>>) -> Self {
        let only = only.map(|mut only| {
            only.sort_unstable();
            only
        });
        Self { counts: BTreeMap::new(), only }
    }

    /// The next fault of a class: whether it strikes. Faults that do not strike count too.
    pub fn strikes(&mut self, class: Class) -> bool {
        let count = self.counts.entry(class).or_default();
        *count += 1;
        let instance = (class, *count);
        self.only.as_ref().is_none_or(|only| only.binary_search(&instance).is_ok())
    }

    /// The number of the last one of a class.
    pub fn last(&self, class: Class) -> u64 {
        self.counts.get(&class).copied().unwrap_or(0)
    }

    /// All faults, including those that did not strike.
    pub fn all(&self) -> Vec<Instance> {
        let of_class = |(&class, &count): (&Class, &u64)| (1..=count).map(move |n| (class, n));
        self.counts.iter().flat_map(of_class).collect()
    }
}
