//! The ledger against a naive one: a map of outputs, and the rules of money written a second time.
mod naive;
mod random;
mod rewards;

use crate::{
    fixture::{COIN, Fixture, SPACING_MS, genesis, hash_lock, key, open, secret, two_of_three},
    generate::Source,
};
use naive::{Naive, issued};
use proptest::prelude::*;
use random::{random_block, random_commit};
use std::collections::{BTreeMap, BTreeSet};
use timecoin_chain::{
    crypto::{Ed25519, LtHash, PublicKey, Signer},
    genesis::Allocation,
    ledger::{BlockDelta, ExecuteError, LedgerView, execute, genesis_delta},
    rules::RuleError,
    types::{
        Amount, Block, Height, Lock, Output, Timestamp, Transaction, WTxId, Witness,
        signing_message,
    },
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_chain_of_blocks_leads_where_a_naive_ledger_leads(
        weights in proptest::collection::vec(prop_oneof![Just(1_u64), Just(10), Just(100)], 1..8),
        blocks in proptest::collection::vec(
            (any::<u64>(), proptest::collection::vec(any::<u64>(), 0..8)),
            1..10,
        ),
    ) {
        let mut fixture = Fixture::of(genesis(&weights));
        let mut other_node = fixture.clone();
        let mut naive = Naive::new(&fixture);
        for (seed, transactions) in blocks {
            let mut source = Source::new(seed);
            let block = random_block(&fixture, &mut source, &transactions, &naive.coins);
            let before = fixture.clone();
            let delta = fixture.apply(&block);
            assert_verified_set_does_not_matter(&before, &block, &delta, &mut source);
            assert_positions_are_in_order(&before, &delta);
            block.transactions.iter().for_each(|tx| naive.transaction(tx));
            naive.rewards(&before, &block, &delta);
            assert_ledgers_agree(&fixture, &naive);
            prop_assert_eq!(&other_node.apply(&block), &delta);
            prop_assert_eq!(other_node.state.root(), fixture.state.root());
            // Any quorum may have signed what the next block carries.
            fixture.commit = Some(random_commit(&before, &block, &mut source));
        }
    }

    #[test]
    fn issuance_follows_time_and_not_the_number_of_blocks(
        one in proptest::collection::vec(1_u64..50_000, 1..12),
        two in proptest::collection::vec(1_u64..50_000, 1..12),
    ) {
        let end = one.iter().sum::<u64>().max(two.iter().sum()) + 1;
        let run = |gaps: &[u64]| {
            let mut fixture = Fixture::new();
            let start = fixture.state.timestamp.0;
            let mut time = start;
            for gap in gaps {
                time += gap;
                let block = fixture.block_at(Timestamp(time), vec![]);
                fixture.apply(&block);
            }
            let block = fixture.block_at(Timestamp(start + end), vec![]);
            fixture.apply(&block);
            (fixture.state.supply, money(&fixture))
        };
        let (first, second) = (run(&one), run(&two));
        prop_assert_eq!(first, second);
        let fixture = Fixture::new();
        let all = fixture.chain.supply.0
            + issued(&fixture.chain, Timestamp(fixture.state.timestamp.0 + end));
        prop_assert_eq!(first, (Amount(all), u128::from(all)));
    }
}

/// Coins and rewards not yet paid.
fn money(fixture: &Fixture) -> u128 {
    let coins = fixture.view.coins().map(|coin| coin.coin.output.value);
    let rewards = fixture.state.accrued.iter().copied().chain([fixture.state.accrued_treasury]);
    coins.chain(rewards).map(|amount| u128::from(amount.0)).sum()
}

/// The commitment to the coins of a view, from nothing.
fn commitment(fixture: &Fixture) -> [u8; 32] {
    let mut all = LtHash::default();
    fixture.view.coins().for_each(|coin| all.add(&coin.element()));
    all.digest()
}

fn assert_ledgers_agree(fixture: &Fixture, naive: &Naive) {
    let state = &fixture.state;
    let coins: BTreeMap<_, _> =
        fixture.view.coins().map(|coin| (coin.coin.outpoint, coin.coin.output.clone())).collect();
    assert_eq!(coins, naive.coins);
    assert_eq!(state.accrued.iter().map(|amount| amount.0).collect::<Vec<_>>(), naive.earned);
    assert_eq!(state.accrued_treasury.0, naive.treasury);
    let supply = fixture.chain.supply.0 + issued(&fixture.chain, state.timestamp);
    assert_eq!((u128::from(supply), supply), (money(fixture), state.supply.0));
    assert_eq!(commitment(fixture), state.coins.digest());
}

