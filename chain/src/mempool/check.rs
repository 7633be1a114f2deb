//! Decides whether a transaction may enter and what must leave for it. Changes nothing.
use super::{
    Mempool, Reject, Screened,
    entry::{Package, Seq},
    evict::Eviction,
};
use crate::{
    ledger::Coins,
    rules::{self, RuleError, Spend},
    types::{Amount, Height, Millis, OutPoint, Output, Transaction},
};
use std::collections::BTreeSet;

/// Everything that an admission will do.
pub(super) struct Plan {
    pub(super) own: Package,
    pub(super) spent: Vec<Output>,
    pub(super) parents: BTreeSet<Seq>,
    /// Everything it depends on, without itself.
    pub(super) ancestors: BTreeSet<Seq>,
    /// Its ancestors and itself, summed up.
    pub(super) package: Package,
    /// Transactions it replaces because they spend the same outputs, with descendants.
    pub(super) replaced: BTreeSet<Seq>,
    /// Transactions evicted because the pool is full, with descendants.
    pub(super) eviction: Eviction,
}

/// What the inputs of a transaction resolve to.
struct Inputs {
    spent: Vec<Output>,
    parents: BTreeSet<Seq>,
    conflicts: BTreeSet<Seq>,
}

impl Mempool {
    /// Step 2, before signature verification: whether the transaction would be admitted for a block
    /// at `height`. Returns it with the outputs it spends, for verification. The minimum fee is the
    /// one at the last change of the pool; every block is a change.
    ///
    /// # Errors
    /// If the transaction would not be admitted.
    pub fn check(
        &self,
        coins: &dyn Coins,
        height: Height,
        screened: Screened,
    ) -> Result<Spend, Reject> {
        let plan = self.plan(coins, height, self.clock, screened.transaction())?;
        Ok(Spend { transaction: screened.transaction, spent: plan.spent })
    }

    /// Checks every rule except those of a transaction alone and the signatures, cheap ones first.
    pub(super) fn plan(
        &self,
        coins: &dyn Coins,
        height: Height,
        now: Millis,
        tx: &Transaction,
    ) -> Result<Plan, Reject> {
        self.check_unknown(tx)?;
        let Inputs { spent, parents, conflicts } = self.resolve(coins, tx)?;
        let fee = rules::check_spend(height, tx, &spent)?;
        let own = Package { count: 1, bytes: tx.encoded_len(), fee };
        self.check_fee(own, now)?;
        self.check_parents(&parents)?;
        let replaced = self.replaced_with(&conflicts)?;
        let ancestors = self.index.with_ancestors(parents.clone());
        let package = self.check_ancestors(own, &ancestors)?;
        self.check_descendants(&ancestors, &replaced)?;
        self.check_replacement(tx, own, &ancestors, &conflicts, &replaced)?;
        let eviction = self.make_room(own, &ancestors, &replaced)?;
        Ok(Plan { own, spent, parents, ancestors, package, replaced, eviction })
    }

    /// The outputs that the inputs spend, from the pool or else from the ledger.
    fn resolve(&self, coins: &dyn Coins, tx: &Transaction) -> Result<Inputs, RuleError> {
        let mut spent = Vec::with_capacity(tx.body.inputs.len());
        let (mut parents, mut conflicts) = (BTreeSet::new(), BTreeSet::new());
        for outpoint in &tx.body.inputs {
            let spender = self.index.spender(outpoint);
            conflicts.extend(spender);
            let output = match self.index.by_txid(&outpoint.txid) {
                Some(parent) => {
                    parents.insert(parent);
                    self.output_of(parent, outpoint)
                }
                None => coins.output(outpoint),
            };
            spent.push(output.ok_or(RuleError::MissingInput { outpoint: *outpoint })?);
        }
        Ok(Inputs { spent, parents, conflicts })
    }

    fn output_of(&self, parent: Seq, outpoint: &OutPoint) -> Option<Output> {
        let outputs = &self.index.get(parent).transaction.body.outputs;
        outputs.get(usize::from(outpoint.vout)).cloned()
    }

    fn check_fee(&self, own: Package, now: Millis) -> Result<(), Reject> {
        let (fee, bytes) = (own.fee, own.bytes);
        let rate = self.limits.min_fee_rate;
        let needed = Amount(rate.saturating_mul(bytes as u64));
        if fee < needed {
            return Err(Reject::FeeTooLow { fee, needed, bytes, rate });
        }
        let floor = self.floor.rate(now);
        let needed = floor.fee_for(bytes);
        if fee < needed {
            let rate = floor.units_per_byte();
            return Err(Reject::PoolFeeTooLow { fee, needed, bytes, rate });
        }
        // If the sum over the whole pool does not overflow, no partial sum does.
        self.index.total().fee.checked_add(fee).ok_or(RuleError::SupplyOverflow)?;
        Ok(())
    }

    /// Bounds the walk over the ancestors before it starts.
    fn check_parents(&self, parents: &BTreeSet<Seq>) -> Result<(), Reject> {
        let (ancestors, max) = (parents.len() + 1, self.limits.ancestors_max);
        if ancestors > max {
            return Err(Reject::TooManyAncestors { ancestors, max });
        }
        Ok(())
    }

    fn check_ancestors(&self, own: Package, ancestors: &BTreeSet<Seq>) -> Result<Package, Reject> {
        let families = ancestors.iter().map(|seq| self.index.get(*seq).alone());
        let package = families.fold(own, Package::plus);
        let (ancestors, max) = (package.count, self.limits.ancestors_max);
        if ancestors > max {
            return Err(Reject::TooManyAncestors { ancestors, max });
        }
        Ok(package)
    }

    fn check_descendants(
        &self,
        ancestors: &BTreeSet<Seq>,
        replaced: &BTreeSet<Seq>,
    ) -> Result<(), Reject> {
        let max = self.limits.descendants_max;
        for &seq in ancestors {
            let entry = self.index.get(seq);
            let mut descendants = entry.descendants.count + 1;
            if descendants > max && !replaced.is_empty() {
                descendants -= self.index.descendants(seq).intersection(replaced).count();
            }
            if descendants > max {
                let ancestor = entry.txid();
                return Err(Reject::TooManyDescendants { ancestor, descendants, max });
            }
        }
        Ok(())
    }
}
