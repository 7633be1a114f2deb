//! Transactions that wait for a block: the mempool, those on their way into it (`admission.rs`), and this
//! node's own, which are sent again until they are in a block.
//!
//! Never decides what a block holds: `propose.rs` does.
use super::{Effect, Timer, batch::Admissions, misses::Misses, out::Out};
use crate::{
    mempool::{Mempool, MempoolLimits},
    types::{ChainId, Millis, Now, Transaction, TxId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Between two looks for own transactions to send again.
pub(super) const MEMPOOL_PERIOD: Millis = Millis(3_000);
/// Own transactions sent again at a time.
const REGOSSIP_MAX: usize = 1_000;

/// The mempool and what surrounds it.
pub(super) struct Pool {
    pub(super) mempool: Mempool,
    pub(super) admissions: Admissions,
    /// What peers made this node look up for nothing.
    pub(super) misses: Misses,
    /// Own transactions that are not in a block yet.
    pub(super) local: BTreeSet<TxId>,
    /// How many transactions were not taken, by the code of the reason.
    pub(super) rejected: BTreeMap<&'static str, u64>,
    regossips: u8,
}

impl Pool {
    pub(super) fn new(chain: ChainId, limits: MempoolLimits) -> Self {
        Self {
            mempool: Mempool::new(chain, limits),
            admissions: Admissions::default(),
            misses: Misses::default(),
            local: BTreeSet::new(),
            rejected: BTreeMap::new(),
            regossips: 0,
        }
    }

    /// Sends own transactions again that have waited for a while.
    pub(super) fn on_timer(&mut self, now: Now, out: &mut Out) {
        out.set_timer(Timer::Mempool, now.mono.plus(MEMPOOL_PERIOD));
        self.local.retain(|id| self.mempool.get_by_txid(id).is_some());
        let old = self.local.iter().filter_map(|id| self.mempool.get_by_txid(id));
        let old: Vec<TxId> = old
            .filter(|entry| now.mono.since(entry.added()) >= MEMPOOL_PERIOD)
            .take(REGOSSIP_MAX)
            .map(|entry| entry.txid())
            .collect();
        let transactions = self.with_ancestors(old);
        if !transactions.is_empty() {
            self.regossips = self.regossips % 255 + 1;
            out.push(Effect::Regossip { transactions, attempt: self.regossips });
        }
    }

    /// These waiting transactions and all that they depend on, parents first: a peer that lost a parent
    /// cannot take the child.
    fn with_ancestors(&self, mut open: Vec<TxId>) -> Vec<Transaction> {
        let mut wanted: BTreeSet<TxId> = open.iter().copied().collect();
        while let Some(entry) = open.pop().and_then(|id| self.mempool.get_by_txid(&id)) {
            let inputs = entry.transaction().body.inputs.iter().map(|input| input.txid);
            let parents = inputs.filter(|parent| self.mempool.contains_txid(parent));
            open.extend(parents.filter(|parent| wanted.insert(*parent)));
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let waiting = self.mempool.iter().filter(|entry| wanted.contains(&entry.txid()));
        waiting.map(|entry| entry.transaction().clone()).collect()
    }
}
