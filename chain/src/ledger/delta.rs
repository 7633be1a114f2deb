//! What one block changes. The store writes exactly this, in one transaction.
use super::LedgerState;
use crate::{
    codec,
    types::{BlockHash, Coin, Height, TxId},
};

/// A coin and its place in the chain: outputs are numbered in the order in which they were created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionedCoin {
    /// The number, unique for ever.
    pub position: u64,
    /// The coin.
    pub coin: Coin,
}

impl PositionedCoin {
    /// The bytes that stand for this coin in the commitment to the coin set.
    pub fn element(&self) -> Vec<u8> {
        codec::encode(&(self.position, &self.coin))
    }
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Its id.
    pub txid: TxId,
    /// The position of its first output; the others follow.
    pub first_position: u64,
    /// Its index in the block, or nothing for rewards and genesis outputs, which no block body holds.
    pub index: Option<u32>,
}

/// The change from one committed state to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDelta {
    /// The height it leads to.
    pub height: Height,
    /// The block that causes it.
    pub block: BlockHash,
    /// Coins that end, by ascending position.
    pub spent: Vec<PositionedCoin>,
    /// Coins that begin, by ascending position.
    pub created: Vec<PositionedCoin>,
    /// Where its transactions stand, rewards last.
    pub transactions: Vec<TransactionRecord>,
    /// The state after it.
    pub state: LedgerState,
}
