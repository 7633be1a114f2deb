//! Transactions: sending, finding, and whether they are final.
use super::{
    ask::{ask, either},
    coins::LockView,
    consensus::CommitView,
    number::{JsonAmount, Level},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

ask! {
    DecodeRawTransaction("decoderawtransaction") -> TransactionView;
    GetFinality("getfinality") -> Finality;
    GetRawTransaction("getrawtransaction") -> TransactionAnswer;
    SendRawTransaction("sendrawtransaction") -> String;
    TestMempoolAccept("testmempoolaccept") -> Vec<Tested>;
}

/// Asks what the bytes of a transaction say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodeRawTransaction {
    /// Canonical bytes.
    pub hexstring: String,
}

/// Asks whether a transaction is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetFinality {
    /// Which.
    pub txid: String,
}

/// Asks for a transaction that is final or in the mempool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRawTransaction {
    /// Which.
    pub txid: String,
    /// Fields instead of bytes. Default false.
    #[serde(default)]
    pub verbose: Option<Level>,
}

/// Sends a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRawTransaction {
    /// Canonical bytes.
    pub hexstring: String,
    /// The highest accepted fee for 1,000 bytes. Default: any.
    #[serde(default)]
    pub maxfeerate: Option<JsonAmount>,
}

/// Asks whether transactions would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestMempoolAccept {
    /// Canonical bytes of each.
    pub rawtxs: Vec<String>,
    /// The highest accepted fee for 1,000 bytes. Default: any.
    #[serde(default)]
    pub maxfeerate: Option<JsonAmount>,
}

/// `decoderawtransaction`: a transaction without its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionView {
    /// The id of its body.
    pub txid: String,
    /// Its id with witnesses.
    pub wtxid: String,
    /// Its version.
    pub version: u64,
    /// The id of its chain.
    pub chain: String,
    /// Its encoded length.
    pub size: u64,
    /// `transfer`.
    pub kind: String,
    /// The first height that may hold it.
    pub not_before: u64,
    /// The last height that may hold it.
    pub expiry_height: u64,
    /// Its inputs.
    pub vin: Vec<InputView>,
    /// Its outputs.
    pub vout: Vec<OutputView>,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputView {
    /// The transaction whose output it spends.
    pub txid: String,
    /// Which output.
    pub vout: u16,
    /// What opens the output's lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<WitnessView>,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputView {
    /// Its place.
    pub n: u64,
    /// Its value.
    pub value: JsonAmount,
    /// Who may spend it.
    pub lock: LockView,
}

/// What opens a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields of `timecoin_chain::types::Witness` as texts")]
pub enum WitnessView {
    /// For a key or an expired timelock.
    Key { signature: String },
    /// For several keys.
    Multi { signatures: Vec<IndexedSignature> },
    /// For a hash lock, by its preimage.
    Claim { preimage: String, signature: String },
    /// For a hash lock that has expired.
    Refund { signature: String },
}

/// A signature of one of several keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedSignature {
    /// Which key.
    pub key: u8,
    /// The signature.
    pub signature: String,
}

/// `getrawtransaction`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TransactionAnswer {
    /// Canonical bytes.
    Hex(String),
    /// Fields.
    Placed(Box<Placed>),
}

impl<'de> Deserialize<'de> for TransactionAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        either(from, Self::Hex, Self::Placed)
    }
}

/// A transaction and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Canonical bytes.
    pub hex: String,
    /// Its fields.
    #[serde(flatten)]
    pub transaction: TransactionView,
    /// Whether it is in a final block.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How many final blocks include it.
    pub confirmations: u64,
    /// Its block; none while it is pending.
    #[serde(flatten)]
    pub block: Option<InBlock>,
}

impl<'de> Deserialize<'de> for Placed {
    /// Reads the object three times: flattened fields of the derive pass amounts through a float.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Own {
            hex: String,
            #[serde(rename = "final")]
            is_final: bool,
            confirmations: u64,
        }
        let raw = Box::<RawValue>::deserialize(from)?;
        let Own { hex, is_final, confirmations } =
            serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let transaction = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let block = match is_final {
            true => Some(serde_json::from_str(raw.get()).map_err(D::Error::custom)?),
            false => None,
        };
        Ok(Self { hex, transaction, is_final, confirmations, block })
    }
}

/// The block of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InBlock {
    /// Its hash.
    pub blockhash: String,
    /// Its height.
    pub height: u64,
    /// The transaction's place in it.
    pub index: u32,
    /// Its timestamp in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The same.
    pub blocktime: u64,
    /// The same in milliseconds.
    pub time_ms: u64,
}

/// The state of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinalityStatus {
    /// It waits for a block.
    Pending,
    /// It is in a final block.
    Final,
    /// This node does not know it.
    Unknown,
}

/// `getfinality`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finality {
    /// The transaction.
    pub txid: String,
    /// Its state.
    #[serde(rename = "state")]
    pub status: FinalityStatus,
    /// Whether `state` is final.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How long it has been waiting, if it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_ms: Option<u64>,
    /// Its block, if it is final.
    #[serde(flatten)]
    pub block: Option<FinalIn>,
}

/// The block of a final transaction, with the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalIn {
    /// Its hash.
    pub blockhash: String,
    /// The transaction's place in it; none for rewards and genesis coins.
    pub index: Option<u32>,
    /// How many final blocks include it.
    pub confirmations: u64,
    /// What decided it; none for the genesis.
    #[serde(flatten)]
    pub commit: Option<CommitSummary>,
    /// Its height.
    pub height: u64,
    /// The certificate; none for the genesis.
    pub certificate: Option<CommitView>,
}

/// What decided a block, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSummary {
    /// The round.
    pub round: u64,
    /// The weight that signed.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
}

/// An entry of `testmempoolaccept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The id of its body.
    pub txid: String,
    /// Its id with witnesses.
    pub wtxid: String,
    /// Whether it would be accepted.
    pub allowed: bool,
    /// Its encoded length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vsize: Option<u64>,
    /// What it pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Fees>,
    /// The name of the broken rule.
    #[serde(rename = "reject-reason", default, skip_serializing_if = "Option::is_none")]
    pub reject_reason: Option<String>,
    /// The rule in words, with its numbers.
    #[serde(rename = "reject-details", default, skip_serializing_if = "Option::is_none")]
    pub reject_details: Option<String>,
}

/// What a transaction pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    /// Its own fee.
    pub base: JsonAmount,
}
