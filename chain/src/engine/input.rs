//! Everything that can happen to a node.
use crate::{
    consensus::Step,
    crypto::Verified,
    ledger::{BlockDelta, ExecuteError},
    rules::{RuleError, Spend},
    types::{
        Block, BlockHash, BlocksRequest, BodiesRequest, Certificate, ConsensusMessage, Height,
        Round, Transaction, VotesRequest,
    },
};

/// A connected peer, numbered by the shell. A number is not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// Something the shell waits for an answer to, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Where transactions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This node's own RPC: kept in mind and sent again until they are in a block.
    Local,
    /// A peer.
    Peer(Peer),
}

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
    /// Own transactions are sent again, old ones expire.
    Mempool,
}

/// What a peer asks of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Transaction bodies.
    Bodies(BodiesRequest),
    /// Votes it has not seen.
    Votes(VotesRequest),
}

/// What this node asks of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// How far are you?
    Status,
    /// Final blocks with their certificates.
    Blocks(BlocksRequest),
    /// Transaction bodies of a proposed block.
    Bodies(BodiesRequest),
    /// Votes we have not seen.
    Votes(VotesRequest),
}

/// An event. Everything in it that carries signatures has been checked, or is marked as not.
#[derive(Debug)]
pub enum Input {
    /// The node begins. The first input, once.
    Start,
    /// A peer is connected.
    PeerUp(Peer),
    /// A peer is gone.
    PeerDown(Peer),
    /// A checked consensus message.
    Message {
        /// Who passed it on.
        from: Peer,
        /// The message.
        message: Verified<ConsensusMessage>,
    },
    /// Unchecked transactions.
    Transactions {
        /// Where from.
        source: Source,
        /// Answered by `Effect::Admission`.
        ticket: Ticket,
        /// The transactions.
        transactions: Vec<Transaction>,
    },
    /// The answer to `Effect::Verify`.
    Checked {
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
    Committed {
        /// Its height.
        height: Height,
    },
    /// A timer has run out.
    Timer(Timer),
    /// A peer answered how far it is, with a checked certificate; none at genesis.
    Status {
        /// Who.
        from: Peer,
        /// The certificate of its last block.
        tip: Option<Verified<Certificate>>,
    },
    /// A peer answered with blocks. Certificates are checked and name their blocks.
    Blocks {
        /// Who.
        from: Peer,
        /// Ascending and without gaps.
        blocks: Vec<(Block, Verified<Certificate>)>,
    },
    /// A peer answered with bodies, unchecked.
    Bodies {
        /// Who.
        from: Peer,
        /// The bodies.
        transactions: Vec<Transaction>,
    },
    /// A request failed: the peer is gone, busy, slow, or answered nonsense.
    RequestFailed {
        /// Who.
        from: Peer,
        /// What was asked.
        request: Request,
    },
    /// A peer asks. Answered by `Effect::Answer`.
    Ask {
        /// Which.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
}
