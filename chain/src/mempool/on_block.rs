//! Follows the chain: removes what a block confirms, conflicts with or expires.
use super::{Entry, Mempool, entry::Seq};
use crate::types::{Block, Height, Millis, Transaction};
use std::collections::BTreeSet;

/// What a block removed from the pool.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    /// Transactions of the block, in its order. The block may contain one with other witnesses.
    pub confirmed: Vec<Entry>,
    /// Transactions that conflict with the block, and their descendants. The last admitted first.
    pub conflicting: Vec<Entry>,
    /// Transactions past their last height or their time in the pool, and their descendants. The
    /// last admitted first.
    pub expired: Vec<Entry>,
}

impl Mempool {
    /// Removes what a block confirmed, what conflicts with it, and what can no longer be in a block
    /// at `next_height`. Children of confirmed transactions stay.
    pub fn on_block(&mut self, block: &Block, next_height: Height, now: Millis) -> Removed {
        self.clock = self.clock.max(now);
        let transactions = &block.transactions;
        let confirmed = transactions.iter().filter_map(|tx| self.take_confirmed(tx)).collect();
        let inputs = transactions.iter().flat_map(|tx| &tx.body.inputs);
        let conflicts = inputs.filter_map(|outpoint| self.index.spender(outpoint)).collect();
        let conflicting = self.index.remove_with_descendants(conflicts);
        let expired = self.index.remove_with_descendants(self.expired(next_height));
        if self.is_half_empty() {
            self.floor.clear();
        }
        Removed { confirmed, conflicting, expired }
    }

    /// Only the entry that spends the transaction's first input can be that transaction, so no
    /// hashing is needed. In a block parents come first, so the family stays connected.
    fn take_confirmed(&mut self, tx: &Transaction) -> Option<Entry> {
        let seq = self.index.spender(tx.body.inputs.first()?)?;
        let is_same = self.index.get(seq).transaction.body == tx.body;
        is_same.then(|| self.index.remove(seq))
    }

    fn expired(&self, next_height: Height) -> BTreeSet<Seq> {
        let is_old = |entry: &Entry| self.clock.since(entry.added) >= self.limits.expiry;
        let old = self.index.iter().take_while(|(_, entry)| is_old(entry)).map(|(seq, _)| seq);
        self.index.expired_at(next_height).chain(old).collect()
    }
}
