//! How much the books of one height hold, and their upper bound.
use super::{Consensus, round::CERTIFICATES_MAX, round::RoundBook};
use crate::limits::{PROPOSALS_PER_ROUND_MAX, ROUNDS_AHEAD_MAX, ROUNDS_KEPT};

/// Number of items received for one height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Books {
    /// Rounds that have a book.
    pub rounds: usize,
    /// Votes in them.
    pub votes: usize,
    /// Certificates in them.
    pub certificates: usize,
    /// Proposals in them.
    pub proposals: usize,
}

impl Books {
    /// The upper bound for a set of this many masternodes, fewer than a third of them hostile. Only
    /// hostile masternodes vote in rounds outside those that are kept.
    pub fn most(members: usize) -> Self {
        let near = usize::try_from(ROUNDS_KEPT + 1 + ROUNDS_AHEAD_MAX).unwrap_or(usize::MAX);
        // Past rounds: those that proposals of the current round refer to, and the latest one
        // received.
        let rounds = near + PROPOSALS_PER_ROUND_MAX + 1;
        Self {
            rounds,
            votes: rounds * 2 * members,
            certificates: rounds * CERTIFICATES_MAX,
            proposals: rounds * PROPOSALS_PER_ROUND_MAX,
        }
    }

    /// The maximum of each count.
    #[must_use]
    pub fn max_of(&self, other: &Self) -> Self {
        Self {
            rounds: self.rounds.max(other.rounds),
            votes: self.votes.max(other.votes),
            certificates: self.certificates.max(other.certificates),
            proposals: self.proposals.max(other.proposals),
        }
    }

    /// Whether no count exceeds the other's.
    pub fn is_within(&self, most: &Self) -> bool {
        self.rounds <= most.rounds
            && self.votes <= most.votes
            && self.certificates <= most.certificates
            && self.proposals <= most.proposals
    }
}

impl Consensus {
    /// What the books hold now.
    pub fn books(&self) -> Books {
        let sum = |count: fn(&RoundBook) -> usize| self.rounds.values().map(count).sum();
        Books {
            rounds: self.rounds.len(),
            votes: sum(RoundBook::votes),
            certificates: sum(RoundBook::certificates),
            proposals: sum(|book| book.proposals().len()),
        }
    }
}
