//! The transactions in the mempool.
use super::{
    ask::{ask, either},
    number::JsonAmount,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;

ask! {
    GetMempoolEntry("getmempoolentry") -> MempoolEntry;
    GetMempoolInfo("getmempoolinfo") -> MempoolInfo;
    GetRawMempool("getrawmempool") -> MempoolAnswer;
}

/// Asks for a waiting transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMempoolEntry {
    /// Which.
    pub txid: String,
}

/// Asks for the mempool's size and limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMempoolInfo {}

/// Asks for the waiting transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRawMempool {
    /// Entries by id instead of ids. Default false.
    #[serde(default)]
    pub verbose: Option<bool>,
    /// The maximum number of entries.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// `getmempoolinfo`. Fees are for 1,000 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MempoolInfo {
    /// Always true: it is loaded before RPC starts.
    pub loaded: bool,
    /// Waiting transactions.
    pub size: u64,
    /// Their encoded bytes.
    pub bytes: u64,
    /// The same: bytes are what is bounded.
    pub usage: u64,
    /// The sum of their fees.
    pub total_fee: JsonAmount,
    /// The limit of their bytes.
    pub maxmempool: u64,
    /// The limit of their number.
    pub max_transactions: u64,
    /// The lowest fee that is accepted now.
    pub mempoolminfee: JsonAmount,
    /// The lowest fee that is ever relayed.
    pub minrelaytxfee: JsonAmount,
    /// The additional fee that a replacement pays.
    pub incrementalrelayfee: JsonAmount,
    /// `mempoolminfee` in units for one byte.
    pub min_fee_rate: u64,
    /// Always 0: the engine rebroadcasts transactions by itself.
    pub unbroadcastcount: u64,
    /// Always true: a higher fee replaces.
    pub fullrbf: bool,
}

/// `getmempoolentry`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MempoolEntry {
    /// The id of its body.
    pub txid: String,
    /// Its id with witnesses.
    pub wtxid: String,
    /// Its encoded length.
    pub size: u64,
    /// The same: a witness byte costs as much as any other.
    pub vsize: u64,
    /// Its fee.
    pub fee: JsonAmount,
    /// How long it has been waiting.
    pub waiting_ms: u64,
    /// The next height when it arrived.
    pub height: u64,
    /// The last height whose block may include it.
    pub expiry_height: u64,
}

/// `getrawmempool`, in the pool's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MempoolAnswer {
    /// Ids.
    Ids(Vec<String>),
    /// Entries, written as an object by id.
    Entries(Vec<MempoolEntry>),
}

impl Serialize for MempoolAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ids(ids) => ids.serialize(serializer),
            Self::Entries(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.txid, entry)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for MempoolAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entries =
            |by_id: BTreeMap<String, MempoolEntry>| Self::Entries(by_id.into_values().collect());
        either(from, Self::Ids, entries)
    }
}
