//! The data of server-sent events.
use serde::{Deserialize, Serialize};

/// `block`: a block became final and durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEvent {
    /// The height.
    pub height: u64,
    /// The block.
    pub hash: String,
    /// Its timestamp in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The same in milliseconds.
    pub time_ms: u64,
    /// How many transactions it holds.
    pub txs: u64,
    /// The round that decided it.
    pub round: u64,
    /// Index of its proposer.
    pub proposer: u16,
    /// The weight that signed.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
    /// From the first sight of the proposal to durable, at the reporting node.
    pub took_ms: u64,
}

/// `tx`: a transaction became final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxEvent {
    /// The transaction.
    pub txid: String,
    /// The height of its block.
    pub height: u64,
    /// Its block.
    pub block: String,
}

/// `lagged`: the reader was too slow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lagged {
    /// How many blocks it missed.
    pub missed: u64,
}
