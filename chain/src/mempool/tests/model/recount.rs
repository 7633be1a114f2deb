//! The model: a plain list of transactions from which every answer is recounted.
use super::*;
use crate::mempool::Rate;
use std::{cmp::Reverse, collections::BTreeSet};

#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) tx: Transaction,
    pub(super) txid: TxId,
    bytes: usize,
    fee: u64,
    added: Millis,
}

impl Waiting {
    fn rate(&self) -> Rate {
        Rate { fee: Amount(self.fee), bytes: self.bytes }
    }

    pub(super) fn spends(&self, outpoint: &OutPoint) -> bool {
        self.tx.body.inputs.contains(outpoint)
    }

    fn is_child_of(&self, other: &Self) -> bool {
        self.tx.body.inputs.iter().any(|outpoint| outpoint.txid == other.txid)
    }
}

/// The transactions in order of admission. Sets hold indices into this list.
pub(super) struct Model {
    pub(super) limits: MempoolLimits,
    pub(super) waiting: Vec<Waiting>,
    pub(super) floor: Floor,
}

impl Model {
    fn closure(
        &self,
        from: BTreeSet<usize>,
        next: impl Fn(&Waiting, &Waiting) -> bool,
    ) -> BTreeSet<usize> {
        let mut all = from;
        loop {
            let more: BTreeSet<usize> = (0..self.waiting.len())
                .filter(|n| all.iter().any(|m| next(&self.waiting[*m], &self.waiting[*n])))
                .collect();
            if more.is_subset(&all) {
                return all;
            }
            all.extend(more);
        }
    }

    fn with_ancestors(&self, from: BTreeSet<usize>) -> BTreeSet<usize> {
        self.closure(from, Waiting::is_child_of)
    }

    pub(super) fn with_descendants(&self, from: BTreeSet<usize>) -> BTreeSet<usize> {
        self.closure(from, |of, candidate| candidate.is_child_of(of))
    }

    fn rate_of(&self, members: &BTreeSet<usize>) -> Rate {
        Rate {
            fee: Amount(members.iter().map(|n| self.waiting[*n].fee).sum()),
            bytes: members.iter().map(|n| self.waiting[*n].bytes).sum(),
        }
    }

    pub(super) fn find(&self, test: impl Fn(&Waiting) -> bool) -> BTreeSet<usize> {
        (0..self.waiting.len()).filter(|n| test(&self.waiting[*n])).collect()
    }

    fn remove(&mut self, members: &BTreeSet<usize>) -> Vec<TxId> {
        members.iter().rev().map(|n| self.waiting.remove(*n).txid).collect()
    }

