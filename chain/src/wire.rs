//! What nodes send each other, as bytes: topics, protocols, requests and their answers.
//!
//! Everything that leaves a node is encoded here; everything that arrives is decoded in `inbound`.
//! The shell moves the bytes and knows no type of the chain.
//!
//! Never decides whether to send.
use crate::{
    codec::{self, Canonical},
    genesis::GenesisHash,
    limits::{TX_BATCH_BYTES_MAX, TX_BYTES_MAX},
    types::{
        Block, BlocksAnswer, BlocksRequest, BodiesRequest, Certificate, ConsensusMessage, Presence,
        Status, Transaction, TransactionBatch, VotesAnswer, VotesRequest,
    },
};

/// A connected peer, numbered by the shell. Numbers are not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// A message or request whose verdict or answer the shell awaits, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A gossip topic of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Votes.
    Votes,
    /// Proposals.
    Proposals,
    /// Polkas, commit certificates and round certificates.
    Certificates,
    /// Evidence.
    Evidence,
    /// Batches of transactions.
    Transactions,
    /// Which nodes the masternodes are.
    Presences,
}

impl Topic {
    /// The topic that a consensus message travels on.
    pub fn of(message: &ConsensusMessage) -> Self {
        match message {
            ConsensusMessage::Vote(_) => Self::Votes,
            ConsensusMessage::Proposal(_) => Self::Proposals,
            ConsensusMessage::Certificate(_) | ConsensusMessage::Round(_) => Self::Certificates,
            ConsensusMessage::Evidence(_) => Self::Evidence,
        }
    }
}

/// A request-response protocol of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The peer's tip.
    Status,
    /// Final blocks.
    Blocks,
    /// Transaction bodies.
    Bodies,
    /// Votes.
    Votes,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 4] = [Self::Status, Self::Blocks, Self::Bodies, Self::Votes];

    /// The longest request in bytes.
    pub const fn request_bytes_max(self) -> usize {
        match self {
            Self::Status => 0,
            Self::Blocks => BlocksRequest::BYTES_MAX,
            Self::Bodies => BodiesRequest::BYTES_MAX,
            Self::Votes => VotesRequest::BYTES_MAX,
        }
    }

    /// The longest response in bytes.
    pub const fn response_bytes_max(self) -> usize {
        match self {
            Self::Status => Status::BYTES_MAX,
            Self::Blocks => BlocksAnswer::BYTES_MAX,
            Self::Bodies => TransactionBatch::BYTES_MAX,
            Self::Votes => VotesAnswer::BYTES_MAX,
        }
    }
}

/// A request to or from a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The certificate of the last durable block.
    Status,
    /// Final blocks with their certificates.
    Blocks(BlocksRequest),
    /// Transaction bodies of a proposed block.
    Bodies(BodiesRequest),
    /// Votes that the asking node lacks.
    Votes(VotesRequest),
}

impl Request {
    /// The protocol that carries it.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Status => Protocol::Status,
            Self::Blocks(_) => Protocol::Blocks,
            Self::Bodies(_) => Protocol::Bodies,
            Self::Votes(_) => Protocol::Votes,
        }
    }

    /// The encoded request.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Status => Vec::new(),
            Self::Blocks(request) => codec::encode(request),
            Self::Bodies(request) => codec::encode(request),
            Self::Votes(request) => codec::encode(request),
        }
    }

    /// Decodes a peer's request; none if it is malformed.
    pub fn decode(protocol: Protocol, bytes: &[u8]) -> Option<Self> {
        match protocol {
            Protocol::Status => bytes.is_empty().then_some(Self::Status),
            Protocol::Blocks => codec::decode(bytes).ok().map(Self::Blocks),
            Protocol::Bodies => codec::decode(bytes).ok().map(Self::Bodies),
            Protocol::Votes => codec::decode(bytes).ok().map(Self::Votes),
        }
    }
}

/// The response to a peer's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The certificate of the last durable block; none at genesis.
    Status(GenesisHash, Option<Certificate>),
    /// Final blocks, ascending and without gaps.
    Blocks(Vec<(Block, Certificate)>),
    /// Requested bodies, as many as fit into one [`TransactionBatch`].
    Bodies(Vec<Transaction>),
    /// Votes, certificates and a proposal.
    Votes(VotesAnswer),
}

impl Response {
    /// The encoded response. May take milliseconds for blocks and bodies.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Status(genesis, tip) => codec::encode(&Status { genesis, tip }),
            Self::Blocks(blocks) => codec::encode(&BlocksAnswer(blocks)),
            Self::Bodies(bodies) => encode_transactions(&bodies),
            Self::Votes(votes) => codec::encode(&votes),
        }
    }
}

/// The topic and the encoded bytes of a consensus message.
pub fn encode_message(message: &ConsensusMessage) -> (Topic, Vec<u8>) {
    (Topic::of(message), codec::encode(message))
}

/// The topic and the encoded bytes of a presence.
pub fn encode_presence(presence: &Presence) -> (Topic, Vec<u8>) {
    (Topic::Presences, codec::encode(presence))
}

/// Transaction bytes in one gossiped batch: below the topic's limit, with room for lengths.
pub const BATCH_BYTES: usize = TX_BATCH_BYTES_MAX / 2;
const _: () = assert!(BATCH_BYTES + TX_BYTES_MAX / 2 < TX_BATCH_BYTES_MAX);

/// The encoded batch of transactions.
pub fn encode_transactions(transactions: &[Transaction]) -> Vec<u8> {
    codec::encode(&TransactionBatch(transactions.to_vec()))
}
