//! Gossips own transactions: at once when there are few, in batches under load.
use std::time::{Duration, Instant};
use timecoin_chain::{
    types::Transaction,
    wire::{self, BATCH_BYTES},
};

/// The minimum interval between two batches, unless one is full.
const SPACING: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Outbox {
    waiting: Vec<Transaction>,
    bytes: usize,
    last: Option<Instant>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { waiting: Vec::new(), bytes: 0, last: None }
    }

    /// Takes a transaction; returns the batch it fills.
    pub(super) fn add(&mut self, transaction: Transaction) -> Option<Vec<u8>> {
        let bytes = transaction.encoded_len();
        let full = self.bytes + bytes > BATCH_BYTES && !self.waiting.is_empty();
        let batch = full.then(|| self.take());
        self.waiting.push(transaction);
        self.bytes += bytes;
        batch
    }

    /// The batch that is due now, if there is one.
    pub(super) fn take_due(&mut self) -> Option<Vec<u8>> {
        let is_due =
            !self.waiting.is_empty() && self.last.is_none_or(|last| last.elapsed() >= SPACING);
        is_due.then(|| self.take())
    }

    /// Waits until a batch is due; for ever if there is none.
    pub(super) async fn due(&self) {
        match (self.waiting.is_empty(), self.last) {
            (true, _) => std::future::pending().await,
            (false, Some(last)) => tokio::time::sleep_until((last + SPACING).into()).await,
            (false, None) => {}
        }
    }

    fn take(&mut self) -> Vec<u8> {
        self.last = Some(Instant::now());
        self.bytes = 0;
        wire::encode_transactions(&std::mem::take(&mut self.waiting))
    }
}

/// Splits transactions into batches that fit the topic.
pub(super) fn batches(transactions: &[Transaction]) -> Vec<Vec<u8>> {
    let mut outbox = Outbox::new();
    let mut batches: Vec<Vec<u8>> =
        transactions.iter().filter_map(|tx| outbox.add(tx.clone())).collect();
    if !outbox.waiting.is_empty() {
        batches.push(outbox.take());
    }
    batches
}
