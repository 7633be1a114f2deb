//! What follows from what comes to the door. Shapes only.
use super::Job;
use crate::{
    crypto::Verified,
    rules::CertifiedBlock,
    types::{Attestation, BodiesRequest, Certificate, ConsensusMessage, Presence, Transaction},
    wire::{Peer, Request, Ticket},
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

/// What follows from what came to the door.
#[derive(Debug, Clone)]
pub enum Action {
    /// The verdict on a gossiped message.
    Judge(Ticket, Verdict),
    /// To be done on the pool. Its outcome comes back as an [`Outcome`](super::Outcome).
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
    /// A masternode says which node is its own.
    Presence(Verified<Presence>),
    /// A request has failed.
    Failed(Peer, Request),
    /// This peer answered what no honest node answers.
    Blame(Peer, &'static str),
}
