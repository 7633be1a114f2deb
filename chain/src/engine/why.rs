//! Why a vote was nil and why a round began, with who and what was at fault. Logs, metrics and RPC show
//! the same reasons: the code is their label, the text is for people.
use super::height::HeightState;
use crate::{
    consensus::{NilReason, RoundReason},
    types::{BlockHash, MasternodeSet, Millis, Round, VoteKind},
};
use std::{
    collections::BTreeSet,
    fmt::{self, Display, Formatter},
};

/// Why this node voted nil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NilWhy {
    /// Nothing came from the round's proposer.
    ProposerSilent {
        /// Index of the proposer.
        proposer: u16,
    },
    /// Bodies of the proposed block did not come in time.
    BodiesMissing {
        /// Index of the proposer.
        proposer: u16,
        /// How many.
        missing: usize,
    },
    /// The proposed block was still being executed.
    NotChecked {
        /// Index of the proposer.
        proposer: u16,
    },
    /// The proposal's timestamp is ahead of this node's clock.
    Ahead {
        /// Index of the proposer.
        proposer: u16,
        /// By how much.
        by: Millis,
    },
    /// The proposed block breaks a rule.
    InvalidBlock {
        /// The block.
        block: BlockHash,
        /// The rule.
        rule: String,
    },
    /// Locked on a block, and the proposal rests on no later polka.
    Locked {
        /// The round of the lock.
        round: Round,
        /// The block of the lock.
        block: BlockHash,
    },
    /// More than two thirds prevoted nil.
    NilPolka {
        /// Who did.
        nil: Vec<u16>,
    },
    /// More than two thirds prevoted, but not for one thing.
    NoPolka {
        /// Who prevoted nil.
        nil: Vec<u16>,
        /// Who has not prevoted.
        silent: Vec<u16>,
    },
}

impl NilWhy {
    /// A word for it that never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProposerSilent { .. } => "proposer_silent",
            Self::BodiesMissing { .. } => "bodies_missing",
            Self::NotChecked { .. } => "not_checked",
            Self::Ahead { .. } => "clock_ahead",
            Self::InvalidBlock { .. } => "invalid_block",
            Self::Locked { .. } => "locked",
            Self::NilPolka { .. } => "nil_polka",
            Self::NoPolka { .. } => "no_polka",
        }
    }
}

impl Display for NilWhy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProposerSilent { proposer } => {
                write!(f, "no proposal came from masternode {proposer} in time")
            }
            Self::BodiesMissing { proposer, missing } => write!(
                f,
                "{missing} transactions of masternode {proposer}'s proposal did not come in time"
            ),
            Self::NotChecked { proposer } => {
                write!(f, "masternode {proposer}'s block was not checked in time here")
            }
            Self::Ahead { proposer, by } => {
                write!(f, "masternode {proposer}'s proposal is {} ms ahead of this clock", by.0)
            }
            Self::InvalidBlock { block, rule } => {
                write!(f, "block {} breaks a rule: {rule}", short(block))
            }
            Self::Locked { round, block } => write!(
                f,
                "locked on block {} since round {round}, and the proposal shows no later polka",
                short(block)
            ),
            Self::NilPolka { nil } => write!(f, "masternodes {} prevoted nil", List(nil)),
            Self::NoPolka { nil, silent } => write!(
                f,
                "prevotes do not agree: nil from {}, nothing from {}",
                List(nil),
                List(silent)
            ),
        }
    }
}

/// Why a round began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundWhy {
    /// The height began.
    NewHeight,
    /// The round before ended without a decision.
    Undecided {
        /// Who precommitted nil in it.
        nil: Vec<u16>,
        /// Who did not precommit in it.
        silent: Vec<u16>,
    },
    /// More than a third of the weight is already there.
    OthersAhead {
        /// Who is.
        there: Vec<u16>,
    },
    /// Continued after a restart.
    Resumed,
}

impl RoundWhy {
    /// A word for it that never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NewHeight => "new_height",
            Self::Undecided { .. } => "undecided",
            Self::OthersAhead { .. } => "others_ahead",
            Self::Resumed => "resumed",
        }
    }
}

