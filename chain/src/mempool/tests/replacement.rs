//! When a transaction replaces others.
use super::fixture::*;
use crate::{
    codec,
    mempool::{MempoolLimits, Reject},
    types::{Amount, Millis},
};

#[test]
fn a_replacement_pays_for_what_it_replaces_and_for_itself() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let first = ledger.spend(&ledger.coins(), 1, 5_000);
    let child_of = ledger.must_admit(&mut pool, first.clone());
    let child = ledger.spend(&[child_of], 1, 4_000);
    ledger.must_admit(&mut pool, child.clone());

    let needed = 9_000 + SMALL_FEE;
    let cheap = ledger.spend(&ledger.coins(), 1, needed - 1);
    let error = ledger.admit(&mut pool, Millis(0), cheap).unwrap_err();
    let expected = Reject::ReplacementFeeTooLow {
        offered: Amount(needed - 1),
        needed: Amount(needed),
        replaced: Amount(9_000),
        evicts: 2,
        bytes: SMALL,
    };
    assert_eq!(error, expected);

    let enough = ledger.spend(&ledger.coins(), 1, needed);
    let admitted = ledger.admit(&mut pool, Millis(0), enough.clone()).unwrap();
    let replaced: Vec<_> = admitted.replaced.iter().map(|entry| entry.txid()).collect();
    assert_eq!(replaced, [child.txid(), first.txid()]);
    assert!(pool.iter().map(|entry| entry.txid()).eq([enough.txid()]));
}

#[test]
fn a_replacement_pays_more_per_byte_than_each_conflict() {
    let ledger = Ledger::new(2);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coins = ledger.coins();
    ledger.must_admit(&mut pool, ledger.spend(&coins[..1], 1, 100 * SMALL as u64));
    // A far higher total fee, but not a higher rate.
    let bytes = codec::encode(&ledger.spend(&coins, 40, 0)).len() as u64;
    let equal = ledger.spend(&coins, 40, 100 * bytes);
    let error = ledger.admit(&mut pool, Millis(0), equal).unwrap_err();
    assert!(matches!(error, Reject::ReplacementRateTooLow { .. }), "{error}");
    assert_eq!(code(error), "insufficient fee");
    ledger.must_admit(&mut pool, ledger.spend(&coins, 40, 100 * bytes + 1));
}

#[test]
fn a_replacement_does_not_spend_what_it_replaces() {
    let ledger = Ledger::new(1);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coin = ledger.coins()[0];
    let first = ledger.must_admit(&mut pool, ledger.spend(&[coin], 1, 5_000));
    let both = ledger.spend(&[coin, first], 1, 1_000_000);
    assert_eq!(ledger.refusal(&mut pool, both), "bad-txns-spends-conflicting-tx");
}

#[test]
fn a_replacement_adds_no_unconfirmed_input_but_keeps_those_of_its_conflicts() {
    let ledger = Ledger::new(2);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coins = ledger.coins();
    let parent = ledger.spend(&coins[..1], 2, 5_000);
    let (old, new) = (output(&parent, 0), output(&parent, 1));
    ledger.must_admit(&mut pool, parent);
    ledger.must_admit(&mut pool, ledger.spend(&[coins[1], old], 1, 5_000));
    let adds = ledger.spend(&[coins[1], new], 1, 100_000);
    assert_eq!(ledger.refusal(&mut pool, adds), "replacement-adds-unconfirmed");
    ledger.must_admit(&mut pool, ledger.spend(&[old], 1, 100_000));
}

#[test]
fn a_replacement_removes_at_most_a_hundred() {
    let ledger = Ledger::new(5);
    let coins = ledger.coins();
    for (last_fan, expected) in [(20, None), (21, Some("too many potential replacements"))] {
        let mut pool = ledger.pool(MempoolLimits::default());
        for (coin, children) in coins.iter().zip([19, 19, 19, 19, last_fan - 1]) {
            let parent = ledger.spend(&[*coin], 24, 50_000);
            ledger.must_admit(&mut pool, parent.clone());
            for index in 0..children {
                ledger.must_admit(&mut pool, ledger.spend(&[output(&parent, index)], 1, SMALL_FEE));
            }
        }
        let all = ledger.spend(&coins, 1, 5_000_000);
        let result = ledger.admit(&mut pool, Millis(0), all);
        assert_eq!(result.map(|admitted| admitted.replaced.len()).map_err(code).err(), expected);
        assert_eq!(pool.len(), if expected.is_none() { 1 } else { 101 });
    }
}

#[test]
fn one_replacement_may_take_the_place_of_several() {
    let ledger = Ledger::new(3);
    let mut pool = ledger.pool(MempoolLimits::default());
    let coins = ledger.coins();
    for coin in &coins {
        ledger.must_admit(&mut pool, ledger.spend(&[*coin], 1, 3_000));
    }
    let all = ledger.spend(&coins, 1, 50_000);
    let admitted = ledger.admit(&mut pool, Millis(0), all).unwrap();
    assert_eq!((admitted.replaced.len(), pool.len()), (3, 1));
}
