//! What travels between nodes beside the chain's own objects.
use super::{
    Block, Certificate, Evidence, GenesisHash, Height, Proposal, Round, RoundCertificate,
    SignerSet, Transaction, Vote, WTxId,
};
use crate::{
    codec::Canonical,
    limits::{BODIES_BYTES_MAX, BODIES_PER_REQUEST_MAX, PROPOSAL_BYTES_MAX, SYNC_BYTES_MAX},
};
use serde::{Deserialize, Serialize};

/// Everything that consensus gossips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsensusMessage {
    /// One vote.
    Vote(Vote),
    /// A proposal.
    Proposal(Box<Proposal>),
    /// A polka or a commit certificate.
    Certificate(Certificate),
    /// Why a later round began.
    Round(RoundCertificate),
    /// Proof of an offence.
    Evidence(Evidence),
}

impl Canonical for ConsensusMessage {
    const BYTES_MAX: usize = PROPOSAL_BYTES_MAX;
}

impl ConsensusMessage {
    /// The height it is about.
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

/// Which transactions a node wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodiesRequest(pub Vec<WTxId>);

impl Canonical for BodiesRequest {
    const BYTES_MAX: usize = 32 * BODIES_PER_REQUEST_MAX + 16;
}

/// Which votes of a round a node has; the answer is the others, or a better certificate.
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
    /// Whose votes of all other rounds it wants too: its own, when it has just started.
    pub signer: Option<u16>,
}

/// What helps a node that asked for votes: votes, certificates and at most one proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotesAnswer(pub Vec<ConsensusMessage>);

impl Canonical for VotesAnswer {
    const BYTES_MAX: usize = PROPOSAL_BYTES_MAX + 256 * 1024;
}

/// Which final blocks a node wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksRequest {
    /// The first height.
    pub from: Height,
    /// How many at the most.
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

/// How far a node is, with the proof. A height that nothing proves moves no one.
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
