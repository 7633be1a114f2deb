//! The first state of a chain, as a delta from the empty state.
use super::{BlockDelta, LedgerState, PositionedCoin, TransactionRecord};
use crate::{
    codec,
    crypto::{LtHash, hash, hash_of},
    genesis::Chain,
    types::{Amount, BlockHash, Coin, Height, Output, Transaction, TxId},
};

/// The first state: the genesis coins.
pub fn genesis_delta(chain: &Chain) -> BlockDelta {
    let mut coins = LtHash::default();
    let mut created = Vec::new();
    let mut transactions = Vec::new();
    let mut next_position = 0_u64;
    for (index, allocation) in chain.genesis.allocations.iter().enumerate() {
        // One synthetic transaction per 50,000 outputs keeps output indices within 16 bits.
        for (part, first) in (0..allocation.outputs).step_by(50_000).enumerate() {
            let counters = codec::encode(&(index as u64, part as u64));
            let txid = TxId(hash("tc/genesis-tx", &[&chain.hash.0, &counters]));
            let first_position = next_position;
            transactions.push(TransactionRecord { txid, first_position, index: None });
            for output in 0..(allocation.outputs - first).min(50_000) {
                let outpoint =
                    Transaction::outpoint(txid, usize::try_from(output).expect("at most 50,000"));
                let output = Output { value: allocation.value, lock: allocation.lock.clone() };
                let coin = Coin { outpoint, height: Height::GENESIS, output };
                let coin = PositionedCoin { position: next_position, coin };
                coins.add(&coin.element());
                created.push(coin);
                next_position += 1;
            }
        }
    }
    let state = LedgerState {
        height: Height::GENESIS,
        block: BlockHash(chain.hash.0),
        timestamp: chain.genesis.time,
        coins,
        next_position,
        supply: chain.supply,
        accrued: vec![Amount::ZERO; chain.masternodes.len()],
        accrued_treasury: Amount::ZERO,
        offences: vec![None; chain.masternodes.len()],
        params: hash_of("tc/params", chain.params()),
    };
    BlockDelta {
        height: Height::GENESIS,
        block: state.block,
        spent: Vec::new(),
        created,
        transactions,
        state,
    }
}
