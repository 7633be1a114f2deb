//! What is admitted, and the code under which the rest is rejected.
use super::fixture::*;
use crate::{
    crypto::{Ed25519, PublicKey, SecretKey, Signer},
    mempool::{Mempool, MempoolLimits, Reject},
    rules::{self, RuleError, Spend},
    types::{Amount, Height, Lock, Millis, Output, Transaction, TxParts, Witness, signing_message},
};

#[test]
fn a_signed_transaction_goes_through_both_steps() {
    let secret = SecretKey::from_bytes(&[7; 32]);
    let ledger = Ledger::owned_by(Lock::Key(secret.public_key()), 1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coin = ledger.coins()[0];
    let mut tx = ledger.spend(&[coin], 1, SMALL_FEE);
    let spent = Output { value: Amount(coin.1), lock: Lock::Key(secret.public_key()) };
    let message = signing_message(&ledger.chain.hash, &tx.body, std::slice::from_ref(&spent));
    tx.edit(|tx| tx.witnesses = vec![Witness::Key(secret.sign(&message))]);

    let spend = checked(&ledger, &pool, tx.clone());
    assert_eq!(spend.spent, [spent]);
    let verified = rules::verify_spends(&Ed25519, &ledger.chain.hash, vec![spend]).remove(0);
    let admitted = pool.admit(&ledger.view, Height(1), Millis(5), verified.unwrap()).unwrap();
    pool.check_invariants();

    assert_eq!(admitted.transaction, tx);
    let entry = pool.get(&tx.wtxid()).unwrap();
    assert_eq!(*entry.transaction(), tx);
    assert_eq!((entry.bytes(), entry.fee()), (SMALL, Amount(SMALL_FEE)));
    assert_eq!((entry.added(), entry.height_added()), (Millis(5), Height(1)));
    assert_eq!((entry.ancestors().count, entry.descendants().count), (1, 1));
    assert_eq!(pool.spender(&coin.0), Some(tx.txid()));
    assert!(pool.contains(&tx.wtxid()) && pool.contains_txid(&tx.txid()));
    assert!(pool.get_by_txid(&tx.txid()).is_some());
    let stats = pool.stats(Millis(5));
    assert_eq!((stats.transactions, stats.bytes), (1, SMALL));
    assert_eq!((stats.fees, stats.min_fee_rate), (Amount(SMALL_FEE), 10));
}

#[test]
fn each_broken_rule_is_refused_under_its_code() {
    type Change = fn(&mut TxParts);
    let table: [(&str, Change); 9] = [
        ("version", |tx| tx.body.version = 2),
        ("wrong-chain", |tx| tx.body.chain.0[0] ^= 1),
        ("bad-txns-inputs-missingorspent", |tx| tx.body.inputs[0].vout = 9_999),
        ("non-final", |tx| tx.body.not_before = Height(2)),
        ("expired", |tx| tx.body.expiry_height = Height(0)),
        ("wrong-witness", |tx| tx.witnesses[0] = Witness::Multi(Vec::new())),
        ("bad-txns-in-belowout", |tx| tx.body.outputs[0].value = Amount(COIN + 1)),
        ("min relay fee not met", |tx| tx.body.outputs[0].value = Amount(COIN - SMALL_FEE + 1)),
        ("min relay fee not met", |tx| tx.body.outputs[0].value = Amount(COIN)),
    ];
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let tx = ledger.spend(&ledger.coins()[..1], 1, SMALL_FEE);
    for (code, change) in table {
        let mut tx = tx.clone();
        tx.edit(change);
        assert_eq!(ledger.refusal(&mut pool, tx), code);
        assert!(pool.is_empty());
    }
    ledger.must_admit(&mut pool, tx);
}

#[test]
fn a_known_transaction_is_refused_and_so_is_its_body_with_other_witnesses() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let tx = ledger.spend(&ledger.coins(), 1, SMALL_FEE);
    ledger.must_admit(&mut pool, tx.clone());
    assert_eq!(ledger.refusal(&mut pool, tx.clone()), "txn-already-in-mempool");
    let witness = Witness::Key(crate::crypto::Signature::from_bytes(&[1; 64]));
    let mut other = tx;
    other.edit(|tx| tx.witnesses[0] = witness);
    assert_eq!(ledger.refusal(&mut pool, other), "txn-same-nonwitness-data-in-mempool");
}

