//! The pool against a list of transactions from which everything is recounted on each step.
mod recount;

use super::fixture::*;
use crate::{
    codec,
    ledger::LedgerView,
    mempool::{Mempool, MempoolLimits, rate::Floor},
    rules,
    types::{Amount, Height, Lock, Millis, OutPoint, Output, Transaction, TxId},
};
use proptest::{collection::vec, prelude::*};
use recount::Model;

#[derive(Debug, Clone)]
enum Op {
    /// Admits a transaction that spends some outputs of all that exist, spent in the pool or not.
    Admit { picks: Vec<u16>, outputs: u64, rate: u64, last: u64, locked: bool, replace: bool },
    /// A block with the best transactions of the pool.
    Confirm { count: usize },
    /// A block with a transaction unknown to the pool, and pool transactions that do not conflict
    /// with it.
    Foreign { pick: u16, also: usize },
    /// Time passes, and an empty block arrives.
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
                self.block(chosen.iter().map(|entry| entry.transaction().clone()).collect());
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
            let expiry = Height(self.ledger.state.height.0 + last);
            tx.edit(|tx| tx.body.expiry_height = expiry);
        }
        if locked {
            let height = self.ledger.next_height().next();
            let key = crate::crypto::PublicKey([9; 32]);
            tx.edit(|tx| tx.body.outputs[0].lock = Lock::Timelock { height, key });
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
            let transactions = chosen.iter().map(|entry| entry.transaction().clone()).collect();
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
