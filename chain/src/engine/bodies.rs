//! Bodies of a proposed block that the mempool does not have.
use super::{Effect, Engine, Request, Timer, peers::Turn};
use crate::{
    ledger::LedgerView,
    limits::BODIES_PER_REQUEST_MAX,
    types::{BlockHash, BodiesRequest, Millis, Now, Transaction, WTxId},
};
use std::sync::Arc;

/// How long gossip may still bring a body before it is asked for.
pub(super) const PATIENCE: Millis = Millis(40);
/// How long an answer may take before another peer is asked.
const RETRY: Millis = Millis(250);
/// Requests sent at a time for one block.
const REQUESTS_MAX: usize = 8;

impl<V: LedgerView> Engine<V> {
    pub(super) fn ask_for_bodies(&mut self, now: Now, block: BlockHash) {
        let Some(missing) = self.candidates.missing(&block) else { return };
        let missing: Vec<WTxId> = missing.iter().copied().collect();
        if missing.is_empty() {
            return;
        }
        // First whoever sent the proposal, then the others in turn.
        let first = self.candidates.take_from(&block);
        for ids in missing.chunks(BODIES_PER_REQUEST_MAX).take(REQUESTS_MAX) {
            if let Some(to) = first.or_else(|| self.next_peer(Turn::Bodies)) {
                let request = Request::Bodies(BodiesRequest(ids.to_vec()));
                self.effects.push(Effect::Request { to, request });
            }
        }
        self.set_timer(Timer::Bodies(block), now.mono.plus(RETRY));
    }

    pub(super) fn on_bodies(&mut self, now: Now, transactions: Vec<Transaction>) {
        for transaction in transactions {
            self.offer_body(now, transaction.wtxid(), &Arc::new(transaction), false);
        }
    }
}