#[test]
fn an_output_that_a_pool_parent_does_not_have_is_missing() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let (mut parent, value) = ledger.must_admit(&mut pool, ledger.spend(&ledger.coins(), 1, 5_000));
    parent.vout = 1;
    let child = ledger.spend(&[(parent, value)], 1, 5_000);
    assert_eq!(ledger.refusal(&mut pool, child), "bad-txns-inputs-missingorspent");
}

#[test]
fn signatures_over_other_outputs_than_are_spent_do_not_admit() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let transaction = ledger.spend(&ledger.coins(), 1, SMALL_FEE);
    let lied = Output { value: Amount(COIN), lock: Lock::Key(PublicKey([8; 32])) };
    let spend = Spend { transaction, spent: vec![lied] };
    let verified = rules::verify_spends(&Blind, &ledger.chain.hash, vec![spend]).remove(0).unwrap();
    let error = pool.admit(&ledger.view, Height(1), Millis(0), verified).unwrap_err();
    assert_eq!(error, RuleError::BadSignature.into());
    assert!(pool.is_empty());
}

#[test]
fn what_changed_between_the_steps_is_noticed() {
    let mut ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let [first, second] = [5_000, 6_000].map(|fee| ledger.spend(&ledger.coins(), 1, fee));
    let spend = checked(&ledger, &pool, first);
    let verified = rules::verify_spends(&Blind, &ledger.chain.hash, vec![spend]).remove(0).unwrap();

    let mut richer = pool.clone();
    ledger.must_admit(&mut richer, second.clone());
    let error = richer.admit(&ledger.view, Height(1), Millis(0), verified.clone()).unwrap_err();
    assert_eq!(code(error), "insufficient fee");

    ledger.commit(vec![second]);
    let error = pool.admit(&ledger.view, Height(2), Millis(0), verified).unwrap_err();
    assert_eq!(code(error), "bad-txns-inputs-missingorspent");
}

#[test]
fn a_chain_ends_at_the_ancestor_limit() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits { ancestors_max: 4, ..MempoolLimits::default() });
    let mut tip = ledger.coins()[0];
    for _ in 0..4 {
        tip = ledger.must_admit(&mut pool, ledger.spend(&[tip], 1, SMALL_FEE));
    }
    let error = ledger.admit(&mut pool, Millis(0), ledger.spend(&[tip], 1, SMALL_FEE)).unwrap_err();
    let expected = Reject::TooManyAncestors { ancestors: 5, max: 4 };
    assert_eq!(error, expected);
    assert_eq!(code(error), "too-long-mempool-chain");
}

#[test]
fn a_fan_ends_at_the_descendant_limit() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits { descendants_max: 3, ..MempoolLimits::default() });
    let parent = ledger.spend(&ledger.coins(), 5, 100_000);
    ledger.must_admit(&mut pool, parent.clone());
    for index in 0..2 {
        ledger.must_admit(&mut pool, ledger.spend(&[output(&parent, index)], 1, SMALL_FEE));
    }
    let child = ledger.spend(&[output(&parent, 2)], 1, SMALL_FEE);
    let error = ledger.admit(&mut pool, Millis(0), child).unwrap_err();
    let ancestor = parent.txid();
    let expected = Reject::TooManyDescendants { ancestor, descendants: 4, max: 3 };
    assert_eq!(error, expected);
    // A replacement of one of the two takes its place.
    ledger.must_admit(&mut pool, ledger.spend(&[output(&parent, 1)], 1, 3 * SMALL_FEE));
}

/// The steps before the signatures.
fn checked(ledger: &Ledger, pool: &Mempool, tx: Transaction) -> Spend {
    let screened = pool.screen(Height(1), tx).unwrap();
    pool.check(&ledger.view, Height(1), screened).unwrap()
}
