//! The small part of the ledger's state: what is not a coin. It fits in one database record.
use super::{BlockDelta, PositionedCoin, TransactionRecord};
use crate::{
    codec::{self, Canonical},
    crypto::{LtHash, hash, hash_of},
    genesis::Chain,
    rules::BlockContext,
    types::{Amount, BlockHash, Coin, Height, Output, Timestamp, Transaction, TxId},
};
use serde::{Deserialize, Serialize};

/// The ledger after a block, without the coins themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// The last block's height.
    pub height: Height,
    /// The last block; for genesis the genesis hash.
    pub block: BlockHash,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Commitment to all coins.
    pub coins: LtHash,
    /// The position of the next output.
    pub next_position: u64,
    /// All money: coins and rewards not yet paid.
    pub supply: Amount,
    /// Rewards not yet paid, by index in the masternode set.
    pub accrued: Vec<Amount>,
    /// The treasury's part not yet paid.
    pub accrued_treasury: Amount,
    /// For each masternode, the height of the block that recorded an offence of it. One is enough: a
    /// key that broke the rules once is not trusted again.
    pub offences: Vec<Option<Height>>,
    /// Hash of the chain's parameters.
    pub params: [u8; 32],
}

impl Canonical for LedgerState {
    const BYTES_MAX: usize = 8 * 1024;
}

impl LedgerState {
    /// The commitment that the next header carries.
    pub fn root(&self) -> [u8; 32] {
        let registry =
            hash_of("tc/registry", &(&self.accrued, self.accrued_treasury, &self.offences));
        let counters = codec::encode(&(self.supply, self.next_position));
        let utxo_proof_root = [0; 32]; // Reserved: a root that proves single coins.
        let parts: [&[u8]; 5] =
            [&self.coins.digest(), &registry, &self.params, &utxo_proof_root, &counters];
        hash("tc/state", &parts)
    }

    /// What the next block is checked against.
    pub fn context(&self) -> BlockContext {
        BlockContext {
            height: self.height,
            block: self.block,
            timestamp: self.timestamp,
            state_root: self.root(),
            offences: self.offences.clone(),
        }
    }
}

/// The first state: the genesis coins.
pub fn genesis_delta(chain: &Chain) -> BlockDelta {
    let mut coins = LtHash::default();
    let mut created = Vec::new();
    let mut transactions = Vec::new();
    let mut next_position = 0_u64;
    for (index, allocation) in chain.genesis.allocations.iter().enumerate() {
        // One made-up transaction for each 50,000 outputs keeps output numbers within 16 bits.
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
