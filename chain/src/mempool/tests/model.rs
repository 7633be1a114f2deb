//! The pool against a list of transactions from which everything is recounted on each step.
use super::fixture::*;
use crate::{
    codec,
    ledger::LedgerView,
    mempool::{Mempool, MempoolLimits, Rate, rate::Floor},
    rules,
    types::{Amount, Height, Lock, Millis, OutPoint, Output, Transaction, TxId},
};
use proptest::{collection::vec, prelude::*};
use std::{cmp::Reverse, collections::BTreeSet};

#[derive(Debug, Clone)]
enum Op {
    /// Admits a transaction that spends some of all outputs there are, spent in the pool or not.
    Admit { picks: Vec<u16>, outputs: u64, rate: u64, last: u64, locked: bool, replace: bool },
    /// A block with the best of the pool.
    Confirm { count: usize },
    /// A block with a transaction that the pool has not seen, and what of the pool agrees with it.
    Foreign { pick: u16, also: usize },
    /// Time passes, and with it an empty block.
    Wait { ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let admit = (vec(any::<u16>(), 1..4), 1..4_u64, 8..80_u64, 0..8_u64, any::<[u8; 2]>());
    prop_oneof![
        12 => admit.prop_map(|(picks, outputs, rate, last, [locked, replace])| Op::Admit {
            picks, outputs, rate, last, locked: locked < 40, replace: replace < 100,
        }),
        1 => (0..4_usize).prop_map(|count| Op::Confirm { count }),
        1 => (any::<u16>(), 0..6_usize).prop_map(|(pick, also)| Op::Foreign { pick, also }),
        1 => (0..400_000_u64).prop_map(|ms| Op::Wait { ms }),
    ]
}

fn limits() -> impl Strategy<Value = MempoolLimits> {
    (4..14_usize, 800..4_000_usize, 2..6_usize, 2..6_usize).prop_map(
        |(transactions_max, bytes_max, ancestors_max, descendants_max)| MempoolLimits {
            transactions_max,
            bytes_max,
            expiry: Millis(3_000_000),
            min_fee_rate: 10,
            ancestors_max,
            descendants_max,
        },
    )
}

#[derive(Debug, Clone)]
struct Waiting {
    tx: Transaction,
    txid: TxId,
    bytes: usize,
    fee: u64,
    added: Millis,
}

impl Waiting {
    fn rate(&self) -> Rate {
        Rate { fee: Amount(self.fee), bytes: self.bytes }
    }

    fn spends(&self, outpoint: &OutPoint) -> bool {
        self.tx.body.inputs.contains(outpoint)
    }

    fn is_child_of(&self, other: &Self) -> bool {
        self.tx.body.inputs.iter().any(|outpoint| outpoint.txid == other.txid)
    }
}

/// What waits, in the order of admission. Sets are of places in this list.
struct Model {
    limits: MempoolLimits,
    waiting: Vec<Waiting>,
    floor: Floor,
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

    fn with_descendants(&self, from: BTreeSet<usize>) -> BTreeSet<usize> {
        self.closure(from, |of, candidate| candidate.is_child_of(of))
    }

    fn rate_of(&self, members: &BTreeSet<usize>) -> Rate {
        Rate {
            fee: Amount(members.iter().map(|n| self.waiting[*n].fee).sum()),
            bytes: members.iter().map(|n| self.waiting[*n].bytes).sum(),
        }
    }

    fn find(&self, test: impl Fn(&Waiting) -> bool) -> BTreeSet<usize> {
        (0..self.waiting.len()).filter(|n| test(&self.waiting[*n])).collect()
    }

    fn remove(&mut self, members: &BTreeSet<usize>) -> Vec<TxId> {
        members.iter().rev().map(|n| self.waiting.remove(*n).txid).collect()
    }