fn assert_positions_are_in_order(before: &Fixture, delta: &BlockDelta) {
    let created: Vec<u64> = delta.created.iter().map(|coin| coin.position).collect();
    assert!(created.is_sorted_by(|a, b| a < b), "{created:?}");
    assert!(created.iter().all(|at| *at >= before.state.next_position));
    assert!(created.iter().all(|at| *at < delta.state.next_position));
    assert!(delta.created.iter().all(|coin| coin.coin.height == delta.height));
    assert!(delta.spent.is_sorted_by(|a, b| a.position < b.position));
    for spent in &delta.spent {
        assert_eq!(before.view.coin(&spent.coin.outpoint), Ok(Some(spent.clone())));
    }
    let firsts: Vec<u64> = delta.transactions.iter().map(|record| record.first_position).collect();
    assert!(firsts.is_sorted_by(|a, b| a < b), "{firsts:?}");
    for coin in &delta.created {
        let made = delta.transactions.iter().find(|made| made.txid == coin.coin.outpoint.txid);
        let place = made.unwrap().first_position + u64::from(coin.coin.outpoint.vout);
        assert_eq!(coin.position, place);
    }
}

fn assert_verified_set_does_not_matter(
    before: &Fixture,
    block: &Block,
    delta: &BlockDelta,
    source: &mut Source,
) {
    let all: BTreeSet<WTxId> = block.transactions.iter().map(Transaction::wtxid).collect();
    let some = all.iter().copied().filter(|_| source.below(2) == 0).collect();
    for verified in [all, some] {
        let (chain, view, state) = (&before.chain, &before.view, &before.state);
        let again = execute(&Ed25519, chain, view, state, block, &verified);
        assert_eq!(again.as_ref(), Ok(delta));
    }
}

