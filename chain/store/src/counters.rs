//! Counters of one database file.
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one file; they only increase. Nothing is synchronized through them, so relaxed
/// ordering suffices.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_on_disk: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) bytes_flushed: AtomicU64,
}

impl Counters {
    /// Records a durable write of rows with this many bytes.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