    /// The ids of what is replaced and evicted, or the code of the refusal.
    fn admit(
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

    fn on_block(&mut self, block: &[Transaction], next: Height, now: Millis) -> [Vec<TxId>; 3] {
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

    /// Always the best that was not tried since its missing ancestors last changed.
    fn select(&self, height: Height, bytes_max: usize, count_max: usize) -> Vec<TxId> {
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

/// The pool, the model and the chain under both.
struct Pair {
    ledger: Ledger,
    pool: Mempool,
    model: Model,
    now: Millis,
}

impl Pair {
    fn run(&mut self, op: Op) {
        match op {
            Op::Admit { .. } => self.admit(op),
            Op::Confirm { count } => {
                let height = self.ledger.next_height();
                let chosen = self.pool.select(height, usize::MAX, count);
                self.block(chosen.iter().map(|entry| (**entry.transaction()).clone()).collect());
            }
            Op::Foreign { pick, also } => self.foreign(pick, also),
            Op::Wait { ms } => {
                self.now = self.now.plus(Millis(ms));
                self.block(Vec::new());
            }
        }
        self.pool.check_invariants();
        let ids = |pool: &Mempool| pool.iter().map(|entry| entry.txid()).collect::<Vec<_>>();
        let expected: Vec<TxId> = self.model.waiting.iter().map(|waiting| waiting.txid).collect();
        assert_eq!(ids(&self.pool), expected);
        let floor = self.model.floor.rate(self.now).units_per_byte().max(10);
        assert_eq!(self.pool.min_fee_rate(self.now), floor);
        self.compare_selections();
    }

    fn admit(&mut self, op: Op) {
        let Op::Admit { picks, outputs, rate, last, locked, replace } = op else { return };
        let mut known = self.ledger.coins();
        known.extend(self.pool.iter().flat_map(|entry| {
            let tx = entry.transaction();
            (0..tx.body.outputs.len()).map(|index| output(tx, index))
        }));
        if !replace {
            known.retain(|(outpoint, _)| self.pool.spender(outpoint).is_none());
        }
        let inputs: Vec<_> =
            picks.iter().map(|pick| known[usize::from(*pick) % known.len()]).collect();
        let value: u64 = inputs.iter().map(|(_, value)| value).sum();
        let bytes = self.ledger.spend(&inputs, outputs, 0);
        let fee = (rate * codec::encode(&bytes).len() as u64).min(value / 2);
        let mut tx = self.ledger.spend(&inputs, outputs, fee);
        if last > 0 {
            tx.body.expiry_height = Height(self.ledger.state.height.0 + last);
        }
        if locked {
            let height = self.ledger.next_height().next();
            let key = crate::crypto::PublicKey([9; 32]);
            tx.body.outputs[0].lock = Lock::Timelock { height, key };
        }
        let expected = self.model.admit(&self.ledger, self.now, &tx);
        let result = self.ledger.admit(&mut self.pool, self.now, tx).map(|admitted| {
            let ids = |entries: &[crate::mempool::Entry]| {
                entries.iter().map(|entry| entry.txid()).collect::<Vec<_>>()
            };
            (ids(&admitted.replaced), ids(&admitted.evicted))
        });
        assert_eq!(result.map_err(code), expected);
    }

    fn foreign(&mut self, pick: u16, also: usize) {
        let coins = self.ledger.coins();
        let coin = coins[usize::from(pick) % coins.len()];
        let tx = self.ledger.spend(&[coin], 1, 0);
        let mut block = vec![tx.clone()];
        let mut shunned = self.model.find(|waiting| waiting.spends(&coin.0));
        shunned = self.model.with_descendants(shunned);
        let rest = (0..self.model.waiting.len()).filter(|n| !shunned.contains(n));
        let rest = rest.map(|n| self.model.waiting[n].tx.clone());
        let height = self.ledger.next_height();
        let valid = rest.take_while(|tx| tx.body.expiry_height >= height);
        block.extend(valid.take(also));
        let spent = Output { value: Amount(coin.1), lock: self.lock_of(&coin.0) };
        if rules::check_spend(height, &tx, &[spent]).is_ok() {
            self.block(block);
        }
    }

    fn lock_of(&self, outpoint: &OutPoint) -> Lock {
        self.ledger.view.coin(outpoint).unwrap().unwrap().coin.output.lock
    }

    fn block(&mut self, transactions: Vec<Transaction>) {
        let block = self.ledger.commit(transactions);
        let next = self.ledger.next_height();
        let removed = self.pool.on_block(&block, next, self.now);
        let removed = [removed.confirmed, removed.conflicting, removed.expired];
        let removed: [Vec<TxId>; 3] =
            removed.map(|entries| entries.iter().map(|entry| entry.txid()).collect());
        assert_eq!(self.model.on_block(&block.transactions, next, self.now), removed);
    }

    fn compare_selections(&self) {
        let next = self.ledger.next_height();
        for (height, bytes_max, count_max) in [
            (next, usize::MAX, usize::MAX),
            (next, 1_000, usize::MAX),
            (next, usize::MAX, 3),
            (Height(next.0 + 2), 1_500, 5),
        ] {
            let chosen = self.pool.select(height, bytes_max, count_max);
            let expected = self.model.select(height, bytes_max, count_max);
            assert!(chosen.iter().map(|entry| entry.txid()).eq(expected));
            assert!(chosen.len() <= count_max);
            assert!(chosen.iter().map(|entry| entry.bytes()).sum::<usize>() <= bytes_max);
            let transactions = chosen.iter().map(|entry| (**entry.transaction()).clone()).collect();
            if height == next {
                self.ledger.execute(&self.ledger.block(transactions)).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn the_pool_agrees_with_a_recount(limits in limits(), ops in vec(op(), 1..80)) {
        let ledger = Ledger::new(8);
        let pool = ledger.pool(limits.clone());
        let model = Model { limits, waiting: Vec::new(), floor: Floor::default() };
        let mut pair = Pair { ledger, pool, model, now: Millis(0) };
        for op in ops {
            pair.run(op);
        }
    }
}
