//! What one database file counts.
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one file, only ever added to. They guard nothing, so their order does not matter.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_on_disk: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) bytes_flushed: AtomicU64,
}

impl Counters {
    /// A durable write of rows with this many bytes.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
