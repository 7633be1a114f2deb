//! What a block leaves in the pool.
use super::fixture::*;
use crate::{
    crypto::{PublicKey, Signature},
    mempool::{MempoolLimits, entry::first_height},
    rules,
    types::{Amount, Height, Lock, Millis, Output, Witness},
};

#[test]
fn confirmed_transactions_leave_and_their_children_stay() {
    let mut ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let parent = ledger.spend(&ledger.coins(), 1, 5_000);
    let child = ledger.spend(&[output(&parent, 0)], 1, 5_000);
    let grandchild = ledger.spend(&[output(&child, 0)], 1, 5_000);
    for tx in [&parent, &child, &grandchild] {
        ledger.must_admit(&mut pool, tx.clone());
    }
    let block = ledger.commit(vec![parent.clone(), child.clone()]);
    let removed = pool.on_block(&block, ledger.next_height(), Millis(1));
    pool.check_invariants();
    let confirmed: Vec<_> = removed.confirmed.iter().map(|entry| entry.txid()).collect();
    assert_eq!(confirmed, [parent.txid(), child.txid()]);
    assert!(removed.conflicting.is_empty() && removed.expired.is_empty());
    let entry = pool.get_by_txid(&grandchild.txid()).unwrap();
    assert_eq!((pool.len(), entry.ancestors().count), (1, 1));
    assert_eq!(ledger.refusal(&mut pool, parent), "bad-txns-inputs-missingorspent");
}

#[test]
fn a_confirmation_with_other_witnesses_is_a_confirmation() {
    let mut ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let mut tx = ledger.spend(&ledger.coins(), 1, 5_000);
    let child = ledger.must_admit(&mut pool, tx.clone());
    ledger.must_admit(&mut pool, ledger.spend(&[child], 1, 5_000));
    tx.edit(|tx| tx.witnesses[0] = Witness::Key(Signature::from_bytes(&[1; 64])));
    let block = ledger.commit(vec![tx]);
    let removed = pool.on_block(&block, ledger.next_height(), Millis(1));
    pool.check_invariants();
    assert_eq!((removed.confirmed.len(), removed.conflicting.len(), pool.len()), (1, 0, 1));
}

#[test]
fn what_conflicts_with_a_block_leaves_with_its_descendants() {
    let mut ledger = Ledger::new(2);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coins = ledger.coins();
    let loser = ledger.spend(&coins[..1], 1, 5_000);
    let child = ledger.spend(&[output(&loser, 0)], 1, 5_000);
    let other = ledger.spend(&coins[1..], 1, 5_000);
    for tx in [&loser, &child, &other] {
        ledger.must_admit(&mut pool, tx.clone());
    }
    let winner = ledger.spend(&coins[..1], 2, 0);
    let block = ledger.commit(vec![winner]);
    let removed = pool.on_block(&block, ledger.next_height(), Millis(1));
    pool.check_invariants();
    let conflicting: Vec<_> = removed.conflicting.iter().map(|entry| entry.txid()).collect();
    assert_eq!(conflicting, [child.txid(), loser.txid()]);
    assert!(pool.iter().map(|entry| entry.txid()).eq([other.txid()]));
}

#[test]
fn what_is_past_its_last_height_or_too_old_leaves_with_its_descendants() {
    let mut ledger = Ledger::new(2);
    let mut pool = ledger.pool(MempoolLimits { expiry: Millis(100), ..MempoolLimits::default() });
    let coins = ledger.coins();
    let mut short = ledger.spend(&coins[..1], 1, 5_000);
    short.edit(|tx| tx.body.expiry_height = Height(2));
    let child = ledger.spend(&[output(&short, 0)], 1, 5_000);
    let other = ledger.spend(&coins[1..], 1, 5_000);
    for (now, tx) in [(0, &short), (0, &child), (50, &other)] {
        ledger.admit(&mut pool, Millis(now), tx.clone()).unwrap();
    }
    let left: Vec<_> = [(60, 0), (61, 2), (149, 0), (150, 1)]
        .into_iter()
        .map(|(now, expired)| {
            let block = ledger.commit(Vec::new());
            let removed = pool.on_block(&block, ledger.next_height(), Millis(now));
            pool.check_invariants();
            assert_eq!(removed.expired.len(), expired, "at {now}");
            pool.len()
        })
        .collect();
    assert_eq!(left, [3, 1, 1, 0]);
}

#[test]
fn the_first_height_is_the_one_at_which_the_rules_begin_to_hold() {
    let key = PublicKey([9; 32]);
    let signature = Signature::from_bytes(&[0; 64]);
    let preimage = [3; 32];
    let hash = crate::crypto::hash("tc/preimage", &[&preimage]);
    let hash_lock = Lock::HashLock { hash, claim: key, refund_height: Height(30), refund: key };
    let timelock = Lock::Timelock { height: Height(20), key };
    let table = [
        (Lock::Key(key), Witness::Key(signature), 0, 0),
        (Lock::Key(key), Witness::Key(signature), 7, 7),
        (timelock.clone(), Witness::Key(signature), 7, 20),
        (timelock, Witness::Key(signature), 25, 25),
        (hash_lock.clone(), Witness::Refund(signature), 7, 30),
        (hash_lock, Witness::Claim { preimage, signature }, 7, 7),
    ];
    let ledger = Ledger::new(1);
    for (lock, witness, not_before, first) in table {
        let mut tx = ledger.spend(&ledger.coins(), 1, 0);
        tx.edit(|tx| tx.body.not_before = Height(not_before));
        tx.edit(|tx| tx.witnesses = vec![witness]);
        let spent = [Output { value: Amount(COIN), lock }];
        assert_eq!(first_height(&tx, &spent), Height(first));
        for height in 0..40 {
            let holds = rules::check_spend(Height(height), &tx, &spent).is_ok();
            assert_eq!(holds, height >= first, "{height}");
        }
    }
}