#[test]
fn coins_of_every_lock_are_created_and_spent() {
    let mut fixture = Fixture::new();
    let locks = [
        Lock::Key(key(1)),
        two_of_three(),
        Lock::Timelock { height: Height(2), key: key(1) },
        hash_lock(3),
        hash_lock(2),
    ];
    let share = Amount(COIN.0 / 5);
    let outputs = locks.map(|lock| Output { value: share, lock }).to_vec();
    let making = fixture.spend(&[fixture.coin(1, 0)], outputs.clone());
    let txid = making.txid();
    let block = fixture.block(vec![making]);
    fixture.apply(&block);
    let made: Vec<_> = outputs
        .into_iter()
        .enumerate()
        .map(|(index, output)| (Transaction::outpoint(txid, index), output))
        .collect();
    let spending = fixture.spend(&made, vec![Output { value: COIN, lock: Lock::Key(key(4)) }]);
    let kinds = spending.witnesses.iter().map(|witness| match witness {
        Witness::Key(_) => "key",
        Witness::Multi(_) => "multi",
        Witness::Claim { .. } => "claim",
        Witness::Refund(_) => "refund",
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["key", "multi", "key", "claim", "refund"]);
    let block = fixture.block(vec![spending]);
    let delta = fixture.apply(&block);
    assert_eq!((delta.spent.len(), delta.created.len()), (5, 1));
}

#[test]
fn the_first_error_is_the_same_whatever_was_verified_before() {
    let fixture = Fixture::at_height(1);
    let output = || vec![Output { value: COIN, lock: Lock::Key(key(3)) }];
    let good = |number| fixture.spend(&[fixture.coin(1, number)], output());
    let forged = |number| {
        let mut tx = fixture.spend(&[fixture.coin(2, number)], output());
        tx.edit(|tx| tx.witnesses[0] = Witness::Key(secret(3).sign(&[0; 32])));
        tx
    };
    let excess = |number| {
        let mut outputs = output();
        outputs[0].value.0 += 1;
        fixture.spend(&[fixture.coin(3, number)], outputs)
    };
    let bad = |index, error| Err(RuleError::InTransaction { index, error: Box::new(error) });
    let overspend = || RuleError::Overspend { inputs: COIN, outputs: Amount(COIN.0 + 1) };
    let rows = [
        (vec![good(0), forged(0), good(1), forged(1)], bad(1, RuleError::BadSignature)),
        (vec![forged(0), good(0), excess(0)], bad(2, overspend())),
        (vec![good(0), excess(0), forged(0), excess(1)], bad(1, overspend())),
    ];
    for (transactions, expected) in rows {
        let block = fixture.block(transactions.clone());
        // What is honest may have been verified before; what is forged never was.
        let honest = [0, 1].map(|number| good(number).wtxid());
        for verified in [vec![], honest[..1].to_vec(), honest[1..].to_vec(), honest.to_vec()] {
            let verified = verified.into_iter().collect();
            let (chain, view, state) = (&fixture.chain, &fixture.view, &fixture.state);
            let result = execute(&Ed25519, chain, view, state, &block, &verified).map(|_| ());
            assert_eq!(result, expected.clone().map_err(ExecuteError::Rule));
        }
    }
}

#[test]
fn executing_changes_neither_the_view_nor_the_state() {
    let fixture = Fixture::at_height(2);
    let tx =
        fixture.spend(&[fixture.coin(1, 0)], vec![Output { value: COIN, lock: Lock::Key(key(2)) }]);
    let block = fixture.block(vec![tx]);
    let (coins, root) = (commitment(&fixture), fixture.state.root());
    assert_eq!(fixture.execute(&block), fixture.execute(&block));
    assert_eq!((commitment(&fixture), fixture.state.root()), (coins, root));
}

#[test]
fn the_state_root_covers_every_part_of_the_state() {
    let state = Fixture::at_height(1).state;
    let mut changed = vec![state.clone(); 7];
    changed[0].coins.add(b"one more");
    changed[1].next_position += 1;
    changed[2].supply.0 += 1;
    changed[3].accrued[2].0 += 1;
    changed[4].accrued_treasury.0 += 1;
    changed[5].params[31] ^= 1;
    changed[6].accrued.swap(0, 1);
    let mut roots: BTreeSet<_> = changed.iter().map(|state| state.root()).collect();
    assert!(roots.insert(state.root()));
    // Two of the four have earned the same: exchanging unequal ones is what must show.
    assert_ne!(state.accrued[0], state.accrued[1], "the last change is no change");
    assert_eq!(roots.len(), 8);
}

#[test]
fn the_genesis_has_a_coin_for_each_output_and_no_outpoint_twice() {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    let lock = |number| Lock::Key(PublicKey([number; 32]));
    genesis.allocations = vec![
        Allocation { lock: lock(1), value: Amount(5), outputs: 50_001 },
        Allocation { lock: lock(2), value: Amount(7), outputs: 2 },
    ];
    let fixture = Fixture::of(genesis);
    assert_eq!(fixture.view.coins().count(), 50_003);
    assert_eq!(fixture.state.supply, Amount(5 * 50_001 + 7 * 2));
    assert_eq!(money(&fixture), u128::from(fixture.state.supply.0));
    let delta = genesis_delta(&fixture.chain);
    assert!(delta.created.iter().map(|coin| coin.position).eq(0..50_003));
    let firsts: Vec<u64> = delta.transactions.iter().map(|record| record.first_position).collect();
    assert_eq!(firsts, [0, 50_000, 50_001]);
    assert_eq!(commitment(&fixture), fixture.state.coins.digest());
}

#[test]
fn a_transaction_of_one_chain_is_nothing_on_another() {
    let one = Fixture::new();
    let mut genesis = genesis(&[1, 1, 1, 1]);
    genesis.time.0 += SPACING_MS;
    let two = Fixture::of(genesis);
    let tx = one.spend(&[one.coin(1, 0)], vec![Output { value: COIN, lock: Lock::Key(key(2)) }]);
    let error = two.execute(&two.block(vec![tx.clone()])).map(|_| ());
    let (found, expected) = (one.chain.id().to_string(), two.chain.id().to_string());
    let wrong = Box::new(RuleError::WrongChain { found, expected });
    assert_eq!(error, Err(RuleError::InTransaction { index: 0, error: wrong }.into()));
    // With the chain id and the coin exchanged, the signature still does not fit.
    let coin = two.coin(1, 0);
    let body = two.body(std::slice::from_ref(&coin), tx.body.outputs.clone());
    let message = signing_message(&one.chain.hash, &body, std::slice::from_ref(&coin.1));
    let witnesses = vec![open(&coin.1.lock, Height(1), &message)];
    let error = two.execute(&two.block(vec![Transaction::new(body, witnesses)])).map(|_| ());
    let wrong = Box::new(RuleError::BadSignature);
    assert_eq!(error, Err(RuleError::InTransaction { index: 0, error: wrong }.into()));
}