impl Display for RoundWhy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewHeight => f.write_str("the height begins"),
            Self::Undecided { nil, silent } => write!(
                f,
                "the round before decided nothing: precommits for nil from {}, none from {}",
                List(nil),
                List(silent)
            ),
            Self::OthersAhead { there } => {
                write!(f, "masternodes {} are there already", List(there))
            }
            Self::Resumed => f.write_str("continued after a restart"),
        }
    }
}

/// Masternodes by index.
pub(super) struct List<'a>(pub(super) &'a [u16]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        let list: Vec<String> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&list.join(", "))
    }
}

/// The first digits of a block's hash, as logs show it.
fn short(block: &BlockHash) -> String {
    block.to_string().chars().take(12).collect()
}

impl HeightState {
    /// Why the current round began.
    pub(super) fn round_why(
        &self,
        set: &MasternodeSet,
        round: Round,
        reason: RoundReason,
    ) -> RoundWhy {
        match reason {
            RoundReason::NewHeight => RoundWhy::NewHeight,
            RoundReason::Resumed => RoundWhy::Resumed,
            RoundReason::Skip => {
                let votes = self.consensus.entry().into_iter().flat_map(|entry| &entry.votes);
                RoundWhy::OthersAhead { there: votes.map(|vote| vote.signer).collect() }
            }
            RoundReason::NoDecision => {
                let before = Round(round.0.saturating_sub(1));
                let (nil, silent) = self.nil_and_silent(set, before, VoteKind::Precommit);
                RoundWhy::Undecided { nil, silent }
            }
        }
    }

    /// Why this node votes nil in a round.
    pub(super) fn nil_why(&self, set: &MasternodeSet, round: Round, reason: NilReason) -> NilWhy {
        let proposer = set.proposer(self.height(), round);
        match reason {
            NilReason::NoProposal => self.proposal_why(round, proposer),
            NilReason::InvalidBlock => {
                let invalid = self.consensus.blocks_in(round).find_map(|block| {
                    Some((block, self.candidates.broken_rule(&block)?.to_owned()))
                });
                match invalid {
                    Some((block, rule)) => NilWhy::InvalidBlock { block, rule },
                    None => NilWhy::NotChecked { proposer },
                }
            }
            NilReason::Locked => match self.consensus.resume().locked {
                Some((round, block)) => NilWhy::Locked { round, block },
                None => NilWhy::NotChecked { proposer },
            },
            NilReason::NilPolka => {
                let nil = self.nil_and_silent(set, round, VoteKind::Prevote).0;
                NilWhy::NilPolka { nil }
            }
            NilReason::NoPolka => {
                let (nil, silent) = self.nil_and_silent(set, round, VoteKind::Prevote);
                NilWhy::NoPolka { nil, silent }
            }
        }
    }

    /// Who voted nil in a round, and who did not vote.
    fn nil_and_silent(
        &self,
        set: &MasternodeSet,
        round: Round,
        kind: VoteKind,
    ) -> (Vec<u16>, Vec<u16>) {
        let votes = self.consensus.votes(round, kind).filter(|vote| vote.block.is_none());
        let voters = self.consensus.voters(round, kind);
        let members = (0..).zip(set.members()).map(|(index, _)| index);
        (
            votes.map(|vote| vote.signer).collect(),
            members.filter(|index| !voters.contains(*index)).collect(),
        )
    }

    /// Why no proposal could be voted on in time.
    fn proposal_why(&self, round: Round, proposer: u16) -> NilWhy {
        if let Some(by) = self.skewed.filter(|(at, _)| *at == round).map(|(_, by)| by) {
            return NilWhy::Ahead { proposer, by };
        }
        let missing = |block| self.candidates.missing(&block).map(BTreeSet::len);
        match self.consensus.blocks_in(round).find_map(missing) {
            None => NilWhy::ProposerSilent { proposer },
            Some(0) => NilWhy::NotChecked { proposer },
            Some(missing) => NilWhy::BodiesMissing { proposer, missing },
        }
    }
}
