//! Bodies on their way: who was asked for which, how long an answer may take, and who is asked next.
//!
//! Invariants: an id that was asked for is not asked of another peer before the answer is overdue; a peer that did not
//! have the bodies of a block is not asked for them again at once; requests for one block are bounded in number at a
//! time and in time.
use super::{Engine, Peer, Request, Timer, peers::Turn};
use crate::{
    ledger::LedgerView,
    limits::{BODIES_PER_REQUEST_MAX, CANDIDATES_MAX},
    types::{BlockHash, BodiesRequest, Millis, Now, Transaction, WTxId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Requests in flight for one block.
const IN_FLIGHT_MAX: usize = 8;
/// Requests for one block within [`PAUSE`], where peers answer at once that they have nothing.
const BURST_MAX: usize = 16;
/// A peer that has nothing of a block is asked for it again after this time.
const PAUSE: Millis = Millis(250);
/// Requests remembered: those in flight and those overdue, whose answers may still come and be measured.
const ASKED_MAX: usize = 2 * IN_FLIGHT_MAX * CANDIDATES_MAX;

/// One request.
#[derive(Debug)]
struct Asked {
    block: BlockHash,
    to: Peer,
    ids: Vec<WTxId>,
    at: Millis,
    /// When the answer is overdue.
    until: Millis,
}

/// What is asked of whom for the blocks of one height. Asks nobody itself.
#[derive(Debug, Default)]
pub(super) struct BodyRequests {
    asked: Vec<Asked>,
    /// Who had nothing of a block, and until when it is not asked for it.
    lacking: BTreeMap<(BlockHash, Peer), Millis>,
    /// When the current count of requests for a block began, and how many there were.
    bursts: BTreeMap<BlockHash, (Millis, usize)>,
}

impl BodyRequests {
    /// Which of these are not on their way.
    pub(super) fn unasked(&self, now: Millis, missing: &BTreeSet<WTxId>) -> Vec<WTxId> {
        let in_flight = self.asked.iter().filter(|asked| now < asked.until);
        let coming: BTreeSet<&WTxId> = in_flight.flat_map(|asked| &asked.ids).collect();
        missing.iter().filter(|id| !coming.contains(id)).copied().collect()
    }

    /// How many requests for a block may be sent now.
    pub(super) fn room(&self, now: Millis, block: &BlockHash) -> usize {
        let is_in_flight = |asked: &&Asked| asked.block == *block && now < asked.until;
        let in_flight = self.asked.iter().filter(is_in_flight).count();
        let burst = self.bursts.get(block).filter(|(began, _)| now.since(*began) < PAUSE);
        let burst = burst.map_or(0, |(_, requests)| *requests);
        IN_FLIGHT_MAX.saturating_sub(in_flight).min(BURST_MAX.saturating_sub(burst))
    }

    /// Whether a peer may be asked for bodies of a block.
    pub(super) fn may_ask(&self, now: Millis, block: BlockHash, peer: Peer) -> bool {
        self.lacking.get(&(block, peer)).is_none_or(|until| *until <= now)
    }

    /// Whether a peer has not answered yet what it was asked for a block.
    pub(super) fn owes_answer(&self, block: BlockHash, peer: Peer) -> bool {
        self.asked.iter().any(|asked| asked.block == block && asked.to == peer)
    }

    /// A request is sent; its answer may take so long.
    pub(super) fn ask(
        &mut self,
        now: Millis,
        block: BlockHash,
        to: Peer,
        ids: Vec<WTxId>,
        patience: Millis,
    ) {
        if self.asked.len() == ASKED_MAX {
            self.asked.remove(0);
        }
        self.asked.push(Asked { block, to, ids, at: now, until: now.plus(patience) });
        self.bursts.retain(|_, (began, _)| now.since(*began) < PAUSE);
        self.bursts.entry(block).or_insert((now, 0)).1 += 1;
    }

    /// A peer answered this request, with nothing or not. Returns the block and how long it took.
    pub(super) fn answered(
        &mut self,
        now: Millis,
        from: Peer,
        ids: &[WTxId],
        has_any: bool,
    ) -> Option<(BlockHash, Millis)> {
        let found = self.asked.iter().position(|asked| asked.to == from && asked.ids == ids)?;
        let asked = self.asked.remove(found);
        if !has_any {
            self.lacking.retain(|_, until| now < *until);
            self.lacking.insert((asked.block, from), now.plus(PAUSE));
        }
        Some((asked.block, now.since(asked.at)))
    }

    /// How many requests are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.asked.len()
    }

    /// When the first answer is overdue; where none is on its way, after a pause.
    pub(super) fn retry_at(&self, now: Millis) -> Millis {
        let in_flight = self.asked.iter().map(|asked| asked.until).filter(|until| now < *until);
        in_flight.chain([now.plus(PAUSE)]).min().expect("there is the pause")
    }
}

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
}
