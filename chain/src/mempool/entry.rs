//! A waiting transaction and what is known about its family in the pool.
use super::Rate;
use crate::types::{Amount, Height, Lock, Millis, Output, Transaction, TxId, WTxId, Witness};
use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

/// The number of an admission. A child's is above its parents', so ascending order is an order in
/// which a block may hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Seq(pub(super) u64);

/// A place in an order by rate: at one rate, the earlier admission is the better.
pub(super) type Key = (Rate, Reverse<Seq>);

/// Several transactions taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Package {
    /// How many.
    pub count: usize,
    /// Their encoded bytes.
    pub bytes: usize,
    /// What they pay.
    pub fee: Amount,
}

impl Package {
    /// What they pay for their bytes.
    pub fn rate(&self) -> Rate {
        Rate { fee: self.fee, bytes: self.bytes }
    }

    /// With more. Nothing where the fees overflow.
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let fee = self.fee.checked_add(other.fee)?;
        Some(Self { count: self.count + other.count, bytes: self.bytes + other.bytes, fee })
    }

    /// With more of the same pool.
    pub(super) fn plus(self, other: Self) -> Self {
        self.checked_add(other).expect("the fees of the whole pool were summed at admission")
    }

    /// Without a part.
    pub(super) fn minus(self, part: Self) -> Self {
        Self {
            count: self.count - part.count,
            bytes: self.bytes - part.bytes,
            fee: self.fee.checked_sub(part.fee).expect("a part pays no more than the whole"),
        }
    }
}

/// A waiting transaction.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) transaction: Arc<Transaction>,
    pub(super) txid: TxId,
    pub(super) wtxid: WTxId,
    pub(super) bytes: usize,
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
    pub fn transaction(&self) -> &Arc<Transaction> {
        &self.transaction
    }

    /// The id of its body.
    pub fn txid(&self) -> TxId {
        self.txid
    }

    /// Its id with witnesses.
    pub fn wtxid(&self) -> WTxId {
        self.wtxid
    }

    /// Its encoded length.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it pays.
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// What it pays for its bytes.
    pub fn rate(&self) -> Rate {
        Rate { fee: self.fee, bytes: self.bytes }
    }

    /// When it was admitted.
    pub fn added(&self) -> Millis {
        self.added
    }

    /// The next height when it was admitted.
    pub fn height_added(&self) -> Height {
        self.height_added
    }

    /// The first height at which it may stand in a block.
    pub fn first_height(&self) -> Height {
        self.first_height
    }

    /// The last height at which it may stand in a block.
    pub fn expiry_height(&self) -> Height {
        self.transaction.body.expiry_height
    }

    /// The waiting transactions it depends on, and itself.
    pub fn ancestors(&self) -> Package {
        self.ancestors
    }

    /// The waiting transactions that depend on it, and itself.
    pub fn descendants(&self) -> Package {
        self.descendants
    }

    /// Itself as a package.
    pub(super) fn alone(&self) -> Package {
        Package { count: 1, bytes: self.bytes, fee: self.fee }
    }

    /// How good it is for a block once its ancestors have this size and fee: the lesser of its own
    /// rate and theirs with it. So a child pulls in its cheap parents only as far as it pays for
    /// them, and gains nothing from parents that pay more than it does.
    pub(super) fn score(&self, ancestors: Package) -> Rate {
        self.rate().min(ancestors.rate())
    }

    /// How late it is evicted: the greater of its own rate and that of all that would leave with it.
    /// So a parent is kept for the sake of a child that pays for it.
    pub(super) fn worth(&self) -> Rate {
        self.rate().max(self.descendants.rate())
    }

    /// Whether it may stand in a block at this height. Its locks were checked at admission and locks
    /// only open, so the heights decide.
    pub(super) fn is_valid_at(&self, height: Height) -> bool {
        (self.first_height..=self.expiry_height()).contains(&height)
    }
}

/// The first height at which a transaction and all the locks that it opens allow it in a block.
pub(super) fn first_height(tx: &Transaction, spent: &[Output]) -> Height {
    let locks =
        spent.iter().zip(&tx.witnesses).map(|(output, witness)| match (&output.lock, witness) {
            (Lock::Timelock { height, .. }, _) => *height,
            (Lock::HashLock { refund_height, .. }, Witness::Refund(_)) => *refund_height,
            _ => Height::GENESIS,
        });
    locks.fold(tx.body.not_before, Height::max)
}
