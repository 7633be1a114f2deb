//! Bodies on their way: who was asked for which, how long an answer may take, and who is asked next.
//!
//! Invariants: an id that was asked for is not asked of another peer before the answer is overdue; a peer that did not
//! have the bodies of a block is not asked for them again at once; requests for one block are bounded in number at a
//! time and in time.
use super::Peer;
use crate::{
    limits::CANDIDATES_MAX,
    types::{BlockHash, Millis, WTxId},
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
