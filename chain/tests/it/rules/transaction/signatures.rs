//! Rules of signatures: what they cover, and whose key made them.
use super::*;
use crate::fixture::COIN;
use timecoin_chain::crypto::{PublicKey, Signature};

pub(super) fn signature_rows() -> Vec<Row> {
    let mut rows = forgery_rows();
    rows.extend(coverage_rows());
    rows.extend(lock_rows());
    rows
}

fn bad(name: &'static str, valid: Draft, change: fn(&mut Draft)) -> Row {
    witness(name, valid, change, RuleError::BadSignature)
}

/// Signatures that the owner of the key did not make for this input.
fn forgery_rows() -> Vec<Row> {
    vec![
        bad("a signature with one bit changed", Draft::valid(), |d| {
            let Witness::Key(signature) = &d.witnesses[0] else { panic!("a key witness") };
            let mut bytes = signature.to_bytes();
            bytes[40] ^= 1;
            d.witnesses[0] = Witness::Key(Signature::from_bytes(&bytes));
        }),
        bad("another key's signature", Draft::valid(), |d| {
            d.witnesses[0] = Witness::Key(secret(3).sign(&d.message()));
        }),
        bad("the witnesses of two inputs swapped", Draft::valid(), |d| d.witnesses.swap(0, 1)),
        bad("a key of small order, for which anyone can sign", Draft::valid(), |d| {
            let mut identity = [0; 32];
            identity[0] = 1;
            d.spent[0].lock = Lock::Key(PublicKey(identity));
            *d = d.clone().signed();
            let mut signature = [0; 64];
            signature[0] = 1;
            d.witnesses[0] = Witness::Key(Signature::from_bytes(&signature));
        }),
    ]
}

/// What a signature covers, changed after signing.
fn coverage_rows() -> Vec<Row> {
    vec![
        bad("a signature for another genesis with the same chain id", Draft::valid(), |d| {
            let mut genesis = d.genesis;
            genesis.0[31] ^= 1;
            let other = Draft { genesis, ..d.clone() }.signed();
            d.witnesses = other.witnesses;
        }),
        bad("a lie about the value of what is spent", Draft::valid(), |d| {
            d.spent[0].value = Amount(COIN.0 + 1);
        }),
        bad("a lie about the lock of another input", Draft::valid(), |d| {
            d.spent[1].lock = Lock::Key(key(3));
        }),
        bad("an output changed after signing", Draft::valid(), |d| {
            d.body.outputs[1].value = Amount::from_time(48);
        }),
        bad("a receiver changed after signing", Draft::valid(), |d| {
            d.body.outputs[1].lock = Lock::Key(key(4));
        }),
        bad("outputs swapped after signing", Draft::valid(), |d| d.body.outputs.swap(0, 1)),
        bad("an input changed after signing", Draft::valid(), |d| d.body.inputs[0].vout += 100),
        bad("a bound changed after signing", Draft::valid(), |d| d.body.not_before = Height(99)),
    ]
}

/// Signatures by the wrong key of a lock.
fn lock_rows() -> Vec<Row> {
    vec![
        bad("a time lock signed by another", Draft::spending(timelock(100)), |d| {
            d.witnesses[0] = Witness::Key(secret(2).sign(&d.message()));
        }),
        bad("a claim signed by the key of the refund", Draft::spending(hash_lock(101)), |d| {
            d.witnesses[0] = claim(d, PREIMAGE, 2);
        }),
        bad("a refund signed by the key of the claim", Draft::spending(hash_lock(100)), |d| {
            d.witnesses[0] = Witness::Refund(secret(1).sign(&d.message()));
        }),
        bad("a multi signature under another's index", Draft::spending(two_of_three()), |d| {
            let Witness::Multi(parts) = &mut d.witnesses[0] else { panic!("a multi witness") };
            parts[1].0 = 2;
        }),
        bad("one bad part of a multi signature", Draft::spending(two_of_three()), |d| {
            let Witness::Multi(parts) = &mut d.witnesses[0] else { panic!("a multi witness") };
            parts[1].1 = parts[0].1;
        }),
    ]
}

#[test]
fn one_bad_transaction_does_not_change_the_answers_of_the_others_in_its_batch() {
    let genesis = Draft::valid().genesis;
    let bad = signature_rows().remove(0).broken;
    for position in 0..5 {
        let mut drafts = vec![Draft::valid(); 4];
        drafts.insert(position, bad.clone());
        let spends = drafts.into_iter().map(|draft| Spend {
            transaction: Transaction::new(draft.body, draft.witnesses),
            spent: draft.spent,
        });
        let answers = verify_spends(&Ed25519, &genesis, spends.collect());
        let valid: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        let expected: Vec<bool> = (0..5).map(|index| index != position).collect();
        assert_eq!(valid, expected);
    }
}
