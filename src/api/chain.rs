//! Blocks and the state of the chain.
use super::{
    ask::{ask, either},
    consensus::CommitView,
    number::{JsonAmount, Level},
    transactions::TransactionView,
};
use serde::{Deserialize, Deserializer, Serialize};

ask! {
    GetBestBlockHash("getbestblockhash") -> String;
    GetBlock("getblock") -> BlockAnswer;
    GetBlockchainInfo("getblockchaininfo") -> ChainInfo;
    GetBlockCount("getblockcount") -> u64;
    GetBlockHash("getblockhash") -> String;
    GetCommit("getcommit") -> CommitView;
}

/// Asks for the hash of the last final block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBestBlockHash {}

/// Asks for a final block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBlock {
    /// The block.
    pub block: BlockId,
    /// 0: bytes. 1: header and ids. 2: with transactions. Default 1.
    #[serde(default)]
    pub verbosity: Option<Level>,
}

/// Asks for the state of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBlockchainInfo {}

/// Asks for the last final height.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBlockCount {}

/// Asks for the hash of the final block at a height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBlockHash {
    /// The height; 0 is the genesis.
    pub height: u64,
}

/// Asks for the certificate that made a block final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetCommit {
    /// Which block.
    pub block: BlockId,
}

/// A block by its height or its hash. A height may be written as a text, as command lines send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BlockId {
    /// A height.
    Height(u64),
    /// A hash, or a height as a text.
    Text(String),
}

/// `getblockchaininfo`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainInfo {
    /// `main`, `test` or `dev`.
    pub chain: String,
    /// The hash of the genesis.
    pub genesis: String,
    /// The first bytes of that hash, which every message carries.
    pub chain_id: String,
    /// The last final height.
    pub blocks: u64,
    /// The greatest height known to be final.
    pub headers: u64,
    /// The hash of the last final block.
    pub bestblockhash: String,
    /// The timestamp of the last final block in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The same in milliseconds.
    pub time_ms: u64,
    /// The root of the ledger's state after that block.
    pub state_root: String,
    /// All coins.
    pub supply: JsonAmount,
    /// The number of unspent outputs, if the node counts them.
    pub coins: Option<u64>,
    /// `blocks` divided by `headers`.
    pub verificationprogress: f64,
    /// Whether the node is catching up.
    pub initialblockdownload: bool,
    /// Bytes of the database files.
    pub size_on_disk: u64,
    /// Always false: every block is kept.
    pub pruned: bool,
    /// What an operator must know.
    pub warnings: Vec<String>,
}

/// `getblock`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BlockAnswer {
    /// Verbosity 0: canonical bytes.
    Hex(String),
    /// Verbosity 1 and 2.
    Block(Box<BlockView>),
}

impl<'de> Deserialize<'de> for BlockAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        either(from, Self::Hex, Self::Block)
    }
}

/// A final block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// Its hash.
    pub hash: String,
    /// Always true: other blocks are not shown.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The number of final blocks from this one on, itself included.
    pub confirmations: u64,
    /// Its height.
    pub height: u64,
    /// Its version.
    pub version: u64,
    /// The id of its chain.
    pub chain: String,
    /// Its timestamp in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The same in milliseconds.
    pub time_ms: u64,
    /// Index of its proposer.
    pub proposer: u16,
    /// The round that decided it.
    pub round: u64,
    /// The weight of its signers.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
    /// The root of the ledger's state after its parent.
    pub state_root: String,
    /// The root of the set of masternodes.
    pub masternodes: String,
    /// The root of its transactions' ids.
    pub merkleroot: String,
    /// The root of its transactions' ids with witnesses.
    pub witnesses_root: String,
    /// The hash of the parent's certificate.
    pub last_commit: String,
    /// The root of its evidence.
    pub evidence: String,
    /// Its parent.
    pub previousblockhash: String,
    /// The block after it, if that is final.
    pub nextblockhash: Option<String>,
    /// Its encoded length.
    pub size: u64,
    /// How many transactions it holds.
    #[serde(rename = "nTx")]
    pub transactions: u64,
    /// Its transactions.
    pub tx: Transactions,
}

/// The transactions of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Transactions {
    /// Verbosity 1.
    Ids(Vec<String>),
    /// Verbosity 2.
    Whole(Vec<TransactionView>),
}

impl<'de> Deserialize<'de> for Transactions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        either(from, Self::Ids, Self::Whole)
    }
}
