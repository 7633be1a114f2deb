//! Which payment was sent when, and which node reported it final. Shared by all threads without a lock: each
//! payment has counters of its own.
//!
//! Invariant: a payment leaves the in-flight count once: when the last node reports it, or when it
//! is refused.
use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// Refusals whose texts are kept.
const REFUSALS_SHOWN: usize = 5;

/// What is known about all payments. Times are microseconds since the start.
#[derive(Debug)]
pub(super) struct Track {
    begun: Instant,
    nodes: u8,
    payments: Vec<Slot>,
    on_their_way: AtomicUsize,
    /// Nothing more is sent.
    stop: AtomicBool,
    /// Nothing more is read.
    end: AtomicBool,
    /// The longest delay of a payment that was due.
    late_us: AtomicU64,
    /// Written only when something goes wrong, which is rare, so threads do not contend for it.
    troubles: Mutex<Troubles>,
}

#[derive(Debug, Default)]
struct Slot {
    /// When the call started; zero before.
    sent_us: AtomicU64,
    /// When the last node reported it; zero before.
    final_us: AtomicU64,
    /// Nodes that reported it.
    reports: AtomicU8,
    is_refused: AtomicBool,
    /// Whether it is no longer in flight.
    is_settled: AtomicBool,
}

/// What went wrong.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The first failure that ends the measurement.
    pub(super) failure: Option<super::BenchError>,
    /// The first refusals in the nodes' words.
    pub(super) refusals: Vec<String>,
    /// Blocks that a follower missed.
    pub(super) missed_blocks: u64,
}

/// One payment after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) sent_us: u64,
    pub(super) final_us: Option<u64>,
    pub(super) is_refused: bool,
}

impl Track {
    pub(super) fn new(payments: usize, nodes: usize) -> Self {
        Self {
            begun: Instant::now(),
            nodes: u8::try_from(nodes).unwrap_or(u8::MAX),
            payments: std::iter::repeat_with(Slot::default).take(payments).collect(),
            on_their_way: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            end: AtomicBool::new(false),
            late_us: AtomicU64::new(0),
            troubles: Mutex::default(),
        }
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Microseconds since the start, never zero.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// Payments sent and not yet final everywhere.
    pub(super) fn on_their_way(&self) -> usize {
        self.on_their_way.load(Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// From now on the end of an event stream is not a failure.
    pub(super) fn end(&self) {
        self.end.store(true, Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.load(Relaxed)
    }

    /// A call with these payments starts now.
    pub(super) fn sent(&self, payments: std::ops::Range<usize>) {
        let now = self.now_us();
        self.on_their_way.fetch_add(payments.len(), Relaxed);
        for slot in self.payments.get(payments).unwrap_or_default() {
            slot.sent_us.store(now, Relaxed);
        }
    }

    /// A payment was sent this late.
    pub(super) fn late(&self, us: u64) {
        self.late_us.fetch_max(us, Relaxed);
    }

    /// One more node reported the payment final and durable.
    pub(super) fn reported(&self, payment: usize) {
        let Some(slot) = self.payments.get(payment) else { return };
        if slot.reports.fetch_add(1, Relaxed) + 1 == self.nodes {
            slot.final_us.store(self.now_us(), Relaxed);
            self.settle(slot);
        }
    }

    /// A node refused the payment.
    pub(super) fn refused(&self, payment: usize, reason: String) {
        let Some(slot) = self.payments.get(payment) else { return };
        slot.is_refused.store(true, Relaxed);
        self.settle(slot);
        self.trouble(|troubles| {
            if troubles.refusals.len() < REFUSALS_SHOWN {
                troubles.refusals.push(reason);
            }
        });
    }

    fn settle(&self, slot: &Slot) {
        if !slot.is_settled.swap(true, Relaxed) {
            self.on_their_way.fetch_sub(1, Relaxed);
        }
    }

    /// Something failed that ends the measurement.
    pub(super) fn fail(&self, error: super::BenchError) {
        self.trouble(|troubles| {
            troubles.failure.get_or_insert(error);
        });
        self.stop();
    }

    pub(super) fn missed(&self, blocks: u64) {
        self.trouble(|troubles| troubles.missed_blocks += blocks);
    }

    pub(super) fn has_failed(&self) -> bool {
        let mut failed = false;
        self.trouble(|troubles| failed = troubles.failure.is_some());
        failed
    }

    fn trouble(&self, note: impl FnOnce(&mut Troubles)) {
        note(&mut self.troubles.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// What is known at the end: payments that were sent, the longest delay, and what went wrong.
    pub(super) fn into_records(self) -> (Vec<Record>, u64, Troubles) {
        let records = self
            .payments
            .iter()
            .map(|slot| Record {
                sent_us: slot.sent_us.load(Relaxed),
                final_us: Some(slot.final_us.load(Relaxed)).filter(|us| *us > 0),
                is_refused: slot.is_refused.load(Relaxed),
            })
            .filter(|record| record.sent_us > 0)
            .collect();
        let troubles =
            self.troubles.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        (records, self.late_us.into_inner(), troubles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_final_with_the_last_node_only() {
        let track = Track::new(3, 2);
        track.sent(0..2);
        assert_eq!(track.on_their_way(), 2);
        track.reported(0);
        assert_eq!(track.on_their_way(), 2);
        track.reported(0);
        track.reported(1);
        assert_eq!(track.on_their_way(), 1);
        let (records, ..) = track.into_records();
        assert_eq!(records.len(), 2, "the third was not sent");
        assert!(records[0].final_us.is_some_and(|us| us >= records[0].sent_us));
        assert_eq!(records[1].final_us, None);
    }

    #[test]
    fn a_refused_payment_is_not_on_its_way() {
        let track = Track::new(2, 2);
        track.sent(0..2);
        track.refused(1, "no".into());
        track.reported(1);
        track.reported(1);
        assert_eq!(track.on_their_way(), 1);
        assert!(!track.has_failed());
        track.fail(crate::devnet::bench::BenchError::Thread);
        assert!(track.has_failed() && track.is_stopped());
        let (records, _, troubles) = track.into_records();
        assert_eq!((records[0].is_refused, records[1].is_refused), (false, true));
        assert_eq!(troubles.refusals, ["no"]);
    }
}
