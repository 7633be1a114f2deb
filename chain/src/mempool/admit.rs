//! Carries out a planned admission: removes what must leave, then inserts the transaction.
use super::{Entry, Mempool, Reject, entry::first_height};
use crate::{
    crypto::Verified,
    ledger::Coins,
    rules::{self, RuleError, Spend},
    types::{Height, Millis, Transaction},
};
use std::collections::BTreeSet;

/// The result of an admission.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The admitted transaction.
    pub transaction: Transaction,
    /// The transactions it replaced, with descendants, the last admitted first.
    pub replaced: Vec<Entry>,
    /// The transactions evicted because the pool was full, with descendants, the last admitted
    /// first.
    pub evicted: Vec<Entry>,
}

impl Mempool {
    /// Step 3, after signature verification: repeats the checks whose result may have changed since
    /// step 2, then admits. On an error nothing has changed.
    ///
    /// # Errors
    /// If the transaction is not admitted.
    pub fn admit(
        &mut self,
        coins: &dyn Coins,
        height: Height,
        now: Millis,
        spend: Verified<Spend>,
    ) -> Result<Admitted, Reject> {
        // The pool's clock never runs backwards, so the order of admission is the order of age.
        let now = now.max(self.clock);
        let tx = &spend.transaction;
        rules::check_transaction(self.chain, tx)?;
        let plan = self.plan(coins, height, now, tx)?;
        if plan.spent != spend.spent {
            // The signatures were verified against outputs other than those it spends.
            return Err(RuleError::BadSignature.into());
        }
        self.clock = now;
        let Spend { transaction, spent } = spend.into_inner();
        let first_height = first_height(&transaction, &spent);
        let entry = Entry {
            transaction: transaction.clone(),
            fee: plan.own.fee,
            added: now,
            height_added: height,
            first_height,
            parents: plan.parents,
            children: BTreeSet::new(),
            ancestors: plan.package,
            descendants: plan.own,
        };
        let replaced = self.index.remove_with_descendants(plan.replaced);
        let evicted = self.index.remove_with_descendants(plan.eviction.entries);
        if let Some(rate) = plan.eviction.rate {
            self.floor.raise(rate, self.limits.min_fee_rate, now);
        }
        self.index.insert(entry, &plan.ancestors);
        Ok(Admitted { transaction, replaced, evicted })
    }
}
