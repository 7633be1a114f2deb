//! Issuance and fees: who earns them, and when they are paid.
use super::*;
use crate::fixture::TREASURY;

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
