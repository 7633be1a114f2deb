//! Inputs and outputs of the state machine of one height, and the state that survives a crash. No
//! logic.
use crate::types::{BlockHash, Certificate, Round, RoundCertificate, Vote, VoteKind};

/// Where a node is within a round.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Step {
    /// Waiting for the proposal.
    Propose,
    /// Has prevoted.
    Prevote,
    /// Has precommitted.
    Precommit,
}

/// An input of the state machine.
#[derive(Debug, Clone)]
pub enum Input {
    /// The round's proposer proposed this block.
    Proposal {
        /// The round.
        round: Round,
        /// The block.
        block: BlockHash,
        /// For a re-proposal, the round of its polka.
        valid_round: Option<Round>,
    },
    /// Whether a block keeps the rules.
    Validity {
        /// The block.
        block: BlockHash,
        /// The verdict.
        valid: bool,
    },
    /// A verified vote of this height.
    Vote(Vote),
    /// A verified polka or commit certificate of this height.
    Certificate(Certificate),
    /// A verified round certificate of this height.
    Round(RoundCertificate),
    /// A requested timer expired.
    Timeout {
        /// The round it was set in.
        round: Round,
        /// The step it was set for.
        step: Step,
    },
}

/// Why a vote is nil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NilReason {
    /// No proposal came in time.
    NoProposal,
    /// The proposed block breaks a rule.
    InvalidBlock,
    /// Locked on another block, and the proposal shows no later polka.
    Locked,
    /// More than two thirds prevoted nil.
    NilPolka,
    /// More than two thirds prevoted, but not for one value.
    NoPolka,
}

/// Why a round began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundReason {
    /// The height began.
    NewHeight,
    /// The previous round ended without a decision.
    NoDecision,
    /// More than a third of the weight is already in it.
    Skip,
    /// The node resumes it after a restart.
    Resumed,
}

/// What the state machine asks for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A round began.
    RoundStarted {
        /// Which.
        round: Round,
        /// Why.
        reason: RoundReason,
    },
    /// This node proposes in the current round: the block of the valid polka, or a new one.
    Propose {
        /// The round.
        round: Round,
        /// The polka of the block to propose again.
        valid: Option<Certificate>,
    },
    /// Cast a vote, if this node is a masternode.
    Cast {
        /// Prevote or precommit.
        kind: VoteKind,
        /// The round.
        round: Round,
        /// The block, or nil.
        block: Option<BlockHash>,
        /// The valid round that the vote names.
        valid_round: Option<Round>,
        /// For a nil vote, the reason.
        nil: Option<NilReason>,
    },
    /// Start the timer of a step.
    SetTimer {
        /// The round.
        round: Round,
        /// The step.
        step: Step,
    },
    /// This node locked: publish the polka.
    Locked(Certificate),
    /// The height is decided.
    Decide(Certificate),
}

/// The part of the state that must survive a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The round.
    pub round: Round,
    /// The step.
    pub step: Step,
    /// The lock.
    pub locked: Option<(Round, BlockHash)>,
    /// The polka of the valid block.
    pub valid: Option<Certificate>,
    /// What justified entering the round. Others may need it to enter, and the nodes that sent it
    /// may be gone.
    pub entry: Option<RoundCertificate>,
}
