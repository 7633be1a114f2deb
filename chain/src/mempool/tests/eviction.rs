//! What leaves a full pool, and the minimum rate that follows.
use super::fixture::*;
use crate::{
    codec,
    mempool::{MempoolLimits, Reject},
    types::{Amount, Millis},
};

fn room_for(transactions_max: usize) -> MempoolLimits {
    MempoolLimits { transactions_max, ..MempoolLimits::default() }
}

#[test]
fn the_cheapest_leaves_a_full_pool_and_the_floor_rises_above_it() {
    let ledger = Ledger::new(4);
    let coins = ledger.coins();
    for limits in
        [room_for(3), MempoolLimits { bytes_max: 4 * SMALL - 1, ..MempoolLimits::default() }]
    {
        let mut pool = ledger.pool(limits);
        let fees = [20, 30, 25].map(|rate| rate * SMALL as u64);
        let txs: Vec<_> = (0..3).map(|n| ledger.spend(&coins[n..=n], 1, fees[n])).collect();
        for tx in &txs {
            ledger.must_admit(&mut pool, tx.clone());
        }
        let better = ledger.spend(&coins[3..], 1, 40 * SMALL as u64);
        let admitted = ledger.admit(&mut pool, Millis(0), better).unwrap();
        assert!(admitted.evicted.iter().map(|entry| entry.txid()).eq([txs[0].txid()]));
        assert_eq!(pool.min_fee_rate(Millis(0)), 30);
        let again = ledger.spend(&coins[..1], 1, 29 * SMALL as u64);
        let error = ledger.admit(&mut pool, Millis(0), again).unwrap_err();
        let (fee, needed) = (Amount(29 * SMALL as u64), Amount(30 * SMALL as u64));
        let expected = Reject::PoolFeeTooLow { fee, needed, bytes: SMALL, rate: 30 };
        assert_eq!(error, expected);
        assert_eq!(code(error), "mempool min fee not met");
    }
}

#[test]
fn a_full_pool_refuses_what_pays_no_more_than_its_cheapest() {
    let ledger = Ledger::new(3);
    let coins = ledger.coins();
    let mut pool = ledger.pool(room_for(2));
    for n in 0..2 {
        ledger.must_admit(&mut pool, ledger.spend(&coins[n..=n], 1, 20 * SMALL as u64));
    }
    let equal = ledger.spend(&coins[2..], 1, 20 * SMALL as u64);
    let error = ledger.admit(&mut pool, Millis(0), equal).unwrap_err();
    let (fee, bytes) = (Amount(20 * SMALL as u64), SMALL);
    let expected = Reject::Full { transactions: 2, pool_bytes: 2 * SMALL, fee, bytes };
    assert_eq!(error, expected);
}

#[test]
fn a_parent_is_kept_for_a_child_that_pays_and_leaves_with_one_that_pays_too_little() {
    let ledger = Ledger::new(3);
    let coins = ledger.coins();
    for (parent_rate, child_rate, evicted) in
        [(10, 100, vec![2]), (10, 12, vec![1, 0]), (12, 10, vec![1])]
    {
        let mut pool = ledger.pool(room_for(3));
        let parent = ledger.spend(&coins[..1], 1, parent_rate * SMALL as u64);
        let child = ledger.spend(&[output(&parent, 0)], 1, child_rate * SMALL as u64);
        let other = ledger.spend(&coins[1..2], 1, 20 * SMALL as u64);
        let txs = [parent, child, other];
        for tx in &txs {
            ledger.must_admit(&mut pool, tx.clone());
        }
        let better = ledger.spend(&coins[2..], 1, 30 * SMALL as u64);
        let admitted = ledger.admit(&mut pool, Millis(0), better).unwrap();
        let left: Vec<_> = admitted.evicted.iter().map(|entry| entry.txid()).collect();
        let expected: Vec<_> = evicted.into_iter().map(|n: usize| txs[n].txid()).collect();
        assert_eq!(left, expected);
    }
}

#[test]
fn what_a_newcomer_depends_on_is_not_evicted_for_it() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(room_for(1));
    let parent = ledger.must_admit(&mut pool, ledger.spend(&ledger.coins(), 1, SMALL_FEE));
    let child = ledger.spend(&[parent], 1, 1_000_000);
    assert_eq!(ledger.refusal(&mut pool, child), "mempool full");
}

#[test]
fn a_replacement_frees_its_own_room() {
    let ledger = Ledger::new(2);
    let coins = ledger.coins();
    let mut pool = ledger.pool(room_for(2));
    ledger.must_admit(&mut pool, ledger.spend(&coins[..1], 1, SMALL_FEE));
    ledger.must_admit(&mut pool, ledger.spend(&coins[1..], 1, 50_000));
    let replacement = ledger.spend(&coins[1..], 1, 60_000);
    let admitted = ledger.admit(&mut pool, Millis(0), replacement).unwrap();
    assert_eq!((admitted.replaced.len(), admitted.evicted.len()), (1, 0));
}

#[test]
fn one_admission_may_replace_a_child_and_evict_its_parent() {
    let ledger = Ledger::new(3);
    let coins = ledger.coins();
    let parent = ledger.spend(&coins[..1], 1, SMALL_FEE);
    let child = ledger.spend(&[output(&parent, 0), coins[1]], 1, 4_000);
    let other = ledger.spend(&coins[2..], 1, 50_000);
    let txs = [parent, child, other];
    let bytes_max = txs.iter().map(|tx| codec::encode(tx).len()).sum();
    let mut pool = ledger.pool(MempoolLimits { bytes_max, ..MempoolLimits::default() });
    for tx in &txs {
        ledger.must_admit(&mut pool, tx.clone());
    }
    let larger = ledger.spend(&coins[1..2], 5, 100_000);
    let admitted = ledger.admit(&mut pool, Millis(0), larger).unwrap();
    assert!(admitted.replaced.iter().map(|entry| entry.txid()).eq([txs[1].txid()]));
    assert!(admitted.evicted.iter().map(|entry| entry.txid()).eq([txs[0].txid()]));
}

#[test]
fn the_floor_falls_with_time_and_at_once_when_half_of_the_pool_is_free() {
    let mut ledger = Ledger::new(4);
    let coins = ledger.coins();
    let mut pool = ledger.pool(room_for(3));
    for n in 0..3 {
        ledger.must_admit(&mut pool, ledger.spend(&coins[n..=n], 1, 70 * SMALL as u64));
    }
    ledger.must_admit(&mut pool, ledger.spend(&coins[3..], 1, 90 * SMALL as u64));
    assert_eq!(pool.min_fee_rate(Millis(0)), 80);
    assert_eq!(pool.min_fee_rate(Millis(600_000)), 40);
    assert_eq!(pool.min_fee_rate(Millis(60_000_000)), 10);
    let chosen = pool.select(ledger.next_height(), usize::MAX, usize::MAX);
    let transactions = chosen.iter().map(|entry| entry.transaction().clone()).collect();
    let block = ledger.commit(transactions);
    pool.on_block(&block, ledger.next_height(), Millis(1));
    assert_eq!(pool.min_fee_rate(Millis(1)), 10);
}