    /// The ids of the replaced and evicted transactions, or the code of the rejection.
    pub(super) fn admit(
        &mut self,
        ledger: &Ledger,
        now: Millis,
        tx: &Transaction,
    ) -> Result<(Vec<TxId>, Vec<TxId>), &'static str> {
        rules::check_transaction(ledger.chain.id(), tx).map_err(|error| error.code())?;
        let txid = tx.txid();
        if self.waiting.iter().any(|waiting| waiting.txid == txid) {
            return Err("txn-already-in-mempool");
        }
        let spent: Option<Vec<Output>> =
            tx.body.inputs.iter().map(|outpoint| self.output(ledger, outpoint)).collect();
        let spent = spent.ok_or("bad-txns-inputs-missingorspent")?;
        let fee = rules::check_spend(ledger.next_height(), tx, &spent);
        let fee = fee.map_err(|error| error.code())?.0;
        let bytes = codec::encode(tx).len();
        let new = Waiting { tx: tx.clone(), txid, bytes, fee, added: now };
        if fee < 10 * bytes as u64 {
            return Err("min relay fee not met");
        }
        if Amount(fee) < self.floor.rate(now).fee_for(bytes) {
            return Err("mempool min fee not met");
        }
        let conflicts = self.find(|old| new.tx.body.inputs.iter().any(|input| old.spends(input)));
        let replaced = self.with_descendants(conflicts.clone());
        let ancestors = self.with_ancestors(self.find(|old| new.is_child_of(old)));
        self.check_families(&ancestors, &replaced)?;
        self.check_replacement(&new, &conflicts, &replaced, &ancestors)?;
        let (evicted, rate) = self.evict(&new, &ancestors, &replaced)?;
        if let Some(rate) = rate {
            self.floor.raise(rate, 10, now);
        }
        let ids = |members: &BTreeSet<usize>| {
            members.iter().rev().map(|n| self.waiting[*n].txid).collect::<Vec<_>>()
        };
        let gone = (ids(&replaced), ids(&evicted));
        self.remove(&replaced.union(&evicted).copied().collect());
        self.waiting.push(new);
        Ok(gone)
    }

    fn output(&self, ledger: &Ledger, outpoint: &OutPoint) -> Option<Output> {
        match self.waiting.iter().find(|waiting| waiting.txid == outpoint.txid) {
            Some(parent) => parent.tx.body.outputs.get(usize::from(outpoint.vout)).cloned(),
            None => ledger.view.coin(outpoint).unwrap().map(|coin| coin.coin.output),
        }
    }

    fn check_families(
        &self,
        ancestors: &BTreeSet<usize>,
        replaced: &BTreeSet<usize>,
    ) -> Result<(), &'static str> {
        let too_many = ancestors.iter().any(|ancestor| {
            let family = self.with_descendants(BTreeSet::from([*ancestor]));
            family.difference(replaced).count() + 1 > self.limits.descendants_max
        });
        if too_many || ancestors.len() + 1 > self.limits.ancestors_max {
            return Err("too-long-mempool-chain");
        }
        Ok(())
    }

    fn check_replacement(
        &self,
        new: &Waiting,
        conflicts: &BTreeSet<usize>,
        replaced: &BTreeSet<usize>,
        ancestors: &BTreeSet<usize>,
    ) -> Result<(), &'static str> {
        if conflicts.is_empty() {
            return Ok(());
        }
        if !ancestors.is_disjoint(replaced) {
            return Err("bad-txns-spends-conflicting-tx");
        }
        let adds = new.tx.body.inputs.iter().any(|input| {
            self.waiting.iter().any(|old| old.txid == input.txid)
                && !conflicts.iter().any(|n| self.waiting[*n].spends(input))
        });
        if adds {
            return Err("replacement-adds-unconfirmed");
        }
        let lost = self.rate_of(replaced).fee.0;
        let is_better = conflicts.iter().all(|n| new.rate() > self.waiting[*n].rate());
        if !is_better || new.fee < lost + 10 * new.bytes as u64 {
            return Err("insufficient fee");
        }
        Ok(())
    }

    fn worth(&self, n: usize) -> Rate {
        let family = self.with_descendants(BTreeSet::from([n]));
        self.waiting[n].rate().max(self.rate_of(&family))
    }

    #[allow(clippy::type_complexity, reason = "one caller")]
    fn evict(
        &self,
        new: &Waiting,
        ancestors: &BTreeSet<usize>,
        replaced: &BTreeSet<usize>,
    ) -> Result<(BTreeSet<usize>, Option<Rate>), &'static str> {
        let mut order: Vec<usize> = (0..self.waiting.len()).collect();
        order.sort_by_key(|n| (self.worth(*n), Reverse(*n)));
        let mut order = order.into_iter().filter(|n| !ancestors.contains(n)).peekable();
        let (mut evicted, mut rate) = (BTreeSet::new(), None);
        loop {
            let left: Vec<&Waiting> = (0..self.waiting.len())
                .filter(|n| !replaced.contains(n) && !evicted.contains(n))
                .map(|n| &self.waiting[n])
                .collect();
            let bytes = left.iter().map(|waiting| waiting.bytes).sum::<usize>() + new.bytes;
            if left.len() < self.limits.transactions_max && bytes <= self.limits.bytes_max {
                return Ok((evicted, rate));
            }
            while order.next_if(|n| replaced.contains(n) || evicted.contains(n)).is_some() {}
            let worst = order.next().filter(|n| self.worth(*n) < new.rate());
            let worst = worst.ok_or("mempool full")?;
            rate = rate.max(Some(self.worth(worst)));
            let family = self.with_descendants(BTreeSet::from([worst]));
            evicted.extend(family.difference(replaced));
        }
    }

    pub(super) fn on_block(
        &mut self,
        block: &[Transaction],
        next: Height,
        now: Millis,
    ) -> [Vec<TxId>; 3] {
        let ids: Vec<TxId> = block.iter().map(Transaction::txid).collect();
        let confirmed = self.find(|waiting| ids.contains(&waiting.txid));
        let mut confirmed = self.remove(&confirmed);
        confirmed.sort_by_key(|txid| ids.iter().position(|id| id == txid));
        let taken: Vec<OutPoint> = block.iter().flat_map(|tx| tx.body.inputs.clone()).collect();
        let losers = self.find(|waiting| taken.iter().any(|input| waiting.spends(input)));
        let conflicting = self.remove(&self.with_descendants(losers));
        let expiry = self.limits.expiry;
        let old = self.find(|waiting| {
            waiting.tx.body.expiry_height < next || now.since(waiting.added) >= expiry
        });
        let expired = self.remove(&self.with_descendants(old));
        let bytes: usize = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        let half = |max: usize| max.div_ceil(2);
        if self.waiting.len() < half(self.limits.transactions_max)
            && bytes < half(self.limits.bytes_max)
        {
            self.floor.clear();
        }
        [confirmed, conflicting, expired]
    }

    /// Repeatedly the best entry not tried since its missing ancestors last changed.
    pub(super) fn select(&self, height: Height, bytes_max: usize, count_max: usize) -> Vec<TxId> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut failed = BTreeSet::new();
        let missing = |n: usize, chosen: &[usize]| {
            let mut members = self.with_ancestors(BTreeSet::from([n]));
            members.retain(|member| !chosen.contains(member));
            members
        };
        loop {
            let open =
                (0..self.waiting.len()).filter(|n| !chosen.contains(n) && !failed.contains(n));
            let best = open.max_by_key(|n| {
                let rate = self.rate_of(&missing(*n, &chosen));
                (rate.min(self.waiting[*n].rate()), Reverse(*n))
            });
            let Some(best) = best else { break };
            let members = missing(best, &chosen);
            let all = chosen.iter().chain(&members);
            let bytes: usize = all.clone().map(|n| self.waiting[*n].bytes).sum();
            let is_valid = members.iter().all(|n| height <= self.waiting[*n].tx.body.expiry_height);
            if is_valid && bytes <= bytes_max && all.count() <= count_max {
                for member in members {
                    chosen.push(member);
                    let family = self.with_descendants(BTreeSet::from([member]));
                    failed.retain(|n| !family.contains(n));
                }
            } else {
                failed.insert(best);
            }
        }
        chosen.into_iter().map(|n| self.waiting[n].txid).collect()
    }
}
