//! Replacement by fee: a transaction replaces the pool's transactions that spend the same outputs
//! if it pays for them. The rules are those of BIP-125 without signalling, as in CKB.
use super::{
    Mempool, Reject,
    entry::{Package, Seq},
};
use crate::types::{Amount, Transaction};
use std::collections::BTreeSet;

/// Maximum transactions that one replacement may remove.
pub(super) const REPLACED_MAX: usize = 100;

impl Mempool {
    /// The conflicts and all their descendants, unless there are too many.
    pub(super) fn replaced_with(&self, conflicts: &BTreeSet<Seq>) -> Result<BTreeSet<Seq>, Reject> {
        let mut replaced = BTreeSet::new();
        for &conflict in conflicts {
            replaced.insert(conflict);
            replaced.append(&mut self.index.descendants(conflict));
            let (evicts, max) = (replaced.len(), REPLACED_MAX);
            if evicts > max {
                return Err(Reject::ReplacementTooMany { evicts, max });
            }
        }
        Ok(replaced)
    }

    pub(super) fn check_replacement(
        &self,
        tx: &Transaction,
        own: Package,
        ancestors: &BTreeSet<Seq>,
        conflicts: &BTreeSet<Seq>,
        replaced: &BTreeSet<Seq>,
    ) -> Result<(), Reject> {
        if conflicts.is_empty() {
            return Ok(());
        }
        self.check_spends_nothing_replaced(ancestors, replaced)?;
        self.check_adds_no_unconfirmed(tx, conflicts)?;
        self.check_rate_above(own, conflicts)?;
        self.check_pays_for(own, replaced)
    }

    fn check_spends_nothing_replaced(
        &self,
        ancestors: &BTreeSet<Seq>,
        replaced: &BTreeSet<Seq>,
    ) -> Result<(), Reject> {
        match ancestors.intersection(replaced).next() {
            Some(&seq) => {
                let replaced = self.index.get(seq).txid();
                Err(Reject::ReplacementSpendsReplaced { replaced })
            }
            None => Ok(()),
        }
    }

    /// BIP-125 rule 2: its unconfirmed inputs are among those of its conflicts, so it does not
    /// depend on cheaper parents than they did.
    fn check_adds_no_unconfirmed(
        &self,
        tx: &Transaction,
        conflicts: &BTreeSet<Seq>,
    ) -> Result<(), Reject> {
        let added = tx.body.inputs.iter().find(|outpoint| {
            let is_unconfirmed = self.index.by_txid(&outpoint.txid).is_some();
            let is_old = self.index.spender(outpoint).is_some_and(|seq| conflicts.contains(&seq));
            is_unconfirmed && !is_old
        });
        match added {
            Some(&outpoint) => Err(Reject::ReplacementAddsUnconfirmed { outpoint }),
            None => Ok(()),
        }
    }

    fn check_rate_above(&self, own: Package, conflicts: &BTreeSet<Seq>) -> Result<(), Reject> {
        let entries = conflicts.iter().map(|seq| self.index.get(*seq));
        match entries.into_iter().find(|entry| own.rate() <= entry.rate()) {
            Some(entry) => Err(Reject::ReplacementRateTooLow {
                conflict: entry.txid(),
                fee: own.fee,
                bytes: own.bytes,
                conflict_fee: entry.fee,
                conflict_bytes: entry.bytes(),
            }),
            None => Ok(()),
        }
    }

    /// BIP-125 rules 3 and 4: it pays the fees of all it replaces, and its own relay on top.
    fn check_pays_for(&self, own: Package, replaced: &BTreeSet<Seq>) -> Result<(), Reject> {
        let packages = replaced.iter().map(|seq| self.index.get(*seq).alone());
        let lost = packages.fold(Package::default(), Package::plus);
        let relay = self.limits.min_fee_rate.saturating_mul(own.bytes as u64);
        let needed = lost.fee.checked_add(Amount(relay)).unwrap_or(Amount(u64::MAX));
        if own.fee < needed {
            return Err(Reject::ReplacementFeeTooLow {
                offered: own.fee,
                needed,
                replaced: lost.fee,
                evicts: lost.count,
                bytes: own.bytes,
            });
        }
        Ok(())
    }
}
