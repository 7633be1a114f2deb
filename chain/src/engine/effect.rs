//! Everything that a node does. The shell carries effects out in order.
use super::{input::Timer, report::Report, safety::SafetyRecord};
use crate::{
    inbound::{Job, Verdict},
    ledger::{BlockDelta, Execution},
    mempool::Reject,
    rules::Spend,
    types::{
        Block, BlockHash, Certificate, ConsensusMessage, Millis, NodeKey, OutPoint, Presence,
        Transaction, TxId,
    },
    wire::{Peer, Request, Response, Ticket},
};
use std::{collections::BTreeSet, sync::Arc};

/// What made a node stop for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// The chain, the data or the program contradicts itself.
    Contradiction,
    /// The node's key signs elsewhere: it signed something that this node did not, or its record was exported.
    KeyElsewhere,
}

/// Something to be done.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Make this record durable before the next effect is carried out. Failure stops the node.
    Persist {
        /// The record.
        record: Arc<SafetyRecord>,
        /// The blocks it names that were not persisted with the record before.
        blocks: Vec<Arc<Block>>,
    },
    /// Gossip a consensus message.
    Publish {
        /// The message.
        message: ConsensusMessage,
        /// Makes a repeated message differ, so that no duplicate cache drops it.
        attempt: u8,
    },
    /// Gossip that this node is a masternode's.
    Announce(Presence),
    /// These nodes are masternodes': they find a place whenever they connect. Replaces what was said before.
    KeepPlaces(BTreeSet<NodeKey>),
    /// Gossip own transactions again.
    Regossip {
        /// The transactions.
        transactions: Vec<Transaction>,
        /// As in `Publish`.
        attempt: u8,
    },
    /// Ask a peer; the answer, or its failure, comes back as an input.
    Request {
        /// Whom.
        to: Peer,
        /// What.
        request: Request,
    },
    /// Respond to a peer's request.
    Respond {
        /// Which request.
        ticket: Ticket,
        /// The response. Encoding it may take milliseconds.
        response: Response,
    },
    /// Respond to a peer's request for the status or for final blocks, from the store.
    Serve {
        /// Which request.
        ticket: Ticket,
        /// What is requested.
        request: Request,
    },
    /// A peer's request is none: it gets no response.
    Refuse {
        /// Which request.
        ticket: Ticket,
    },
    /// The verdict on a gossiped message.
    Judge {
        /// Which message.
        ticket: Ticket,
        /// Whether it is forwarded.
        verdict: Verdict,
    },
    /// A peer answered what no honest node answers: its standing suffers.
    Blame {
        /// Who.
        peer: Peer,
        /// Why.
        reason: &'static str,
    },
    /// Run this on the pool; the answer is `Input::Done`.
    Run(Job),
    /// Gossip transactions of a batch that is not forwarded as a whole.
    Relay {
        /// The transactions.
        transactions: Vec<Transaction>,
    },
    /// Look coins up with `ledger::look_up` in the store, off the loop; the answer is `Input::CoinsFound`.
    LookUp {
        /// Which.
        ticket: Ticket,
        /// What each transaction spends that only the store can know.
        inputs: Vec<Vec<OutPoint>>,
    },
    /// Check signatures, off the loop; the answer is `Input::Verified`.
    Verify {
        /// Which.
        ticket: Ticket,
        /// What to check.
        spends: Vec<Spend>,
    },
    /// What became of this node's own transactions, one result for each in order.
    Admission {
        /// Which.
        ticket: Ticket,
        /// Admitted, or why not.
        results: Vec<Result<TxId, Reject>>,
    },
    /// Execute a block, off the loop; the answer is `Input::Executed`.
    Execute(Execution),
    /// Nobody waits for the execution of this block any more: it may end without an answer.
    Cancel {
        /// The block.
        block: BlockHash,
    },
    /// Write a final block. One at a time, in order of height; the answer is `Input::Durable`. Failure stops the node.
    Commit {
        /// The block.
        block: Arc<Block>,
        /// What made it final.
        certificate: Arc<Certificate>,
        /// What it changes.
        delta: Arc<BlockDelta>,
    },
    /// Come back at this moment of the monotonic clock.
    SetTimer {
        /// Which timer.
        timer: Timer,
        /// When.
        at: Millis,
    },
    /// Something worth a log line or a metric.
    Report(Report),
    /// Stop: going on could break an invariant.
    Stop {
        /// What kind of reason.
        kind: StopKind,
        /// Why, for the operator.
        reason: String,
    },
}
