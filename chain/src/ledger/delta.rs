//! What one block changes. The store writes exactly this, in one transaction.
use super::LedgerState;
use crate::{
    codec,
    types::{BlockHash, Coin, Height, TxId},
};

/// A coin and its place in the chain: outputs are numbered in the order in which they were created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionedCoin {
    /// The number, never reused.
    pub position: u64,
    /// The coin.
    pub coin: Coin,
}

impl PositionedCoin {
    /// The bytes of this coin in the commitment to the coin set.
    pub fn element(&self) -> Vec<u8> {
        codec::encode(&(self.position, &self.coin))
    }
}

/// Where a transaction is in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Its id.
    pub txid: TxId,
    /// The position of its first output; the others follow in order.
    pub first_position: u64,
    /// Its index in the block; none for rewards and genesis outputs, which are in no block body.
    pub index: Option<u32>,
}

/// The change from the state before a block to the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDelta {
    /// The height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
    /// Coins removed, by ascending position.
    pub spent: Vec<PositionedCoin>,
    /// Coins added, by ascending position.
    pub created: Vec<PositionedCoin>,
    /// Where its transactions are in the chain, rewards last.
    pub transactions: Vec<TransactionRecord>,
    /// The state after it.
    pub state: LedgerState,
}
