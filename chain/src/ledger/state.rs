//! The ledger state except the coins. It fits in one database record.
use crate::{
    codec::{self, Canonical},
    crypto::{LtHash, hash, hash_of},
    rules::BlockContext,
    types::{Amount, BlockHash, Height, Timestamp},
};
use serde::{Deserialize, Serialize};

/// The ledger after a block, without the coins themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// The last block's height.
    pub height: Height,
    /// The last block's hash; for genesis the genesis hash.
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
    /// The treasury's share not yet paid.
    pub accrued_treasury: Amount,
    /// For each masternode, the height of the block that recorded its offence. One is enough: a key
    /// that broke the rules once is not trusted again.
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
