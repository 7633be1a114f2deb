//! What the engine tells its operator. The core does not log; the shell does, from these.
use super::{
    safety::Refusal,
    signing::Signing,
    why::{List, NilWhy, RoundWhy},
};
use crate::types::{BlockHash, Evidence, Height, Millis, Round, Timestamp, VoteKind};
use std::fmt::{self, Display, Formatter};

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
        why: RoundWhy,
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
        why: NilWhy,
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
    /// This node's clock is ahead of the clocks of others by more than is allowed.
    ClockAhead {
        /// By how much at least.
        by: Millis,
        /// Whose: of more than a third of the weight.
        masternodes: Vec<u16>,
    },
    /// A block is final and durable.
    Final {
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
    /// Whether the key signs: at the start, and when it changes.
    Signing(Signing),
    /// A masternode broke the rules, and this is the proof. Once for each masternode.
    Evidence(Evidence),
}

impl Report {
    /// Whether this explains late or missing blocks: such reports are kept for status queries.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Round { why, .. } => *why != RoundWhy::NewHeight,
            Self::Nil { .. }
            | Self::InvalidBlock { .. }
            | Self::ClockSkew { .. }
            | Self::ClockAhead { .. }
            | Self::Refused { .. }
            | Self::Evidence(_) => true,
            Self::Signing(signing) => matches!(signing, Signing::Observing { .. }),
            Self::Proposed { .. } | Self::Final { .. } | Self::Behind { .. } => false,
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round { height, round, why, proposer } => {
                write!(f, "round {round} of height {height} began, proposer {proposer}: {why}")
            }
            Self::Proposed { height, round, transactions, .. } => {
                write!(
                    f,
                    "proposed in round {round} of height {height}: {transactions} transactions"
                )
            }
            Self::Nil { height, round, kind, why } => {
                let kind = match kind {
                    VoteKind::Prevote => "prevoted",
                    VoteKind::Precommit => "precommitted",
                };
                write!(f, "{kind} nil in round {round} of height {height}: {why}")
            }
            Self::InvalidBlock { height, block, error } => {
                write!(f, "block {block} at height {height} breaks a rule: {error}")
            }
            Self::ClockSkew { height, proposer, timestamp, clock } => write!(
                f,
                "proposal of masternode {proposer} at height {height} is {} ms ahead of this clock: \
                 check the clocks of both (chronyc tracking)",
                timestamp.0.saturating_sub(clock.0)
            ),
            Self::ClockAhead { by, masternodes } => write!(
                f,
                "this clock is at least {} ms ahead of the clocks of masternodes {}, which refuse its \
                 proposals: check the clocks (chronyc tracking)",
                by.0,
                List(masternodes)
            ),
            Self::Final { height, round, transactions, .. } => {
                write!(f, "height {height} is final in round {round}: {transactions} transactions")
            }
            Self::Behind { height, target } => {
                write!(f, "at height {height}, and {target} is final: catching up")
            }
            Self::Refused { height, round, refusal } => {
                write!(f, "not signed in round {round} of height {height}: {refusal}")
            }
            Self::Signing(signing) => write!(f, "signing: {signing}"),
            Self::Evidence(evidence) => evidence.fmt(f),
        }
    }
}
