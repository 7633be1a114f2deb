//! The pool of unconfirmed transactions.
//!
//! | file | what it does |
//! |---|---|
//! | `screen` | checks what needs no coins |
//! | `check` | decides whether a transaction may enter, and plans what must leave for it |
//! | `replace` | the rules of replacement by fee |
//! | `evict` | makes room in a full pool |
//! | `admit` | carries out a plan |
//! | `select` | selects transactions for a block |
//! | `on_block` | follows the chain |
//! | `index` | the entries in all their orders |
//!
//! Invariants: no two entries spend one output; every input is a coin of the ledger or an output of
//! an earlier entry; each entry's ancestor and descendant figures equal a recount. The coins given
//! to a call are those after the last block passed to `on_block`, or after a block that will be
//! passed next; they are never behind.
//!
//! Never reads a clock or a disk, verifies a signature or keeps a transaction whose parent it does
//! not know.
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

/// Capacity and retention of the pool. Local limits: nodes may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Maximum number of transactions.
    pub transactions_max: usize,
    /// Maximum encoded bytes of all transactions. Memory use is up to three times as much, plus
    /// about 1 KB per transaction.
    pub bytes_max: usize,
    /// How long a transaction stays before it expires.
    pub expiry: Millis,
    /// Minimum fee in units per byte, and the additional fee per byte that a replacement pays on
    /// top of the fees of what it replaces.
    pub min_fee_rate: u64,
    /// Maximum ancestors in the pool, the transaction included.
    pub ancestors_max: usize,
    /// Maximum descendants in the pool, the transaction included.
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
    /// The defaults, with the chain's relay fee.
    pub fn for_params(params: &Params) -> Self {
        Self { min_fee_rate: params.min_relay_fee, ..Self::default() }
    }
}

/// The pool. It has one owner; no part of it is shared.
#[derive(Debug, Clone)]
pub struct Mempool {
    chain: ChainId,
    limits: MempoolLimits,
    index: Index,
    floor: Floor,
    /// The time of the last change.
    clock: Millis,
}

/// Figures about the whole pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolStats {
    /// Number of transactions.
    pub transactions: usize,
    /// Their encoded bytes.
    pub bytes: usize,
    /// The sum of their fees.
    pub fees: Amount,
    /// Minimum fee per byte for a new transaction, rounded up.
    pub min_fee_rate: u64,
    /// Maximum number of transactions.
    pub transactions_max: usize,
    /// Maximum encoded bytes.
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

    /// Whether this transaction is in the pool, with these witnesses.
    pub fn contains(&self, id: &WTxId) -> bool {
        self.index.by_wtxid(id).is_some()
    }

    /// Whether a transaction with this body is in the pool.
    pub fn contains_txid(&self, id: &TxId) -> bool {
        self.index.by_txid(id).is_some()
    }

    /// The transaction in the pool that spends an output.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<TxId> {
        self.index.spender(outpoint).map(|seq| self.index.get(seq).txid())
    }

    /// The entries in order of admission: parents before children.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.index.iter().map(|(_, entry)| entry)
    }

    /// Number of transactions.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the pool is empty.
    pub fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    /// Encoded bytes of all transactions.
    pub fn bytes(&self) -> usize {
        self.index.total().bytes
    }

    /// Minimum units per byte for a transaction to enter now, rounded up. It rises when a full pool
    /// evicts, halves over time, and resets once half of the pool is free.
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
