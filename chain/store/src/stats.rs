//! Statistics of the store since it was opened.
use crate::{Buckets, Store, counters::Counters, tables};
use redb::ReadableTableMetadata as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of a store. Counts are since it was opened, for both files together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Length of both files.
    pub bytes_on_disk: u64,
    /// Unspent coins; none if the database does not answer.
    pub coins: Option<u64>,
    /// Blocks written.
    pub commits: u64,
    /// Safety records made durable.
    pub safety_writes: u64,
    /// Number of disk syncs.
    pub flushes: u64,
    /// Bytes of rows written, keys and values.
    pub bytes_written: u64,
    /// Bytes of pages written for them.
    pub bytes_flushed: u64,
    /// Lengths of the blocks written.
    pub block_bytes: Buckets,
    /// Microseconds to write a block until it is durable.
    pub commit_micros: Buckets,
    /// Microseconds of each disk sync.
    pub sync_micros: Buckets,
}

impl Store {
    /// Figures for metrics. Cheap.
    pub fn stats(&self) -> StoreStats {
        let (ledger, safety) = (self.ledger.counters(), self.safety.counters());
        let both = |counter: fn(&Counters) -> &AtomicU64| {
            counter(ledger).load(Ordering::Relaxed) + counter(safety).load(Ordering::Relaxed)
        };
        StoreStats {
            bytes_on_disk: both(|counters| &counters.bytes_on_disk),
            coins: self.ledger.read(|txn| Ok(txn.open_table(tables::COINS)?.len()?)).ok(),
            commits: ledger.writes.load(Ordering::Relaxed),
            safety_writes: safety.writes.load(Ordering::Relaxed),
            flushes: both(|counters| &counters.flushes),
            bytes_written: both(|counters| &counters.bytes_written),
            bytes_flushed: both(|counters| &counters.bytes_flushed),
            block_bytes: ledger.block_bytes.read(),
            commit_micros: ledger.commit_micros.read(),
            sync_micros: ledger.sync_micros.read().with(&safety.sync_micros.read()),
        }
    }
}
