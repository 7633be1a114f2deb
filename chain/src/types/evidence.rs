//! Proof that a masternode signed what no honest one signs. Anybody can verify it with only the
//! masternode set.
//!
//! A pair has one order only, so that two signed statements make one piece of evidence, not two.
//! `rules::verify_evidence` decides whether it holds.
use super::{BlockHash, Height, ProposalStatement, Round, Vote, VoteKind};
use crate::{codec::Canonical, limits::EVIDENCE_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// Two votes in one slot.
    Votes,
    /// Two proposals in one round.
    Proposals,
    /// A vote against its own lock.
    Amnesia,
}

impl EvidenceKind {
    /// Its name for clients and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Proposals => "proposals",
            Self::Amnesia => "amnesia",
        }
    }
}

/// Proof of an offence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Two different votes of one kind in one round, the lesser (block, valid round) first.
    Votes(Vote, Vote),
    /// Two different proposals for one round, the lesser (block, valid round) first.
    Proposals(ProposalStatement, ProposalStatement),
    /// A precommit for a block, then a prevote for another block in a later round that names no
    /// polka as late as the precommit. The precommit locked its signer, and the prevote
    /// names nothing that unlocks it.
    Amnesia {
        /// The lock.
        precommit: Vote,
        /// The vote against it.
        prevote: Vote,
    },
}

impl Canonical for Evidence {
    const BYTES_MAX: usize = EVIDENCE_BYTES_MAX;
}

impl Evidence {
    /// The evidence that two votes of one signer at one height make, if they conflict.
    pub fn of_votes(one: &Vote, other: &Vote) -> Option<Self> {
        if one.conflicts_with(other) {
            let (first, second) = ordered(one, other, |vote| (vote.block, vote.valid_round));
            return Some(Self::Votes(first, second));
        }
        let (precommit, prevote) = match one.kind {
            VoteKind::Precommit => (one, other),
            VoteKind::Prevote => (other, one),
        };
        is_amnesia(precommit, prevote)
            .then(|| Self::Amnesia { precommit: precommit.clone(), prevote: prevote.clone() })
    }

    /// The evidence that two proposals make, if they conflict.
    pub fn of_proposals(one: &ProposalStatement, other: &ProposalStatement) -> Option<Self> {
        one.conflicts_with(other).then(|| {
            let (first, second) = ordered(one, other, ProposalStatement::value);
            Self::Proposals(first, second)
        })
    }

    /// Masternode index of the signer of both.
    pub fn offender(&self) -> u16 {
        match self {
            Self::Votes(vote, _) | Self::Amnesia { prevote: vote, .. } => vote.signer,
            Self::Proposals(statement, _) => statement.proposer,
        }
    }

    /// The height of both.
    pub fn height(&self) -> Height {
        match self {
            Self::Votes(vote, _) | Self::Amnesia { prevote: vote, .. } => vote.height,
            Self::Proposals(statement, _) => statement.height,
        }
    }

    /// The round in which the offence was complete.
    pub fn round(&self) -> Round {
        match self {
            Self::Votes(vote, _) | Self::Amnesia { prevote: vote, .. } => vote.round,
            Self::Proposals(statement, _) => statement.round,
        }
    }

    /// The kind of offence.
    pub fn kind(&self) -> EvidenceKind {
        match self {
            Self::Votes(..) => EvidenceKind::Votes,
            Self::Proposals(..) => EvidenceKind::Proposals,
            Self::Amnesia { .. } => EvidenceKind::Amnesia,
        }
    }
}

/// For the operator: if the masternode is their own, two nodes may use its key.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |block: Option<BlockHash>| block.map_or("nil".into(), |block| block.to_string());
        let (offender, height, round) = (self.offender(), self.height(), self.round());
        write!(f, "masternode {offender} ")?;
        match self {
            Self::Votes(first, second) => write!(
                f,
                "signed two {} at height {height} round {round}: for {} and for {}. Its key may be in \
                 two nodes",
                match first.kind {
                    VoteKind::Prevote => "prevotes",
                    VoteKind::Precommit => "precommits",
                },
                name(first.block),
                name(second.block),
            ),
            Self::Proposals(first, second) => write!(
                f,
                "signed two proposals at height {height} round {round}: of {} and of {}. Its key may be \
                 in two nodes",
                first.block, second.block,
            ),
            Self::Amnesia { precommit, prevote } => write!(
                f,
                "forgot its lock at height {height}: it precommitted {} in round {} and prevoted {} in \
                 round {round}",
                name(precommit.block),
                precommit.round,
                name(prevote.block),
            ),
        }
    }
}

/// Whether a prevote breaks the lock of a precommit of the same masternode: the strict lock rule
/// lets it prevote a block only on a polka no earlier than its lock.
pub(crate) fn is_amnesia(precommit: &Vote, prevote: &Vote) -> bool {
    let kinds = (precommit.kind, prevote.kind) == (VoteKind::Precommit, VoteKind::Prevote);
    let both = (precommit.height, precommit.signer) == (prevote.height, prevote.signer);
    let blocks = match (precommit.block, prevote.block) {
        (Some(locked), Some(voted)) => locked != voted,
        _ => false,
    };
    let rests_on_later = prevote.valid_round.is_some_and(|round| round >= precommit.round);
    kinds && both && blocks && precommit.round < prevote.round && !rests_on_later
}

fn ordered<T: Clone, K: Ord>(one: &T, other: &T, key: impl Fn(&T) -> K) -> (T, T) {
    let (first, second) = if key(one) < key(other) { (one, other) } else { (other, one) };
    (first.clone(), second.clone())
}
