//! Which transactions a proposer selects, and in which order.
use super::fixture::*;
use crate::{
    crypto::{PublicKey, Signature},
    limits::{BLOCK_SIGNATURES_MAX, MULTI_KEYS_MAX},
    mempool::{Mempool, MempoolLimits},
    types::{Height, Lock, Transaction, Witness},
};

/// The indices in `txs` of the selected transactions, in order.
fn chosen(pool: &Mempool, txs: &[Transaction], bytes_max: usize, count_max: usize) -> Vec<usize> {
    let ids: Vec<_> = txs.iter().map(Transaction::txid).collect();
    let selected = pool.select(Height(1), bytes_max, count_max);
    selected.iter().map(|entry| ids.iter().position(|id| *id == entry.txid()).unwrap()).collect()
}

fn admitted(ledger: &Ledger, txs: &[Transaction]) -> Mempool {
    let mut pool = ledger.pool(MempoolLimits::default());
    for tx in txs {
        ledger.must_admit(&mut pool, tx.clone());
    }
    pool
}

#[test]
fn the_highest_rate_comes_first_and_the_earlier_among_equals() {
    let ledger = Ledger::new(4);
    let coins = ledger.coins();
    let fees = [3_000, 5_000, 3_000, 4_000];
    let txs: Vec<_> = (0..4).map(|n| ledger.spend(&coins[n..=n], 1, fees[n])).collect();
    let pool = admitted(&ledger, &txs);
    assert_eq!(chosen(&pool, &txs, usize::MAX, usize::MAX), [1, 3, 0, 2]);
    assert_eq!(chosen(&pool, &txs, usize::MAX, 3), [1, 3, 0]);
    assert_eq!(chosen(&pool, &txs, 3 * SMALL - 1, usize::MAX), [1, 3]);
    assert_eq!(chosen(&pool, &txs, 0, usize::MAX), [0; 0]);
    assert_eq!(chosen(&pool, &txs, usize::MAX, 0), [0; 0]);
}

#[test]
fn a_child_that_pays_pulls_in_its_parent() {
    let ledger = Ledger::new(2);
    let coins = ledger.coins();
    let parent = ledger.spend(&coins[..1], 1, 2_000);
    let child = ledger.spend(&[output(&parent, 0)], 1, 20_000);
    let other = ledger.spend(&coins[1..], 1, 10_000);
    let txs = [parent, child, other];
    let pool = admitted(&ledger, &txs);
    // Together they pay 11,000 each.
    assert_eq!(chosen(&pool, &txs, usize::MAX, usize::MAX), [0, 1, 2]);
    // If both do not fit, the other goes in alone.
    assert_eq!(chosen(&pool, &txs, usize::MAX, 1), [2]);
}

#[test]
fn a_parent_that_pays_does_not_lift_its_child() {
    let ledger = Ledger::new(2);
    let coins = ledger.coins();
    let parent = ledger.spend(&coins[..1], 1, 90_000);
    let child = ledger.spend(&[output(&parent, 0)], 1, 2_000);
    let other = ledger.spend(&coins[1..], 1, 10_000);
    let txs = [parent, child, other];
    assert_eq!(chosen(&admitted(&ledger, &txs), &txs, usize::MAX, usize::MAX), [0, 2, 1]);
}

#[test]
fn once_a_parent_is_in_its_other_children_are_scored_without_it() {
    let ledger = Ledger::new(2);
    let coins = ledger.coins();
    let parent = ledger.spend(&coins[..1], 2, 3_000);
    let rich = ledger.spend(&[output(&parent, 0)], 1, 40_000);
    let poorer = ledger.spend(&[output(&parent, 1)], 1, 12_000);
    let other = ledger.spend(&coins[1..], 1, 10_000);
    let txs = [parent, rich, poorer, other];
    // With its parent the cheaper child would come after the other.
    assert_eq!(chosen(&admitted(&ledger, &txs), &txs, usize::MAX, usize::MAX), [0, 1, 2, 3]);
}

#[test]
fn what_is_not_valid_at_the_height_stays_out_with_its_children() {
    let ledger = Ledger::new(2);
    let coins = ledger.coins();
    let mut short = ledger.spend(&coins[..1], 1, 5_000);
    short.edit(|tx| tx.body.expiry_height = Height(3));
    let child = ledger.spend(&[output(&short, 0)], 1, 5_000);
    let other = ledger.spend(&coins[1..], 1, 3_000);
    let txs = [short, child, other];
    let pool = admitted(&ledger, &txs);
    for (height, count) in [(0, 3), (1, 3), (3, 3), (4, 1)] {
        assert_eq!(pool.select(Height(height), usize::MAX, usize::MAX).len(), count, "{height}");
    }
}

#[test]
fn a_block_takes_no_more_signatures_than_it_may_hold() {
    let keys: Vec<_> = (1..=16).map(|byte| PublicKey([byte; 32])).collect();
    assert_eq!(keys.len(), MULTI_KEYS_MAX);
    let ledger = Ledger::owned_by(Lock::Multi { threshold: 16, keys }, 2_100);
    let coins = ledger.coins();
    let signatures = (0..16).map(|key| (key, Signature::from_bytes(&[0; 64]))).collect();
    let witness = Witness::Multi(signatures);
    let spend = |from: usize, inputs: usize, fee| {
        let tx = ledger.spend(&coins[from..from + inputs], 1, fee);
        Transaction::new(tx.body.clone(), vec![witness.clone(); inputs])
    };
    // 22 with 1,440 signatures each; then one that does not fit, and one that exactly does.
    let mut txs: Vec<_> = (0..22).map(|n| spend(90 * n, 90, 9_000_000)).collect();
    txs.push(spend(1_980, 21, 400_000));
    txs.push(spend(2_001, 20, 300_000));
    let pool = admitted(&ledger, &txs);
    let chosen = chosen(&pool, &txs, usize::MAX, usize::MAX);
    let signatures: usize = chosen.iter().map(|index| txs[*index].signatures()).sum();
    assert_eq!(signatures, BLOCK_SIGNATURES_MAX);
    assert_eq!(chosen.len(), 23);
    assert!(!chosen.contains(&22));
}
