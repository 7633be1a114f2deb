//! The height being decided, the masternodes, certificates and evidence.
use super::{ask::ask, coins::LockView, number::JsonAmount};
use serde::{Deserialize, Serialize};

ask! {
    GetConsensusInfo("getconsensusinfo") -> ConsensusInfo;
    ListEvidence("listevidence") -> Vec<EvidenceView>;
    ListMasternodes("listmasternodes") -> Vec<MasternodeView>;
}

/// Asks for the height being decided, and who has voted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConsensusInfo {}

/// Asks for proofs that masternodes broke the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEvidence {}

/// Asks for the masternodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMasternodes {}

/// `getconsensusinfo`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusInfo {
    /// The height being decided.
    pub height: u64,
    /// Its round.
    pub round: u64,
    /// `propose`, `prevote` or `precommit`.
    pub step: String,
    /// Index of the round's proposer.
    pub proposer: u16,
    /// Index of this node, if it is a masternode.
    pub masternode: Option<u16>,
    /// The block that this node is locked on.
    pub locked: Option<Locked>,
    /// How long the height has been open.
    pub height_age_ms: u64,
    /// The last final height.
    pub final_height: u64,
    /// Its block.
    pub final_hash: String,
    /// The greatest height proven final.
    pub sync_target: u64,
    /// Whether this node is behind it.
    pub syncing: bool,
    /// The weight heard recently.
    pub online_weight: u64,
    /// The weight of all masternodes.
    pub total_weight: u64,
    /// The smallest weight that decides.
    pub quorum_weight: u64,
    /// Why the chain is halted, in words: too little weight is online. None where it is not.
    pub halted: Option<String>,
    /// Whether this node's key signs: yes, no, listening, observing or stopped.
    pub signing: String,
    /// The same in a sentence.
    pub signing_reason: String,
    /// Why the engine stopped for good, in words: something contradicts itself.
    pub stopped: Option<String>,
    /// The next event that this node waits for, in words.
    pub waiting_for: String,
    /// What delayed recent blocks, the last one last.
    pub troubles: Vec<TroubleView>,
    /// All masternodes.
    pub masternodes: Vec<Voter>,
}

impl ConsensusInfo {
    /// Masternodes heard recently, this node included.
    pub fn voting(&self) -> usize {
        self.masternodes.iter().filter(|node| node.online).count()
    }
}

/// A locked block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// The round of its polka.
    pub round: u64,
    /// The block.
    pub block: String,
}

/// What delayed a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleView {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time: u64,
    /// What happened and why.
    pub what: String,
}

/// A masternode at the height being decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Its index in the set.
    pub index: u16,
    /// Its key.
    pub key: String,
    /// Its weight.
    pub weight: u64,
    /// Whether it proposes in this round.
    pub proposer: bool,
    /// Whether it prevoted in this round.
    pub prevoted: bool,
    /// Whether it precommitted in this round.
    pub precommitted: bool,
    /// Since it was last heard; none if it never was.
    pub silent_ms: Option<u64>,
    /// Whether it was heard recently.
    pub online: bool,
    /// Whether it is the node that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// The height that recorded an offence of it.
    pub offence: Option<u64>,
}

/// An entry of `listmasternodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasternodeView {
    /// The masternode as in `getconsensusinfo`.
    #[serde(flatten)]
    pub voter: Voter,
    /// Where its rewards go.
    pub payout: LockView,
    /// Its rewards of this epoch, not yet paid.
    pub accrued: JsonAmount,
}

/// `getcommit`: what made a block final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitView {
    /// The height.
    pub height: u64,
    /// The block.
    pub hash: Option<String>,
    /// The round that decided it.
    pub round: u64,
    /// The weight that signed.
    pub weight: u64,
    /// The weight of all masternodes.
    pub total: u64,
    /// Indexes of the masternodes that signed.
    pub signers: Vec<u16>,
    /// Indexes of those that did not.
    pub missing: Vec<u16>,
    /// The signers as a bitmap, the lowest index in the lowest bit of the first byte.
    pub bitmap: String,
    /// Their signatures, in the order of `signers`.
    pub signatures: Vec<String>,
    /// The certificate's canonical bytes.
    pub hex: String,
}

/// An entry of `listevidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceView {
    /// Index of the masternode.
    pub offender: u16,
    /// Its key.
    pub key: Option<String>,
    /// Its weight.
    pub weight: u64,
    /// `votes`, `proposals` or `amnesia`.
    pub kind: String,
    /// The height of the offence.
    pub height: u64,
    /// Its round.
    pub round: u64,
    /// The offence in words.
    pub text: String,
    /// The block that recorded it; none until a block does.
    pub recorded: Option<RecordedIn>,
    /// Its canonical bytes, from which anyone can verify the signatures.
    pub hex: String,
}

/// The block that holds evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedIn {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: String,
}
