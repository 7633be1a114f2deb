//! Random blocks, transactions and commit certificates that a ledger accepts.
use super::*;
use crate::fixture::any_lock;
use timecoin_chain::types::{Certificate, OutPoint};

pub(super) fn random_commit(before: &Fixture, block: &Block, source: &mut Source) -> Certificate {
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
pub(super) fn random_block(
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
