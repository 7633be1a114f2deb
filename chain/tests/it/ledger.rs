//! The ledger against a naive one: a map of outputs, and the rules of money written a second time.
use crate::{
    fixture::{
        COIN, Fixture, SPACING_MS, TREASURY, any_lock, genesis, hash_lock, key, open, secret,
        two_of_three,
    },
    generate::Source,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use timecoin_chain::{
    crypto::{Ed25519, LtHash, PublicKey, Signer},
    genesis::{Allocation, Chain},
    ledger::{BlockDelta, ExecuteError, LedgerView, execute, genesis_delta},
    rules::RuleError,
    types::{
        Amount, Block, Height, Lock, OutPoint, Output, Timestamp, Transaction, WTxId, Witness,
        signing_message,
    },
};

/// Outputs by outpoint, and who has earned how much since the last payment.
struct Naive {
    coins: BTreeMap<OutPoint, Output>,
    earned: Vec<u64>,
    treasury: u64,
    fees: u64,
    ever: BTreeSet<OutPoint>,
}

impl Naive {
    fn new(fixture: &Fixture) -> Self {
        let coins: BTreeMap<_, _> = fixture
            .view
            .coins()
            .map(|coin| (coin.coin.outpoint, coin.coin.output.clone()))
            .collect();
        let ever = coins.keys().copied().collect();
        let earned = vec![0; fixture.chain.masternodes.len()];
        Self { coins, earned, treasury: 0, fees: 0, ever }
    }

    fn insert(&mut self, outpoint: OutPoint, output: Output) {
        assert!(self.ever.insert(outpoint), "{outpoint} is created twice");
        self.coins.insert(outpoint, output);
    }

    fn transaction(&mut self, tx: &Transaction) {
        let spent: u64 =
            tx.body.inputs.iter().map(|input| self.coins.remove(input).unwrap().value.0).sum();
        let txid = tx.txid();
        for (index, output) in tx.body.outputs.iter().enumerate() {
            self.insert(Transaction::outpoint(txid, index), output.clone());
        }
        self.fees += spent - tx.body.outputs.iter().map(|output| output.value.0).sum::<u64>();
    }

    fn rewards(&mut self, fixture: &Fixture, block: &Block, delta: &BlockDelta) {
        let chain = &fixture.chain;
        let new = issued(chain, block.header.timestamp) - issued(chain, fixture.state.timestamp);
        let mut left = new - new / 20;
        self.treasury += new / 20;
        if let Some(commit) = &block.last_commit {
            let weight = |signer: u16| chain.masternodes.get(signer).unwrap().weight;
            let total: u64 = commit.signers.iter().map(weight).sum();
            for signer in commit.signers.iter() {
                let part = u128::from(new / 10 * 7) * u128::from(weight(signer));
                let part = u64::try_from(part / u128::from(total)).unwrap();
                self.earned[usize::from(signer)] += part;
                left -= part;
            }
        }
        self.earned[usize::from(block.header.proposer)] += left + std::mem::take(&mut self.fees);
        if block.header.height.0.is_multiple_of(chain.params().epoch_blocks) {
            self.pay(chain, delta);
        }
    }

    fn pay(&mut self, chain: &Chain, delta: &BlockDelta) {
        let record = delta.transactions.last().unwrap();
        let mut outputs: Vec<Output> = vec![];
        for (earned, member) in self.earned.iter_mut().zip(chain.masternodes.members()) {
            let value = Amount(std::mem::take(earned));
            outputs.push(Output { value, lock: member.payout.clone() });
        }
        let value = Amount(std::mem::take(&mut self.treasury));
        outputs.push(Output { value, lock: chain.params().treasury.clone() });
        outputs.retain(|output| output.value.0 > 0);
        for (index, output) in outputs.into_iter().enumerate() {
            assert_eq!(record.index, None);
            self.insert(Transaction::outpoint(record.txid, index), output);
        }
    }
}

/// All money issued from genesis to a time.
fn issued(chain: &Chain, time: Timestamp) -> u64 {
    let elapsed = u128::from(time.0 - chain.genesis.time.0);
    let issued = u128::from(chain.params().issuance_per_day.0) * elapsed / (24 * 60 * 60 * 1_000);
    u64::try_from(issued).unwrap()
}

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

fn random_commit(
    before: &Fixture,
    block: &Block,
    source: &mut Source,
) -> timecoin_chain::types::Certificate {
    let set = &before.chain.masternodes;
    loop {
        let members = 0..u16::try_from(set.len()).unwrap();
        let voters: Vec<u16> = members.filter(|_| source.below(4) > 0).collect();
        if set.is_quorum(set.weight_of(voters.iter().copied())) {
            return before.certify_by(&voters, block);
        }
    }
}

/// A valid block: each seed makes a transaction, also of what earlier ones of the block made.
fn random_block(
    fixture: &Fixture,
    source: &mut Source,
    seeds: &[u64],
    coins: &BTreeMap<OutPoint, Output>,
) -> Block {
    let height = fixture.state.height.next();
    let mut coins = coins.clone();
    let mut transactions = vec![];
    for seed in seeds {
        let Some(tx) = random_transaction(fixture, &mut Source::new(*seed), height, &coins) else {
            continue;
        };
        tx.body.inputs.iter().for_each(|input| _ = coins.remove(input));
        let txid = tx.txid();
        for (index, output) in tx.body.outputs.iter().enumerate() {
            coins.insert(Transaction::outpoint(txid, index), output.clone());
        }
        transactions.push(tx);
    }
    let mut block = fixture
        .block_at(Timestamp(fixture.state.timestamp.0 + 1 + source.below(90_000)), transactions);
    let members = u64::try_from(fixture.chain.masternodes.len()).unwrap();
    block.header.proposer = u16::try_from(source.below(members)).unwrap();
    block
}

fn random_transaction(
    fixture: &Fixture,
    source: &mut Source,
    height: Height,
    coins: &BTreeMap<OutPoint, Output>,
) -> Option<Transaction> {
    let is_open = |lock: &Lock| !matches!(lock, Lock::Timelock { height: at, .. } if *at > height);
    let mut open: Vec<_> = coins.iter().filter(|(_, output)| is_open(&output.lock)).collect();
    let mut spent = vec![];
    for _ in 0..=source.below(3) {
        if !open.is_empty() {
            let (outpoint, output) = open.swap_remove(source.index(open.len()));
            spent.push((*outpoint, output.clone()));
        }
    }
    let mut left: u64 = spent.iter().map(|(_, output)| output.value.0).sum();
    left = left.checked_sub(source.below(3) * source.below(10_000))?;
    let mut outputs = vec![];
    for _ in 0..source.below(4) {
        let value = source.below(left.max(1));
        if value > 0 {
            outputs.push(Output { value: Amount(value), lock: any_lock(source, height) });
            left -= value;
        }
    }
    if left > 0 {
        outputs.push(Output { value: Amount(left), lock: any_lock(source, height) });
    }
    (!spent.is_empty() && !outputs.is_empty()).then(|| fixture.spend(&spent, outputs))
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
fn rewards_are_split_and_paid_at_the_end_of_an_epoch() {
    // 14,400 TIME a day are one TIME in six seconds.
    let mut fixture = Fixture::new();
    let step = |fixture: &mut Fixture, proposer| {
        let mut block = fixture.block_at(Timestamp(fixture.state.timestamp.0 + 6_000), vec![]);
        block.header.proposer = proposer;
        fixture.apply(&block)
    };
    let accrued = |fixture: &Fixture| -> Vec<u64> {
        fixture.state.accrued.iter().chain([&fixture.state.accrued_treasury]).map(|a| a.0).collect()
    };
    // No certificate at height 1: the proposer has the signers' part too.
    step(&mut fixture, 0);
    assert_eq!(accrued(&fixture), [95_000_000, 0, 0, 0, 5_000_000]);
    step(&mut fixture, 1);
    assert_eq!(accrued(&fixture), [112_500_000, 42_500_000, 17_500_000, 17_500_000, 10_000_000]);
    let delta = step(&mut fixture, 1);
    assert_eq!(accrued(&fixture), [0; 5]);
    let paid: Vec<(u64, Lock)> = delta
        .created
        .iter()
        .map(|coin| (coin.coin.output.value.0, coin.coin.output.lock.clone()))
        .collect();
    let member = |index: usize| Lock::Key(fixture.secrets[index].public_key());
    let expected = [
        (130_000_000, member(0)),
        (85_000_000, member(1)),
        (35_000_000, member(2)),
        (35_000_000, member(3)),
        (15_000_000, Lock::Key(key(TREASURY))),
    ];
    assert_eq!(paid, expected);
    assert_eq!(delta.transactions.len(), 1);
    assert_eq!(delta.transactions[0].index, None);
    assert_eq!(money(&fixture), u128::from(fixture.chain.supply.0) + 300_000_000);
}

#[test]
fn rewards_can_be_spent_in_the_block_after() {
    let mut fixture = Fixture::at_height(2);
    let block = fixture.block(vec![]);
    let delta = fixture.apply(&block);
    let coin = delta.created.last().unwrap().coin.clone();
    assert_eq!(coin.output.lock, Lock::Key(key(TREASURY)));
    let output = Output { value: coin.output.value, lock: Lock::Key(key(1)) };
    let tx = fixture.spend(&[(coin.outpoint, coin.output)], vec![output]);
    let block = fixture.block(vec![tx]);
    assert_eq!(fixture.apply(&block).spent.len(), 1);
}

#[test]
fn signers_share_by_weight_and_absent_ones_get_nothing() {
    let mut fixture = Fixture::of(genesis(&[100, 10, 10, 1]));
    let before = fixture.clone();
    let first = fixture.block_at(Timestamp(fixture.state.timestamp.0 + 6_000), vec![]);
    fixture.apply(&first);
    fixture.commit = Some(before.certify_by(&[0, 1], &first));
    let accrued = fixture.state.accrued.clone();
    let mut block = fixture.block_at(Timestamp(fixture.state.timestamp.0 + 6_000), vec![]);
    block.header.proposer = 3;
    fixture.apply(&block);
    let gained: Vec<u64> =
        fixture.state.accrued.iter().zip(accrued).map(|(now, then)| now.0 - then.0).collect();
    let (large, small) = (70_000_000 * 100 / 110, 70_000_000 * 10 / 110);
    assert_eq!(gained, [large, small, 0, 95_000_000 - large - small]);
}

#[test]
fn fees_go_to_the_proposer() {
    let fixture = Fixture::at_height(1);
    let fee = 12_345;
    let output = Output { value: Amount(COIN.0 - fee), lock: Lock::Key(key(2)) };
    let tx = fixture.spend(&[fixture.coin(1, 0)], vec![output]);
    for proposer in 0..4 {
        let run = |transactions| {
            let mut block = fixture.block(transactions);
            block.header.proposer = proposer;
            fixture.execute(&block).unwrap().state
        };
        let (without, with) = (run(vec![]), run(vec![tx.clone()]));
        let mut expected = without.accrued.clone();
        expected[usize::from(proposer)].0 += fee;
        assert_eq!(with.accrued, expected);
        assert_eq!(with.accrued_treasury, without.accrued_treasury);
        assert_eq!(with.supply, without.supply);
    }
}

#[test]
fn without_issuance_and_fees_nothing_is_paid() {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    genesis.params.issuance_per_day = Amount::ZERO;
    genesis.params.epoch_blocks = 1;
    let mut fixture = Fixture::of(genesis);
    let root = fixture.state.coins.digest();
    let block = fixture.block(vec![]);
    let delta = fixture.apply(&block);
    assert!(delta.created.is_empty() && delta.transactions.is_empty());
    assert_eq!(fixture.state.coins.digest(), root);
}

#[test]
fn the_first_error_is_the_same_whatever_was_verified_before() {
    let fixture = Fixture::at_height(1);
    let output = || vec![Output { value: COIN, lock: Lock::Key(key(3)) }];
    let good = |number| fixture.spend(&[fixture.coin(1, number)], output());
    let forged = |number| {
        let mut tx = fixture.spend(&[fixture.coin(2, number)], output());
        tx.witnesses[0] = Witness::Key(secret(3).sign(&[0; 32]));
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
    let error = two.execute(&two.block(vec![Transaction { body, witnesses }])).map(|_| ());
    let wrong = Box::new(RuleError::BadSignature);
    assert_eq!(error, Err(RuleError::InTransaction { index: 0, error: wrong }.into()));
}
