//! New money and fees: who earns them and when they are paid.
//!
//! Issuance follows time, not blocks: the total issued at a timestamp is a function of the time
//! since genesis, so the block rate does not change the supply. Each block's issuance is split: 5 %
//! to the treasury, 25 % to the proposer and 70 % to the signers of the parent's certificate by
//! weight. Fees go to the proposer. Rewards are paid as coins at the end of an epoch.
use super::LedgerState;
use crate::{
    crypto::hash,
    genesis::Chain,
    rules::RuleError,
    types::{Amount, Block, Height, Output, Timestamp, TxId},
};

const MS_PER_DAY: u128 = 86_400_000;

/// Credits the block's issuance and fees. `state` is already at the block's height and timestamp.
pub(super) fn accrue(
    chain: &Chain,
    state: &mut LedgerState,
    parent_time: Timestamp,
    block: &Block,
    fees: Amount,
) -> Result<(), RuleError> {
    let issued = issued_at(chain, state.timestamp) - issued_at(chain, parent_time);
    let issued = u64::try_from(issued).map_err(|_| RuleError::SupplyOverflow)?;
    state.supply = state.supply.checked_add(Amount(issued)).ok_or(RuleError::SupplyOverflow)?;
    let treasury = issued / 20;
    let signers_part = issued / 10 * 7;
    let paid_to_signers = accrue_signers(chain, state, block, signers_part)?;
    // The proposer gets the remainder of the division, so that nothing is lost.
    let proposer = issued - treasury - paid_to_signers;
    credit(&mut state.accrued_treasury, treasury)?;
    let account = &mut state.accrued[usize::from(block.header.proposer)];
    credit(account, proposer)?;
    credit(account, fees.0)
}

fn accrue_signers(
    chain: &Chain,
    state: &mut LedgerState,
    block: &Block,
    part: u64,
) -> Result<u64, RuleError> {
    let Some(commit) = &block.last_commit else { return Ok(0) };
    let total = u128::from(commit.weight(&chain.masternodes)).max(1);
    let mut paid = 0;
    for signer in commit.signers.iter() {
        let weight = chain.masternodes.get(signer).map_or(0, |member| member.weight);
        let share = u128::from(part) * u128::from(weight) / total;
        let share = u64::try_from(share).expect("a share is not above the part");
        credit(&mut state.accrued[usize::from(signer)], share)?;
        paid += share;
    }
    Ok(paid)
}

/// At the end of an epoch: resets the accrued rewards and returns the outputs that pay them.
pub(super) fn pay(chain: &Chain, state: &mut LedgerState) -> Vec<Output> {
    if !state.height.0.is_multiple_of(chain.params().epoch_blocks) {
        return Vec::new();
    }
    let members = chain.masternodes.members().iter().map(|member| &member.payout);
    let accounts = state.accrued.iter_mut().zip(members);
    let treasury = (&mut state.accrued_treasury, &chain.params().treasury);
    accounts
        .chain([treasury])
        .map(|(account, lock)| {
            let value = std::mem::take(account);
            Output { value, lock: lock.clone() }
        })
        .filter(|output| output.value > Amount::ZERO)
        .collect()
}

/// The txid of the rewards of a height.
pub(super) fn reward_txid(chain: &Chain, height: Height) -> TxId {
    TxId(hash("tc/reward", &[&chain.hash.0, &height.0.to_le_bytes()]))
}

fn issued_at(chain: &Chain, time: Timestamp) -> u128 {
    let elapsed = u128::from(time.0.saturating_sub(chain.genesis.time.0));
    u128::from(chain.params().issuance_per_day.0) * elapsed / MS_PER_DAY
}

fn credit(account: &mut Amount, units: u64) -> Result<(), RuleError> {
    *account = account.checked_add(Amount(units)).ok_or(RuleError::SupplyOverflow)?;
    Ok(())
}
