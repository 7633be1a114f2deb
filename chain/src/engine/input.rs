//! Everything that can happen to a node.
use crate::{
    consensus::Step,
    crypto::Verified,
    inbound::Outcome,
    ledger::{BlockDelta, ExecuteError, FoundCoins, ViewError},
    rules::{RuleError, Spend},
    types::{BlockHash, Height, Round, Transaction},
    wire::{Peer, Protocol, Request, Ticket, Topic},
};

/// A moment to come back. Setting a timer again replaces its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A step of a round has lasted long enough.
    Step(Height, Round, Step),
    /// A block is due at this height.
    Due(Height),
    /// Own messages of this height are sent again.
    Rebroadcast(Height),
    /// The bodies of a proposed block are asked for.
    Bodies(BlockHash),
    /// A node that has just started asks for what its key signed.
    Listen,
    /// Peers are asked how far they are.
    Sync,
    /// Missing blocks are asked for again: no peer that may have them could be asked before.
    Blocks,
    /// Own transactions are sent again, old ones expire.
    Mempool,
    /// This node says that it is a masternode's.
    Presence,
}

/// An event. What peers send is bytes; what comes of the node's own work is typed.
#[derive(Debug)]
pub enum Input {
    /// The node begins. The first input, once.
    Start,
    /// A peer is connected.
    PeerUp(Peer),
    /// A peer is gone.
    PeerDown(Peer),
    /// A gossiped message. Answered by `Effect::Judge`.
    Gossip {
        /// Who forwarded it.
        from: Peer,
        /// Its topic.
        topic: Topic,
        /// Its bytes.
        bytes: Vec<u8>,
        /// For its verdict.
        ticket: Ticket,
    },
    /// A peer's response to `Effect::Request`.
    Response {
        /// Who responds.
        from: Peer,
        /// What was requested.
        request: Request,
        /// The response.
        bytes: Vec<u8>,
    },
    /// A request of a peer. Answered by `Effect::Respond`, `Effect::Serve` or `Effect::Refuse`.
    Request {
        /// Who asks.
        from: Peer,
        /// Its protocol.
        protocol: Protocol,
        /// Its bytes.
        bytes: Vec<u8>,
        /// For the answer.
        ticket: Ticket,
    },
    /// The answer to `Effect::Run`.
    Done(Outcome),
    /// Unchecked transactions of this node's own RPC.
    Transactions {
        /// Answered by `Effect::Admission`.
        ticket: Ticket,
        /// The transactions.
        transactions: Vec<Transaction>,
    },
    /// The answer to `Effect::LookUp`.
    CoinsFound {
        /// Which.
        ticket: Ticket,
        /// The coins.
        coins: Result<FoundCoins, ViewError>,
    },
    /// The answer to `Effect::Verify`.
    Verified {
        /// Which.
        ticket: Ticket,
        /// One answer for each, in order.
        results: Vec<Result<Verified<Spend>, RuleError>>,
    },
    /// The answer to `Effect::Execute`.
    Executed {
        /// Which block.
        block: BlockHash,
        /// What it does, or the rule it breaks.
        result: Result<Box<BlockDelta>, ExecuteError>,
    },
    /// The answer to `Effect::Commit`: the block is durable.
    Durable {
        /// Its height.
        height: Height,
    },
    /// A timer has run out.
    Timer(Timer),
    /// The peer answered a request with "busy".
    PeerBusy {
        /// Who.
        from: Peer,
        /// What was asked.
        request: Request,
    },
    /// A request failed: the peer is gone or slow, or its answer was malformed.
    RequestFailed {
        /// Who.
        from: Peer,
        /// What was asked.
        request: Request,
    },
}
