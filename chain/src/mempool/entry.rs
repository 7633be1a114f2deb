//! A transaction in the pool and the figures of its family.
use super::Rate;
use crate::types::{Amount, Height, Lock, Millis, Output, Transaction, TxId, WTxId, Witness};
use std::{cmp::Reverse, collections::BTreeSet};

/// The sequence number of an admission. A child's is above its parents', so ascending order is a
/// valid order in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Seq(pub(super) u64);

/// A sort key by rate: at equal rates the earlier admission ranks higher.
pub(super) type Key = (Rate, Reverse<Seq>);

/// Sums over several transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Package {
    /// Number of transactions.
    pub count: usize,
    /// Their encoded bytes.
    pub bytes: usize,
    /// Their fees.
    pub fee: Amount,
}

impl Package {
    /// Their fee rate.
    pub fn rate(&self) -> Rate {
        Rate { fee: self.fee, bytes: self.bytes }
    }

    /// Adds another package. None if the fees overflow.
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let fee = self.fee.checked_add(other.fee)?;
        Some(Self { count: self.count + other.count, bytes: self.bytes + other.bytes, fee })
    }

    /// Adds another package of the same pool.
    pub(super) fn plus(self, other: Self) -> Self {
        self.checked_add(other).expect("the fees of the whole pool were summed at admission")
    }

    /// Subtracts a part.
    pub(super) fn minus(self, part: Self) -> Self {
        Self {
            count: self.count - part.count,
            bytes: self.bytes - part.bytes,
            fee: self.fee.checked_sub(part.fee).expect("a part pays no more than the whole"),
        }
    }
}

/// A transaction in the pool.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) transaction: Transaction,
    pub(super) fee: Amount,
    pub(super) added: Millis,
    pub(super) height_added: Height,
    pub(super) first_height: Height,
    pub(super) parents: BTreeSet<Seq>,
    pub(super) children: BTreeSet<Seq>,
    pub(super) ancestors: Package,
    pub(super) descendants: Package,
}

impl Entry {
    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The id of its body.
    pub fn txid(&self) -> TxId {
        self.transaction.txid()
    }

    /// Its id with witnesses.
    pub fn wtxid(&self) -> WTxId {
        self.transaction.wtxid()
    }

    /// Its encoded length.
    pub fn bytes(&self) -> usize {
        self.transaction.encoded_len()
    }

    /// Its fee.
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// Its fee rate.
    pub fn rate(&self) -> Rate {
        Rate { fee: self.fee, bytes: self.bytes() }
    }

    /// When it was admitted.
    pub fn added(&self) -> Millis {
        self.added
    }

    /// The next height when it was admitted.
    pub fn height_added(&self) -> Height {
        self.height_added
    }

    /// The first height at which a block may contain it.
    pub fn first_height(&self) -> Height {
        self.first_height
    }

    /// The last height at which a block may contain it.
    pub fn expiry_height(&self) -> Height {
        self.transaction.body.expiry_height
    }

    /// Its unconfirmed ancestors and itself.
    pub fn ancestors(&self) -> Package {
        self.ancestors
    }

    /// Its descendants in the pool and itself.
    pub fn descendants(&self) -> Package {
        self.descendants
    }

    /// Itself as a package.
    pub(super) fn alone(&self) -> Package {
        Package { count: 1, bytes: self.bytes(), fee: self.fee }
    }

    /// Its rank for block selection, given the size and fee of its ancestors: the lower of its own
    /// rate and its rate with them. A child thus pulls in cheap parents only as far as it pays for
    /// them, and gains nothing from parents that pay more than it does.
    pub(super) fn score(&self, ancestors: Package) -> Rate {
        self.rate().min(ancestors.rate())
    }

    /// Its rank for eviction: the higher of its own rate and the rate of everything that would
    /// leave with it. A parent is thus kept if its child pays for it.
    pub(super) fn worth(&self) -> Rate {
        self.rate().max(self.descendants.rate())
    }

    /// Whether a block at this height may contain it. Its locks were checked at admission and locks
    /// never close again, so only the heights matter.
    pub(super) fn is_valid_at(&self, height: Height) -> bool {
        (self.first_height..=self.expiry_height()).contains(&height)
    }
}

/// The first height at which the transaction and all locks it opens allow it in a block.
pub(super) fn first_height(tx: &Transaction, spent: &[Output]) -> Height {
    let locks =
        spent.iter().zip(&tx.witnesses).map(|(output, witness)| match (&output.lock, witness) {
            (Lock::Timelock { height, .. }, _) => *height,
            (Lock::HashLock { refund_height, .. }, Witness::Refund(_)) => *refund_height,
            _ => Height::GENESIS,
        });
    locks.fold(tx.body.not_before, Height::max)
}
