//! The parts of the server's answers that this program reads. Fields it does not know are skipped.
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;
use timecoin_chain::types::{Amount, OutPoint, TxId};

/// An amount as a JSON number (or text) with at most eight decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonAmount(pub Amount);

impl<'de> Deserialize<'de> for JsonAmount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        raw.get().trim_matches('"').parse().map(Self).map_err(D::Error::custom)
    }
}

/// `getblockchaininfo`
#[derive(Debug, Clone, Deserialize)]
pub struct ChainInfo {
    /// `main`, `test` or `dev`.
    pub chain: String,
    /// The last committed height.
    pub blocks: u64,
    /// The hash of the genesis.
    pub genesis: String,
    /// When the last block was proposed, in milliseconds since 1970-01-01 UTC.
    #[serde(default)]
    pub time_ms: u64,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinalityStatus {
    /// It waits for a block.
    Pending,
    /// It stands in a final block.
    Final,
    /// This node does not know it.
    Unknown,
}

/// `getfinality`
#[derive(Debug, Clone, Deserialize)]
pub struct Finality {
    /// How far it is.
    #[serde(alias = "state")]
    pub status: FinalityStatus,
    /// Its block.
    #[serde(default)]
    pub height: Option<u64>,
    /// The round that decided it.
    #[serde(default)]
    pub round: Option<u64>,
    /// The weight that signed the block.
    #[serde(default)]
    pub weight: Option<u64>,
    /// The weight of all masternodes.
    #[serde(default)]
    pub total: Option<u64>,
}

/// One of `listunspent`
#[derive(Debug, Clone, Deserialize)]
pub struct Unspent {
    /// The creating transaction.
    pub txid: String,
    /// Its output.
    pub vout: u16,
    /// Its value.
    pub amount: JsonAmount,
    /// The height that created it; none where that is not final yet.
    #[serde(default)]
    pub height: Option<u64>,
    /// Its place among all coins; the next page begins after it.
    pub position: u64,
    /// Whether its lock is open.
    #[serde(default = "open")]
    pub spendable: bool,
}

fn open() -> bool {
    true
}

impl Unspent {
    /// Which output it is; none where the server sent no id.
    pub fn outpoint(&self) -> Option<OutPoint> {
        let txid: TxId = self.txid.parse().ok()?;
        Some(OutPoint { txid, vout: self.vout })
    }
}

/// `getmempoolinfo`
#[derive(Debug, Clone, Deserialize)]
pub struct MempoolInfo {
    /// Waiting transactions.
    pub size: u64,
    /// Their encoded bytes.
    pub bytes: u64,
    /// Units for each byte that a new transaction pays at the least.
    pub min_fee_rate: u64,
}

/// `getnetworkinfo`
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkInfo {
    /// Connected peers.
    pub connections: u64,
    /// The node's identity.
    pub peer_id: String,
}

/// `getconsensusinfo`
#[derive(Debug, Clone, Deserialize)]
pub struct ConsensusInfo {
    /// The height being decided.
    pub height: u64,
    /// Its round.
    pub round: u64,
    /// The last final height.
    pub final_height: u64,
    /// The greatest height proven final.
    pub sync_target: u64,
    /// Whether this node is behind it.
    pub syncing: bool,
    /// The weight heard of late.
    pub online_weight: u64,
    /// The weight of all masternodes.
    pub total_weight: u64,
    /// What is missing for blocks to go on, in words.
    #[serde(default)]
    pub stall_reason: Option<String>,
    /// Whether the node's key signs, in a word.
    #[serde(default)]
    pub signing: String,
    /// The same in a sentence.
    #[serde(default)]
    pub signing_reason: String,
    /// Why the node refuses to go on, in words.
    #[serde(default)]
    pub halted: Option<String>,
    /// All masternodes.
    #[serde(default)]
    pub masternodes: Vec<Voter>,
}

/// A masternode in `getconsensusinfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct Voter {
    /// Its index in the set.
    pub index: u16,
    /// Its key.
    pub key: String,
    /// Since it was last heard; none where it never was.
    #[serde(default)]
    pub silent_ms: Option<u64>,
    /// Whether it was heard of late.
    #[serde(default)]
    pub online: bool,
    /// Whether it is the node that was asked.
    #[serde(rename = "self", default)]
    pub is_self: bool,
}

impl ConsensusInfo {
    /// Masternodes heard of late, the node itself included.
    pub fn voting(&self) -> usize {
        self.masternodes.iter().filter(|node| node.online).count()
    }
}

/// `getcommit`
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// The height.
    pub height: u64,
    /// The round that decided it.
    pub round: u64,
    /// The weight that signed.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
}

/// A `block` of `/events`
#[derive(Debug, Clone, Deserialize)]
pub struct BlockEvent {
    /// The height.
    pub height: u64,
    /// How many transactions it holds.
    pub txs: u64,
    /// The round that decided it.
    pub round: u64,
    /// Who proposed it, by index.
    pub proposer: u16,
    /// The weight that signed.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
    /// From the proposal seen to durable, at the node that tells.
    pub took_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_digit_by_digit() {
        for (text, units) in [
            ("12.34567890", 1_234_567_890),
            ("\"0.00000001\"", 1),
            ("184467440737.09551615", u64::MAX),
            ("90071992.54740993", 9_007_199_254_740_993),
            ("3", 300_000_000),
        ] {
            let amount: Result<JsonAmount, _> = serde_json::from_str(text);
            assert_eq!(amount.ok(), Some(JsonAmount(Amount(units))), "{text}");
        }
        for text in ["1e3", "-1", "0.000000001", "null", "true", "[1]"] {
            assert!(serde_json::from_str::<JsonAmount>(text).is_err(), "{text}");
        }
    }
}
