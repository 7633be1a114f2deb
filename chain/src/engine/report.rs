//! What the engine tells its operator. The core does not log; the shell does, from these.
use super::safety::Refusal;
use crate::{
    consensus::{NilReason, RoundReason},
    types::{BlockHash, Evidence, Height, Millis, Round, Timestamp, VoteKind},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A round began.
    Round {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Why it began.
        reason: RoundReason,
        /// Index of its proposer.
        proposer: u16,
    },
    /// This node proposed.
    Proposed {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The block.
        block: BlockHash,
        /// How many transactions it holds.
        transactions: usize,
    },
    /// This node voted nil.
    Nil {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Prevote or precommit.
        kind: VoteKind,
        /// Why.
        reason: NilReason,
    },
    /// A proposed block breaks a rule.
    InvalidBlock {
        /// The height.
        height: Height,
        /// The block.
        block: BlockHash,
        /// The rule.
        error: String,
    },
    /// A proposal's timestamp is too far ahead of this node's clock.
    ClockSkew {
        /// The height.
        height: Height,
        /// Index of the proposer.
        proposer: u16,
        /// Its timestamp.
        timestamp: Timestamp,
        /// This node's clock.
        clock: Timestamp,
    },
    /// A block is final and durable.
    Committed {
        /// The height.
        height: Height,
        /// The round that decided it.
        round: Round,
        /// The block.
        block: BlockHash,
        /// Index of the proposer.
        proposer: u16,
        /// How many transactions it holds.
        transactions: usize,
        /// The weight that signed.
        weight: u64,
        /// The weight of all.
        total: u64,
        /// Since the proposal was first seen.
        took: Millis,
        /// Masternodes whose precommit for the parent is not in the block.
        missed: Vec<u16>,
        /// Whether it came by sync.
        synced: bool,
    },
    /// A peer proved a later height.
    Behind {
        /// Our height.
        height: Height,
        /// The proven height.
        target: Height,
    },
    /// The guard did not sign.
    Refused {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Why.
        refusal: Refusal,
    },
    /// A masternode signed two messages for one slot.
    Evidence(Evidence),
}
