//! What nodes send each other, apart from the chain's own objects.
use super::{
    Block, Certificate, Evidence, GenesisHash, Height, Proposal, Round, RoundCertificate,
    SignerSet, Transaction, Vote, WTxId,
};
use crate::{
    codec::{self, Canonical},
    crypto::{Signature, hash},
    limits::{BODIES_BYTES_MAX, BODIES_PER_REQUEST_MAX, PROPOSAL_BYTES_MAX, SYNC_BYTES_MAX},
};
use serde::{Deserialize, Serialize};

/// Every gossiped consensus message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsensusMessage {
    /// One vote.
    Vote(Vote),
    /// A proposal.
    Proposal(Box<Proposal>),
    /// A polka or a commit certificate.
    Certificate(Certificate),
    /// Justification for entering a later round.
    Round(RoundCertificate),
    /// Proof of an offence.
    Evidence(Evidence),
}

impl Canonical for ConsensusMessage {
    const BYTES_MAX: usize = PROPOSAL_BYTES_MAX;
}

impl ConsensusMessage {
    /// The message's height.
    pub fn height(&self) -> Height {
        match self {
            Self::Vote(vote) => vote.height,
            Self::Proposal(proposal) => proposal.height(),
            Self::Certificate(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
            Self::Evidence(evidence) => evidence.height(),
        }
    }
}

/// Transactions gossiped or answered together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionBatch(pub Vec<Transaction>);

impl Canonical for TransactionBatch {
    const BYTES_MAX: usize = BODIES_BYTES_MAX;
}

/// The transactions that a node requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodiesRequest(pub Vec<WTxId>);

impl Canonical for BodiesRequest {
    const BYTES_MAX: usize = 32 * BODIES_PER_REQUEST_MAX + 16;
}

/// Which votes of a round a node has. The answer is the missing ones, or a better certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotesRequest {
    /// The height it is at.
    pub height: Height,
    /// The round it is in.
    pub round: Round,
    /// Prevotes it has.
    pub prevotes: SignerSet,
    /// Precommits it has.
    pub precommits: SignerSet,
    /// Whether it has a proposal of the round.
    pub has_proposal: bool,
    /// Set by a node that has just started: asks for all votes of its own key too.
    pub inquiry: Option<Inquiry>,
}

/// A node that has just started asks for the known votes of its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// Its index in the set.
    pub of: u16,
    /// A number that nobody can predict before the start: the attestation repeats it.
    pub nonce: [u8; 32],
}

/// A masternode's answer to an inquiry: all votes of the key that it holds, signed as a whole, so
/// that no relay can leave one out and nobody else can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The inquiry it answers.
    pub inquiry: Inquiry,
    /// The height that the masternode is deciding.
    pub height: Height,
    /// The votes it holds, of the requested height and later ones.
    pub votes: Vec<Vote>,
    /// Masternode index of the attester.
    pub by: u16,
    /// Its signature.
    pub signature: Signature,
}

impl Attestation {
    /// The message that the signature signs.
    pub fn message(
        genesis: &GenesisHash,
        inquiry: Inquiry,
        height: Height,
        votes: &[Vote],
    ) -> [u8; 32] {
        hash("tc/attestation", &[&genesis.0, &codec::encode(&(inquiry, height, votes))])
    }
}

/// The answer to a node that asked for votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotesAnswer {
    /// Votes, certificates and at most one proposal.
    pub messages: Vec<ConsensusMessage>,
    /// A masternode's answer to the inquiry.
    pub attestation: Option<Attestation>,
}

impl Canonical for VotesAnswer {
    const BYTES_MAX: usize = PROPOSAL_BYTES_MAX + 256 * 1024;
}

/// The final blocks that a node requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksRequest {
    /// The first height.
    pub from: Height,
    /// Maximum number of blocks.
    pub count: u32,
}

impl Canonical for BlocksRequest {
    const BYTES_MAX: usize = 16;
}

/// Final blocks in order, each with the certificate that made it final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksAnswer(pub Vec<(Block, Certificate)>);

impl Canonical for BlocksAnswer {
    const BYTES_MAX: usize = SYNC_BYTES_MAX;
}

impl Canonical for VotesRequest {
    const BYTES_MAX: usize = 512;
}

/// A node's tip with its proof. A height without proof moves nobody's target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The chain it follows.
    pub genesis: GenesisHash,
    /// The certificate of its last block; none at genesis.
    pub tip: Option<Certificate>,
}

impl Canonical for Status {
    const BYTES_MAX: usize = 20 * 1024;
}
