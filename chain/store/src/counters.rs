//! Counters of one database file.
use crate::buckets::{BYTES, Histogram, MICROS};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Counters of one file; they only increase. Nothing is synchronized through them, so relaxed
/// ordering suffices.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) bytes_on_disk: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) bytes_flushed: AtomicU64,
    pub(crate) block_bytes: Histogram,
    pub(crate) commit_micros: Histogram,
    pub(crate) sync_micros: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            bytes_on_disk: AtomicU64::default(),
            writes: AtomicU64::default(),
            flushes: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
            bytes_flushed: AtomicU64::default(),
            block_bytes: Histogram::new(&BYTES),
            commit_micros: Histogram::new(&MICROS),
            sync_micros: Histogram::new(&MICROS),
        }
    }
}

impl Counters {
    /// Records a durable write of rows with this many bytes.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Microseconds since a moment.
pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
