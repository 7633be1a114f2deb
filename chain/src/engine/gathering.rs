//! Gathering the bodies of proposed blocks: whom to ask, and what to do with those that come.
//!
//! Never executes a block: `candidate.rs` decides which, and when.
use super::{Engine, Peer, Request, Timer, candidates::Gathered, peers::Turn};
use crate::{
    ledger::LedgerView,
    limits::BODIES_PER_REQUEST_MAX,
    types::{BlockHash, BodiesRequest, Now, Transaction},
};

impl<V: LedgerView> Engine<V> {
    /// Asks for the bodies of a block that are neither here nor on their way: first the peer that sent the proposal, then
    /// the others in turn.
    pub(super) fn ask_for_bodies(&mut self, now: Now, block: BlockHash) {
        let Some(missing) = self.height.candidates.missing(&block) else { return };
        if missing.is_empty() {
            return;
        }
        let ids = self.height.body_requests.unasked(now.mono, missing);
        let room = self.height.body_requests.room(now.mono, &block);
        let first = self.height.candidates.take_from(&block);
        for ids in ids.chunks(BODIES_PER_REQUEST_MAX).take(room) {
            let Some(to) = first.or_else(|| self.next_with_bodies(now, block)) else { break };
            let patience = self.peers.patience(to);
            self.height.body_requests.ask(now.mono, block, to, ids.to_vec(), patience);
            self.out.request(to, Request::Bodies(BodiesRequest(ids.to_vec())));
        }
        self.out.set_timer(Timer::Bodies(block), self.height.body_requests.retry_at(now.mono));
    }

    /// Whose turn it is: rather somebody who owes no answer.
    fn next_with_bodies(&mut self, now: Now, block: BlockHash) -> Option<Peer> {
        let requests = &self.height.body_requests;
        let may_ask = |peer| requests.may_ask(now.mono, block, peer);
        let is_free = |peer| may_ask(peer) && !requests.owes_answer(block, peer);
        let free = self.peers.next_fit(Turn::Bodies, is_free);
        free.or_else(|| self.peers.next_fit(Turn::Bodies, may_ask))
    }

    /// A peer answered with what it has of what it was asked for, or not at all: the next one is asked for the rest.
    pub(super) fn on_bodies(
        &mut self,
        now: Now,
        from: Peer,
        request: &BodiesRequest,
        transactions: Vec<Transaction>,
    ) {
        let has_any = !transactions.is_empty();
        for transaction in transactions {
            self.offer_body(&transaction, false);
        }
        let answered = self.height.body_requests.answered(now.mono, from, &request.0, has_any);
        let Some((block, took)) = answered else { return };
        if has_any {
            self.peers.answered_after(from, took);
        }
        self.ask_for_bodies(now, block);
    }

    /// A body has come: from gossip with its signatures verified, or by request without.
    pub(super) fn offer_body(&mut self, body: &Transaction, is_verified: bool) {
        for hash in self.height.candidates.add_body(body, is_verified) {
            self.assemble(hash);
        }
    }

    /// Puts a block together: it is executed when it is worth it. False where bodies are missing.
    pub(super) fn assemble(&mut self, hash: BlockHash) -> bool {
        let max = usize::try_from(self.ctx.params().block_bytes_max).unwrap_or(usize::MAX);
        match self.height.candidates.assemble(&hash, max) {
            Gathered::No => return false,
            Gathered::Nothing => {}
            Gathered::Block(block) => self.height.candidates.set_complete(&hash, block),
            Gathered::TooLarge(error) => self.refuse_candidate(hash, &error),
        }
        true
    }
}
