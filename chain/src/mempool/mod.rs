//! The transactions that wait for a block.
//!
//! | file | what it does |
//! |---|---|
//! | `screen` | what is decided about a transaction without its coins |
//! | `check` | decides whether a transaction may enter, and plans what must leave for it |
//! | `replace` | the rules of replacement by fee |
//! | `evict` | makes room in a full pool |
//! | `admit` | carries a plan out |
//! | `select` | chooses for a block |
//! | `on_block` | follows the chain |
//! | `index` | the entries in all their orders |
//!
//! Invariants: no two entries spend one output; every input is a coin of the ledger or an output of
//! an earlier entry; each entry's figures about its ancestors and descendants equal a recount. The
//! coins given to a call are those after the last block that `on_block` was told of, or after one
//! that it is told of next; they are never behind.
//!
//! Never reads a clock or a disk, checks a signature or keeps a transaction whose parent it does not know.
mod admit;
mod check;
mod entry;
mod error;
mod evict;
mod index;
mod on_block;
mod rate;
mod replace;
mod screen;
mod select;
#[cfg(test)]
mod tests;
mod verify;

pub use crate::rules::Spend;
pub use admit::Admitted;
pub use entry::{Entry, Package};
pub use error::Reject;
pub use on_block::Removed;
pub use rate::Rate;
pub use screen::Screened;
pub use verify::{Acceptable, Trial, VerifiedSpend, verify};

use crate::{
    genesis::Params,
    types::{Amount, ChainId, Millis, OutPoint, TxId, WTxId},
};
use index::Index;
use rate::Floor;

/// How much the pool holds and for how long. Local limits: nodes may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Transactions at the most.
    pub transactions_max: usize,
    /// Encoded bytes of all transactions at the most. The memory used is up to three times as much,
    /// and about 1 KB for each transaction.
    pub bytes_max: usize,
    /// How long a transaction waits before it is forgotten.
    pub expiry: Millis,
    /// Units that a transaction pays for each of its bytes at the least, and what a replacement pays
    /// for each of its bytes on top of what it replaces.
    pub min_fee_rate: u64,
    /// Waiting transactions that one may depend on, itself included.
    pub ancestors_max: usize,
    /// Waiting transactions that may depend on one, itself included.
    pub descendants_max: usize,
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self {
            transactions_max: 100_000,
            bytes_max: 300 * 1024 * 1024,
            expiry: Millis(24 * 60 * 60 * 1_000),
            min_fee_rate: 10,
            ancestors_max: 25,
            descendants_max: 25,
        }
    }
}

impl MempoolLimits {
    /// The defaults with a chain's relay fee.
    pub fn for_params(params: &Params) -> Self {
        Self { min_fee_rate: params.min_relay_fee, ..Self::default() }
    }
}

/// The pool. One owner holds it; no part of it is shared.
#[derive(Debug, Clone)]
pub struct Mempool {
    chain: ChainId,
    limits: MempoolLimits,
    index: Index,
    floor: Floor,
    /// The last moment that a change was made at.
    clock: Millis,
}

/// Figures about the whole pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolStats {
    /// How many transactions wait.
    pub transactions: usize,
    /// Their encoded bytes.
    pub bytes: usize,
    /// What they pay together.
    pub fees: Amount,
    /// What a new transaction must pay for each byte, rounded up.
    pub min_fee_rate: u64,
    /// How many may wait.
    pub transactions_max: usize,
    /// How many bytes they may have.
    pub bytes_max: usize,
}

impl Mempool {
    /// An empty pool for one chain.
    pub fn new(chain: ChainId, limits: MempoolLimits) -> Self {
        Self {
            chain,
            limits,
            index: Index::default(),
            floor: Floor::default(),
            clock: Millis::default(),
        }
    }

    /// The entry of a transaction by its id with witnesses.
    pub fn get(&self, id: &WTxId) -> Option<&Entry> {
        self.index.by_wtxid(id).map(|seq| self.index.get(seq))
    }

    /// The entry of a transaction by the id of its body.
    pub fn get_by_txid(&self, id: &TxId) -> Option<&Entry> {
        self.index.by_txid(id).map(|seq| self.index.get(seq))
    }

    /// Whether this transaction waits, with these witnesses.
    pub fn contains(&self, id: &WTxId) -> bool {
        self.index.by_wtxid(id).is_some()
    }

    /// Whether a transaction with this body waits.
    pub fn contains_txid(&self, id: &TxId) -> bool {
        self.index.by_txid(id).is_some()
    }

    /// Which waiting transaction spends an output.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<TxId> {
        self.index.spender(outpoint).map(|seq| self.index.get(seq).txid)
    }

    /// The entries in the order of admission: parents before children.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.index.iter().map(|(_, entry)| entry)
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    /// Encoded bytes of all waiting transactions.
    pub fn bytes(&self) -> usize {
        self.index.total().bytes
    }

    /// Units that a transaction must pay for each of its bytes to enter now, rounded up. It rises
    /// when a full pool evicts, halves with time, and falls back once half of the pool is free.
    pub fn min_fee_rate(&self, now: Millis) -> u64 {
        self.floor.rate(now).units_per_byte().max(self.limits.min_fee_rate)
    }

    /// Figures about the whole pool.
    pub fn stats(&self, now: Millis) -> MempoolStats {
        MempoolStats {
            transactions: self.len(),
            bytes: self.bytes(),
            fees: self.index.total().fee,
            min_fee_rate: self.min_fee_rate(now),
            transactions_max: self.limits.transactions_max,
            bytes_max: self.limits.bytes_max,
        }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &MempoolLimits {
        &self.limits
    }
}
