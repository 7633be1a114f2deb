//! Unspent outputs and addresses.
use super::{ask::ask, number::JsonAmount};
use serde::{Deserialize, Serialize};
use timecoin_chain::types::{OutPoint, TxId};

ask! {
    GetTxOut("gettxout") -> Option<TxOut>;
    ListUnspent("listunspent") -> Vec<Unspent>;
    ValidateAddress("validateaddress") -> Validated;
}

/// Asks for an unspent output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTxOut {
    /// The creating transaction.
    pub txid: String,
    /// Which of its outputs, from 0.
    pub n: u64,
    /// Whether to include transactions in the mempool. Default true.
    #[serde(default)]
    pub include_mempool: Option<bool>,
}

/// Asks for the coins of addresses by ascending position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListUnspent {
    /// Default 1.
    #[serde(default)]
    pub minconf: Option<u64>,
    /// Default: any.
    #[serde(default)]
    pub maxconf: Option<u64>,
    /// The addresses.
    #[serde(default)]
    pub addresses: Option<Vec<String>>,
    /// Only coins after this position: the last one of the page before.
    #[serde(default)]
    pub after_position: Option<u64>,
    /// The maximum number of coins in the answer. Default 1,000.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Asks whether a text is an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateAddress {
    /// The text.
    pub address: String,
}

/// The condition for spending an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields of `timecoin_chain::types::Lock` as texts")]
pub enum LockView {
    /// A signature of one key.
    Key { address: String, key: String },
    /// Signatures of some of several keys.
    Multi { threshold: u8, keys: Vec<String> },
    /// A signature of one key, from a height on.
    Timelock { height: u64, key: String },
    /// A preimage and a signature, or the refund key's signature from a height on.
    HashLock { hash: String, claim: String, refund_height: u64, refund: String },
}

/// `gettxout`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxOut {
    /// The last final block.
    pub bestblock: String,
    /// How many final blocks include it.
    pub confirmations: u64,
    /// Its value.
    pub value: JsonAmount,
    /// Who may spend it.
    pub lock: LockView,
    /// The height that created it; none while its transaction is in the mempool.
    pub height: Option<u64>,
    /// Its place among all coins; none while its transaction is in the mempool.
    pub position: Option<u64>,
    /// Whether it is a reward or a genesis coin: no block holds its transaction.
    pub coinbase: bool,
}

/// An entry of `listunspent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unspent {
    /// The creating transaction.
    pub txid: String,
    /// Its output.
    pub vout: u16,
    /// The address of its lock, if the lock has one.
    pub address: Option<String>,
    /// Its value.
    pub amount: JsonAmount,
    /// Who may spend it.
    pub lock: LockView,
    /// The height that created it.
    pub height: u64,
    /// How many final blocks include it.
    pub confirmations: u64,
    /// Its place among all coins; the next page begins after it.
    pub position: u64,
    /// Whether its lock is open at the next height.
    pub spendable: bool,
}

impl Unspent {
    /// Which output it is; none if the server sent no id.
    pub fn outpoint(&self) -> Option<OutPoint> {
        let txid: TxId = self.txid.parse().ok()?;
        Some(OutPoint { txid, vout: self.vout })
    }
}

/// `validateaddress`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validated {
    /// Whether it is an address of this network.
    pub isvalid: bool,
    /// The address in canonical form, or the text that was sent.
    pub address: String,
    /// Its lock, if it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockView>,
    /// What is wrong with it, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
