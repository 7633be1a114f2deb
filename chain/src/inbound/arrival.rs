//! What comes to the door, and what follows from it. Shapes only.
use super::{Job, Outcome};
use crate::{
    crypto::Verified,
    rules::CertifiedBlock,
    types::{Attestation, BodiesRequest, Certificate, ConsensusMessage, Transaction},
    wire::{Peer, Request, Ticket, Topic},
};

/// What gossip does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: it is forwarded.
    Accept,
    /// Not needed here, and nobody's fault. Not forwarded.
    Ignore,
    /// Not what an honest node sends. The reason is for the log.
    Reject(&'static str),
}

/// What comes to the door.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A gossiped message.
    Gossip {
        /// Who forwarded it.
        from: Peer,
        /// Its topic.
        topic: Topic,
        /// Its bytes, at most what the topic carries.
        bytes: Vec<u8>,
        /// For its verdict.
        ticket: Ticket,
    },
    /// The response to a request of this node.
    Response {
        /// Who responds.
        from: Peer,
        /// What was requested.
        request: Request,
        /// The response.
        bytes: Vec<u8>,
    },
    /// Work is done.
    Done(Outcome),
    /// The engine has judged a batch of transactions.
    Judged(Ticket),
}

/// What follows from it, in order.
#[derive(Debug, Clone)]
pub enum Action {
    /// The verdict on a gossiped message.
    Judge(Ticket, Verdict),
    /// To be done on the pool. Its outcome comes back as [`Arrival::Done`].
    Run(Job),
    /// A verified consensus message.
    Message(Peer, Verified<ConsensusMessage>),
    /// Decoded transactions; nothing about them is checked. The engine gives the verdict.
    Transactions(Peer, Ticket, Vec<Transaction>),
    /// The verified tip of a peer; none at genesis.
    Status(Peer, Option<Verified<Certificate>>),
    /// Final blocks that were requested.
    Blocks(Peer, Vec<CertifiedBlock>),
    /// Bodies that were requested, and by which request.
    Bodies(Peer, BodiesRequest, Vec<Transaction>),
    /// What a masternode attests, as it was asked to.
    Attestation(Verified<Attestation>),
    /// The response is not what an honest node sends.
    Failed(Peer, Request),
}
