//! How much is kept of what others sent. The bounds follow from the set and the limits, whatever is sent.
use super::{Engine, evidence::Watch, later::LaterMessages};
use crate::{
    consensus::Books,
    ledger::LedgerView,
    limits::{CANDIDATES_MAX, INBOUND_BYTES_MAX, SYNC_WINDOW, UNDURABLE_MAX, WAITING_MAX},
};

/// Counts of what is held of messages, blocks and transactions that came too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Of the height being decided.
    pub books: Books,
    /// Messages kept for the next height.
    pub later: usize,
    /// Blocks that may be decided.
    pub candidates: usize,
    /// Votes and proposals that were heard, of three heights.
    pub heard: usize,
    /// Decided blocks that are not durable.
    pub undurable: usize,
    /// Final blocks of later heights.
    pub synced: usize,
    /// Transactions that wait for a parent which is being checked.
    pub waiting: usize,
    /// Bytes of gossip without a verdict.
    pub inbound: usize,
}

impl Held {
    /// The most for a set of so many masternodes, fewer than a third of them hostile.
    pub fn most(members: usize) -> Self {
        Self {
            books: Books::most(members),
            later: LaterMessages::most(members),
            candidates: CANDIDATES_MAX,
            heard: Watch::most(members),
            undurable: UNDURABLE_MAX,
            synced: usize::try_from(SYNC_WINDOW).unwrap_or(usize::MAX),
            waiting: WAITING_MAX,
            inbound: INBOUND_BYTES_MAX,
        }
    }

    /// The greater of each count.
    #[must_use]
    pub fn max_of(&self, other: &Self) -> Self {
        Self {
            books: self.books.max_of(&other.books),
            later: self.later.max(other.later),
            candidates: self.candidates.max(other.candidates),
            heard: self.heard.max(other.heard),
            undurable: self.undurable.max(other.undurable),
            synced: self.synced.max(other.synced),
            waiting: self.waiting.max(other.waiting),
            inbound: self.inbound.max(other.inbound),
        }
    }

    /// Whether no count is above the other's.
    pub fn is_within(&self, most: &Self) -> bool {
        self.books.is_within(&most.books)
            && self.later <= most.later
            && self.candidates <= most.candidates
            && self.heard <= most.heard
            && self.undurable <= most.undurable
            && self.synced <= most.synced
            && self.waiting <= most.waiting
            && self.inbound <= most.inbound
    }
}

impl<V: LedgerView> Engine<V> {
    /// What is held now.
    pub fn held(&self) -> Held {
        Held {
            books: self.height.consensus.books(),
            later: self.later.len(),
            candidates: self.height.candidates.len(),
            heard: self.watch.heard(),
            undurable: self.tip.stack.len(),
            synced: self.peers.planner.held(),
            waiting: self.pool.admissions.waiting(),
            inbound: self.door.load().1,
        }
    }
}
